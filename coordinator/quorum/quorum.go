package quorum

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/logstore/vfs"
)

// Options are what a Quorum stands on.
type Options struct {
	// Store is the data directory: the metadata log is one of its logs, and its identity is checked against the state file.
	Store *logstore.Store
	// FS is the file system that Store is on: the state file and the snapshots are beside the log.
	FS     vfs.FS
	NodeID int32
	Now    func() time.Time
	// Log takes what raft has to say; nil for nobody.
	Log *slog.Logger
	// Accept may refuse metadata that an Apache Kafka wrote, before anything of it is changed; nil for all of it.
	Accept func(*cluster.Image) error
}

// Quorum is this node's part in the metadata log.
type Quorum struct {
	id  raft.ServerID
	now func() time.Time

	raft      *raft.Raft
	logs      *entries
	state     *stateFile
	transport *raft.NetworkTransport

	machine machine
	queue   queue

	// snapshotDue wakes the goroutine that takes snapshots; closed by Close, which waits for it in running.
	snapshotDue chan struct{}
	running     sync.WaitGroup
	closed      atomic.Bool
}

// Raft's time-outs. They decide nothing while the quorum is one node: it becomes leader without waiting for them
// (campaign), and its lease on itself never ends. With more nodes they are how long a dead leader goes unnoticed.
const (
	heartbeatTimeout = time.Second
	electionTimeout  = time.Second
	leaseTimeout     = 500 * time.Millisecond
)

// Open opens the metadata log of a data directory, or begins one. It returns when everything committed in the log is
// applied and a leader is known. It refuses, and changes nothing, when the log, its snapshot or the state file are
// damaged, of a newer format, or of another cluster or node.
func Open(ctx context.Context, o Options) (*Quorum, error) {
	q := &Quorum{id: serverID(o.NodeID), now: o.Now, snapshotDue: make(chan struct{}, 1)}
	q.machine.image.Store(cluster.Empty())
	if err := q.open(ctx, o); err != nil {
		_ = q.Close() // what failed first is what to tell
		return nil, fmt.Errorf("metadata log: %w", err)
	}
	return q, nil
}

func (q *Quorum) open(ctx context.Context, o Options) (err error) {
	if err := setKafkaAside(o); err != nil {
		return err
	}
	if q.logs, err = openEntries(o.Store, o.Now); err != nil {
		return err
	}
	dir := q.logs.dir
	identity := identity{ClusterID: o.Store.ClusterID(), NodeID: o.NodeID}
	if q.state, err = openStateFile(o.FS, dir, identity); err != nil {
		return err
	}
	q.logs.state = q.state
	snapshots, err := openSnapshots(o.FS, dir, identity.ClusterID)
	if err != nil {
		return err
	}
	if err := q.logs.startsAfter(snapshots); err != nil {
		return err
	}
	if q.machine.rehearsal, err = q.logs.rehearse(snapshots); err != nil {
		return err
	}
	logger := newLogger(o.Log)
	q.transport = newTransport(q.id, logger)
	conf := raft.DefaultConfig()
	conf.LocalID = q.id
	conf.HeartbeatTimeout, conf.ElectionTimeout, conf.LeaderLeaseTimeout = heartbeatTimeout, electionTimeout, leaseTimeout
	conf.Logger = logger
	conf.TrailingLogs = trailingEntries
	// Snapshots are taken when the log has grown (machine.grown), not by the clock.
	conf.SnapshotInterval, conf.SnapshotThreshold = 1<<62, 1<<62
	conf.NoLegacyTelemetry = true
	if err := q.begin(snapshots); err != nil {
		return err
	}
	q.machine.due = q.snapshotDue
	if q.raft, err = raft.NewRaft(conf, &q.machine, q.logs, q.state, snapshots, q.transport); err != nil {
		return errors.Join(err, q.machine.failure())
	}
	q.queue.q = q
	q.running.Go(q.takeSnapshots)
	if err := q.campaign(); err != nil {
		return err
	}
	if _, err := q.Propose(ctx, nothing); err != nil {
		return errors.Join(err, q.Err())
	}
	q.logs.replayed()
	q.machine.forgetRehearsal()
	return q.adoptKafka(ctx, o)
}

// nothing is a proposal that shows that a leader is there and everything is applied.
func nothing(*cluster.Image, time.Time) ([]cluster.Record, error) { return nil, nil }

// begin writes the first entry of a new log: the quorum is this node. raft.BootstrapCluster does the same, but refuses once
// a term is in the state file, which a power cut before the entry can leave there.
func (q *Quorum) begin(snapshots *snapshots) error {
	last, err := q.logs.LastIndex()
	if err != nil || last > 0 || snapshots.index() > 0 {
		return err
	}
	if err := q.state.Set([]byte(currentTerm), binary.BigEndian.AppendUint64(nil, 1)); err != nil {
		return err
	}
	alone := raft.Configuration{Servers: []raft.Server{{ID: q.id, Address: raft.ServerAddress(q.id)}}}
	return q.logs.StoreLog(&raft.Log{Index: 1, Term: 1, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(alone),
		AppendedAt: q.now()})
}

// campaign makes this node leader at once where it is the only voter. Raft would first wait for a leader to speak up for
// as long as heartbeatTimeout; a TimeoutNow request, by which a leader hands over, ends that wait.
func (q *Quorum) campaign() error {
	servers := q.raft.GetConfiguration().Configuration().Servers
	if len(servers) != 1 || servers[0].ID != q.id {
		return nil
	}
	request := raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{
		ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(q.id), Addr: []byte(q.id)}}
	return q.transport.TimeoutNow(q.id, raft.ServerAddress(q.id), &request, &raft.TimeoutNowResponse{})
}

// Image is the metadata as applied here.
func (q *Quorum) Image() *cluster.Image { return q.machine.image.Load() }

// Subscribe calls f with every change that is applied here, in order, one call at a time. The first call happens before
// Subscribe returns: it tells all there is, as a change from nothing. f must not call Propose or Subscribe, and nothing
// is applied while it runs.
func (q *Quorum) Subscribe(f func(*cluster.Image, *cluster.Delta)) { q.machine.subscribe(f) }

// Leader is the node id of the active controller, -1 if none is known.
func (q *Quorum) Leader() int32 {
	_, id := q.raft.LeaderWithID()
	return nodeID(id)
}

// Term is the epoch of the active controller.
func (q *Quorum) Term() int32 { return int32(q.raft.CurrentTerm()) }

// Err is why the metadata log takes no more entries, nil while it does: a write or sync of it failed, or an entry of it
// could not be applied. Only a restart helps.
func (q *Quorum) Err() error {
	return errors.Join(q.logs.failure(), q.state.failure(), q.machine.failure())
}

// Status is what DescribeQuorum tells.
type Status struct {
	Leader        int32
	Epoch         int32
	HighWatermark int64
	Voters        []Replica
	Observers     []Replica
}

// Replica is one node's copy of the metadata log.
type Replica struct {
	ID int32
	// LogEndOffset is -1 where nobody knows, and so are the times, which are ms since the epoch.
	LogEndOffset                int64
	LastFetchMs, LastCaughtUpMs int64
}

// Status is the state of the quorum as this node knows it.
func (q *Quorum) Status() Status {
	s := Status{Leader: q.Leader(), Epoch: q.Term(), HighWatermark: int64(q.raft.CommitIndex()) + 1}
	for _, server := range q.raft.GetConfiguration().Configuration().Servers {
		r := Replica{ID: nodeID(server.ID), LogEndOffset: -1, LastFetchMs: -1, LastCaughtUpMs: -1}
		if server.ID == q.id {
			r.LogEndOffset = int64(q.raft.LastIndex()) + 1
			if s.Leader == r.ID {
				r.LastFetchMs = q.now().UnixMilli()
				r.LastCaughtUpMs = r.LastFetchMs
			}
		}
		if server.Suffrage == raft.Voter {
			s.Voters = append(s.Voters, r)
		} else {
			s.Observers = append(s.Observers, r)
		}
	}
	return s
}

// Close ends this node's part. The entry under way is waited for; proposals that wait are refused.
func (q *Quorum) Close() error {
	if q.closed.Swap(true) {
		return nil
	}
	var err error
	if q.raft != nil {
		q.queue.close()
		err = q.raft.Shutdown().Error()
	}
	close(q.snapshotDue)
	q.running.Wait()
	if q.transport != nil {
		q.transport.CloseStreams() // Close leaves the pooled ones, and who reads from them
		err = errors.Join(err, q.transport.Close())
	}
	return err
}

// A node is known to raft, as id and as address, by the decimal digits of its node id.

func serverID(node int32) raft.ServerID { return raft.ServerID(strconv.Itoa(int(node))) }

func nodeID(id raft.ServerID) int32 {
	n, err := strconv.ParseInt(string(id), 10, 32)
	if err != nil {
		return -1
	}
	return int32(n)
}
