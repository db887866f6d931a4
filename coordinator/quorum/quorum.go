// Package quorum keeps the metadata log: the one ordered list of changes to the cluster's metadata, agreed on by raft.
package quorum

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/logstore/vfs"
)

// Options are what a Quorum stands on.
type Options struct {
	FS vfs.FS
	// Dir is the data directory.
	Dir         string
	NodeID      int32
	ClusterID   string
	DirectoryID [16]byte
	Now         func() time.Time
	Log         *slog.Logger
}

// Decide decides a change against the newest state of the metadata log: it returns the records to append, none for no
// change. An error ends the proposal with it. It may be called more than once, must not block, and leaves what it has to
// tell the caller in variables that it captures: the last call counts.
type Decide func(image *cluster.Image, now time.Time) ([]cluster.Record, error)

// Quorum is this node's part in the metadata log.
type Quorum struct {
	image atomic.Pointer[cluster.Image]

	mu struct { // guards the fields below; held while subscribers are called
		sync.Mutex
		subscribers []func(*cluster.Image, *cluster.Delta)
	}
}

// Open opens the metadata log in o.Dir, or begins one, and returns when everything committed in it is applied and a
// leader is known.
func Open(o Options) (*Quorum, error) { return nil, errors.ErrUnsupported }

// Image is the metadata as applied here.
func (q *Quorum) Image() *cluster.Image { return q.image.Load() }

// Subscribe calls f with every change that is applied here, in order, one call at a time. The first call happens before
// Subscribe returns: it tells all there is, as a change from nothing. f must not call Propose or Subscribe.
func (q *Quorum) Subscribe(f func(*cluster.Image, *cluster.Delta)) {}

// Propose has decide's records appended to the metadata log and returns when they are durable on a majority and applied
// here, subscribers called: what the caller then reads from Image, partitions and the like shows the change, and image is
// that state. Proposals are decided one after the other, on the state that the one before left.
//
// An error of decide is returned as it is. protocol.RequestTimedOut, when ctx ends first or leadership is lost in the
// middle, leaves the outcome unknown. protocol.NotController: there is no leader to be had.
func (q *Quorum) Propose(ctx context.Context, decide Decide) (image *cluster.Image, err error) {
	return nil, errors.ErrUnsupported
}

// Leader is the node id of the active controller, -1 if none is known; Term is its epoch.
func (q *Quorum) Leader() int32 { return -1 }

// Term is the epoch of the active controller.
func (q *Quorum) Term() int32 { return 0 }

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
	ID           int32
	DirectoryID  [16]byte
	LogEndOffset int64
	// LastFetch and LastCaughtUp are -1 where nobody knows, ms since the epoch otherwise.
	LastFetchMs, LastCaughtUpMs int64
}

// Status is the state of the quorum as this node knows it.
func (q *Quorum) Status() Status { return Status{} }

// Close stops this node's part. What was acknowledged stays.
func (q *Quorum) Close() error { return nil }
