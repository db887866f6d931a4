package broker

import (
	"context"
	"sync"
	"time"

	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/logstore"
)

// assigner notes in the metadata in which data directories this broker's partitions are. Of new partitions it does so
// after they were made, by a goroutine of its own which exists only while there is something to note: who makes them
// acts on the metadata log, and cannot wait for it.
type assigner struct {
	propose func(ctx context.Context, placements []cluster.Placement) error
	failed  func(error)

	ctx     context.Context // ends with cancel: until then failures are tried again
	cancel  func()
	running sync.WaitGroup

	mu      sync.Mutex
	busy    bool
	pending []cluster.Placement
}

// How many placements one entry of the metadata log notes, and how long a failure waits to be tried again.
const (
	placementsAtOnce = 1000
	assignAgain      = time.Second
)

func (b *Broker) newAssigner() *assigner {
	a := &assigner{
		propose: func(ctx context.Context, placements []cluster.Placement) error {
			ctx, cancel := context.WithTimeout(ctx, quorumTimeout)
			defer cancel()
			_, err := b.quorum.Propose(ctx, func(image *cluster.Image, _ time.Time) ([]cluster.Record, error) {
				return image.AssignDirectories(b.static.NodeID(), placements), nil
			})
			return err
		},
		failed: func(err error) {
			b.log.Warn("could not note in which data directories partitions are; trying again", "error", err)
		},
	}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	return a
}

// placed notes, in a while, where a partition is.
func (a *assigner) placed(p cluster.Placement) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pending = append(a.pending, p)
	if !a.busy && a.ctx.Err() == nil {
		a.busy = true
		a.running.Go(a.run)
	}
}

// moving notes where a partition is about to be, and returns when that is durable.
func (a *assigner) moving(ctx context.Context, tp logstore.TopicPartition, topicID, dir [16]byte) error {
	return a.propose(ctx, []cluster.Placement{{Topic: topicID, Index: tp.Partition, Dir: dir}})
}

// run notes until nothing is pending. Started by placed, awaited by close.
func (a *assigner) run() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.pending) > 0 && a.ctx.Err() == nil {
		now := a.pending[:min(len(a.pending), placementsAtOnce)]
		a.mu.Unlock()
		err := a.propose(a.ctx, now)
		if err != nil && a.ctx.Err() == nil {
			a.failed(err)
			select {
			case <-time.After(assignAgain):
			case <-a.ctx.Done():
			}
		}
		a.mu.Lock()
		if err == nil {
			a.pending = a.pending[len(now):]
		}
	}
	a.busy = false
}

// close ends it. What is not noted is with the next start, which opens the partitions again.
func (a *assigner) close() {
	a.cancel()
	a.running.Wait()
}
