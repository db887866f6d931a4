package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ottla/ottla/broker/api"
	"github.com/ottla/ottla/broker/partition"
	"github.com/ottla/ottla/config"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/coordinator/quorum"
	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/logstore/vfs"
)

// Options are what a broker is opened with. Zero fields but Config get the defaults named.
type Options struct {
	Config   *config.Broker
	FS       vfs.FS                // vfs.OS()
	Now      func() time.Time      // time.Now
	Log      *slog.Logger          // slog.Default()
	Registry prometheus.Registerer // a new one
	// Uptime is a clock that cannot be set. Without it, retention believes Now whatever it says.
	Uptime func() time.Duration // the system's; none with a Now of its own
	// LogLevel is the level of Log, which clients may see and change as the logger root (KIP-412).
	LogLevel *slog.LevelVar // one that is connected to nothing
	// Serving is called when clients are let in, right before the line that says so.
	Serving func() // nothing
}

// Broker is a running broker.
type Broker struct {
	fs       vfs.FS
	now      func() time.Time
	log      *slog.Logger
	registry prometheus.Registerer
	level    *slog.LevelVar
	began    time.Time
	// retentionClock is what ages are held against, nil for now.
	retentionClock *logstore.RetentionClock

	// static is what the process was started with; config adds what was set while it ran.
	static *config.Broker
	config atomic.Pointer[config.Broker]

	sockets    []socket
	advertiser *advertiser
	dirs       *logstore.Dirs
	cleaner    *logstore.Cleaner // nil with log.cleaner.enable=false
	quorum     *quorum.Quorum
	partitions *partition.Set
	assigner   *assigner
	groups     *api.GroupCoordinator
	server     *api.Server
	front      *front
	failed     chan error // see Failed
}

// Failed gives the error that keeps the broker from serving anything, if one comes: whoever has it should Close the
// broker and end the process.
func (b *Broker) Failed() <-chan error { return b.failed }

// Open starts a broker: when it returns, clients are served. It is the order of a start.
func Open(o Options) (*Broker, error) {
	b := newBroker(o)
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"open the listeners", b.bindListeners}, // first, since a taken port is the commonest failure and costs nothing to find
		{"open the data directories", b.openDirs},
		{"open the metadata log", b.openQuorum},
		{"register", b.register},
		{"build the server", b.build},
		{"open the partitions and coordinators", b.follow},
		{"serve clients", b.serve},
	} {
		if err := step.do(); err != nil {
			return nil, errors.Join(fmt.Errorf("cannot %s: %w", step.what, err), b.abort())
		}
	}
	if o.Serving != nil {
		o.Serving()
	}
	b.logReady()
	return b, nil
}

func newBroker(o Options) *Broker {
	b := &Broker{fs: o.FS, now: o.Now, log: o.Log, registry: o.Registry, level: o.LogLevel, static: o.Config, failed: make(chan error, 1)}
	if b.fs == nil {
		b.fs = vfs.OS()
	}
	uptime := o.Uptime
	if b.now == nil {
		b.now = time.Now
		if uptime == nil {
			uptime = sinceBoot()
		}
	}
	if b.log == nil {
		b.log = slog.Default()
	}
	if b.registry == nil {
		b.registry = prometheus.NewRegistry()
	}
	if b.level == nil {
		b.level = new(slog.LevelVar)
	}
	if uptime != nil {
		b.retentionClock = logstore.NewRetentionClock(b.now, uptime, b.clockChanged)
	}
	b.began = b.now()
	b.config.Store(b.static)
	return b
}

// openDirs takes the data directories and recovers their logs.
func (b *Broker) openDirs() (err error) {
	b.cleaner = b.newCleaner()
	events := b.storeEvents()
	b.compactionEvents(&events)
	b.dirs, err = logstore.OpenDirs(b.static.DataDirs(), b.static.MetadataDir(), logstore.Options{
		FS: b.fs, Now: b.now, NodeID: b.static.NodeID(), ClusterID: b.static.String(config.ClusterID), PageCache: b.static.PageCache(),
		Events: events, RetentionCheckMs: b.static.Int64(config.LogRetentionCheckIntervalMs),
		ProducerIDExpirationMs: b.static.Int64(config.ProducerIDExpirationMs), Space: spaceLimits(b.static), Scrub: scrubConfig(b.static), RetentionClock: b.retentionClock,
		Cleaner: b.cleaner, MaxOpenSegments: openSegmentsMax(len(b.static.DataDirs())),
	})
	if err == nil {
		b.dirs.MoveThreads(b.static.Int(config.NumReplicaAlterLogDirsThreads))
		b.configureDirs(b.static)
	}
	return err
}

// configureDirs gives the data directories what may change while the broker runs.
func (b *Broker) configureDirs(c *config.Broker) {
	b.dirs.SetSpaceLimits(spaceLimits(c))
	b.dirs.SetProducerIDExpiration(c.Int64(config.ProducerIDExpirationMs))
	b.dirs.Cordon(c.CordonedDirs())
	b.dirs.PaceMoves(c.Int64(config.ReplicaAlterLogDirsIOMaxBytesPerSecond))
}

// stopMoves ends what writes to the data directories and to the metadata log by itself.
func (b *Broker) stopMoves() {
	if b.dirs != nil {
		b.dirs.StopMoves()
	}
	if b.assigner != nil {
		b.assigner.close()
	}
}

// openQuorum opens the metadata log and waits until a controller is known.
func (b *Broker) openQuorum() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), quorumTimeout)
	defer cancel()
	b.quorum, err = quorum.Open(ctx, quorum.Options{
		Store: b.dirs.Metadata(), FS: b.fs, NodeID: b.static.NodeID(), Now: b.now, Log: b.log, Accept: b.mayServeUnprotected,
	})
	if err != nil {
		return err
	}
	return b.mayServeUnprotected(b.quorum.Image())
}

// mayServeUnprotected refuses metadata with ACLs, which only an Apache Kafka can have written: nothing enforces them yet, and
// whoever wrote them does not expect that everybody may do everything.
func (b *Broker) mayServeUnprotected(image *cluster.Image) error {
	if b.static.Bool(config.AllowAnonymous) {
		return nil
	}
	for range image.ACLs() {
		return errors.New("the metadata has ACLs, and this build does not enforce them: if everybody who connects may do everything, set allow.anonymous=true")
	}
	return nil
}

// quorumTimeout is how long a start waits for the metadata log: for a controller, and for an entry to be applied.
const quorumTimeout = 10 * time.Second

// ClusterID names the cluster.
func (b *Broker) ClusterID() string { return b.dirs.ClusterID() }

// Addresses are the sockets' addresses, by listener name.
func (b *Broker) Addresses() map[string][]net.Addr {
	all := map[string][]net.Addr{}
	for _, s := range b.sockets {
		all[s.name] = append(all[s.name], s.Addr())
	}
	return all
}

// Close drains and stops: requests that are being served are answered as long as ctx allows, everything is flushed, and
// the data directory is marked clean.
func (b *Broker) Close(ctx context.Context) error {
	b.closeSockets()
	b.front.drain(ctx)
	b.groups.Runtime.Close()
	b.stopMoves()
	err := errors.Join(b.quorum.Close(), b.dirs.Close())
	b.cleaner.Close()
	if err != nil {
		b.log.Error("stopped, not cleanly", "error", err)
		return err
	}
	b.log.Info("stopped")
	return nil
}

// abort closes what a start had opened before it failed.
func (b *Broker) abort() error {
	var errs []error
	b.closeSockets()
	if b.groups != nil {
		b.groups.Runtime.Close()
	}
	b.stopMoves()
	if b.quorum != nil {
		errs = append(errs, b.quorum.Close())
	}
	if b.dirs != nil {
		errs = append(errs, b.dirs.Close())
	}
	b.cleaner.Close()
	return errors.Join(errs...)
}
