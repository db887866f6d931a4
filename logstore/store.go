package logstore

import (
	"time"

	"github.com/ottla/ottla/logstore/vfs"
)

// Options say how a store is opened. Zero fields get the defaults named.
type Options struct {
	FS        vfs.FS           // vfs.OS()
	Now       func() time.Time // time.Now
	NodeID    int32            // checked against meta.properties
	ClusterID string           // checked against meta.properties; "" takes what it says, or makes one
	PageCache bool             // the mode of logs until SetConfig says otherwise
	Events    Events

	RetentionCheckMs       int64 // log.retention.check.interval.ms; 0: only who calls ApplyRetention
	ProducerIDExpirationMs int64 // producer.id.expiration.ms (86400000)
	MaxOpenSegments        int   // segment files kept open while nobody uses them (4096)
	MaxParallelSyncs       int   // 16
}

// Store is a data directory of partition logs. It holds the directory's lock until Close.
type Store struct {
}

// Open takes the directory's lock, reads or makes meta.properties, and recovers every partition, in parallel. It refuses,
// naming both sides and deleting nothing, a directory of another cluster or node, or of a newer format.
func Open(dir string, o Options) (*Store, error) { panic("soon") }

// ClusterID is the cluster that the directory belongs to.
func (s *Store) ClusterID() string { panic("soon") }

// DirectoryID identifies the directory (directory.id in meta.properties).
func (s *Store) DirectoryID() [16]byte { panic("soon") }

// WasClean tells whether the directory had been closed cleanly.
func (s *Store) WasClean() bool { panic("soon") }

// Dir is the directory.
func (s *Store) Dir() string { panic("soon") }

// Create makes a partition's directory with one empty segment. If the log exists, it is returned with its new config;
// one of another topic id is InconsistentTopicID.
func (s *Store) Create(tp TopicPartition, topicID [16]byte, c LogConfig) (*Log, error) {
	panic("soon")
}

// Get is the partition's log, nil if there is none.
func (s *Store) Get(tp TopicPartition) *Log { panic("soon") }

// All are the logs, by topic and partition. Those found damaged at Open are among them, with Err set.
func (s *Store) All() []*Log { panic("soon") }

// Delete takes a partition away: its directory is renamed at once and removed after file.delete.delay.ms.
func (s *Store) Delete(tp TopicPartition) error { panic("soon") }

// ApplyRetention runs Log.ApplyRetention on every log.
func (s *Store) ApplyRetention(now time.Time) { panic("soon") }

// Close flushes everything, writes producer snapshots, checkpoints and the clean-shutdown marker, and lets the lock go.
// Appends must have ended. Slices may be released later.
func (s *Store) Close() error { panic("soon") }
