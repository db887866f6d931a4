package logstore

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Names of files in a partition's directory: 20 digits of a base offset, then what it is.
const (
	logExt       = ".log"
	indexExt     = ".index"
	timeIndexExt = ".timeindex"
	txnIndexExt  = ".txnindex"
	snapshotExt  = ".snapshot"

	// Marks appended to such a name. Both of Kafka's and ours start by finishing or removing them.
	deletedExt = ".deleted"
	cleanedExt = ".cleaned"
	swapExt    = ".swap"
	tmpExt     = ".tmp"
	// setAsideExt is on segments that recovery gave up without being sure. Nobody removes them.
	setAsideExt = ".set-aside"

	epochsName    = "leader-epoch-checkpoint"
	partitionName = "partition.metadata"
	// syncFailedName stands in a partition's directory after a sync failed, until the next start has seen to it. It is
	// not synced itself: after a power cut there is nothing left that it could warn of.
	syncFailedName = "sync-failed"
	// movedFromName stands in a directory that a move has made, until the one that it was made from is gone for good: it
	// has the directory.id where that is. Of two directories of a partition, the one whose file names the other's is right.
	movedFromName = "moved-from"
)

// Names in the data directory.
const (
	lockName          = ".lock"
	metaName          = "meta.properties"
	cleanShutdownName = ".kafka_cleanshutdown"
	recoveryPointName = "recovery-point-offset-checkpoint"
	highWatermarkName = "replication-offset-checkpoint"
	logStartName      = "log-start-offset-checkpoint"
	// retentionClockName is ours: see RetentionClock.
	retentionClockName = "retention-clock-checkpoint"
	cleanerName        = "cleaner-offset-checkpoint"
	probeName          = "disk-probe" // see Store.probe

	// What an Apache Kafka leaves whose directory was taken over (coordinator/quorum): its metadata log, set aside, and what
	// it was formatted with.
	kafkaMetadataName = metadataLogName + ".kafka"
	bootstrapName     = "bootstrap.checkpoint"

	metadataLogName = "__cluster_metadata-0" // the metadata log, a partition's directory like any other

	deleteSuffix = "-delete" // of a partition's directory that waits for its removal
	straySuffix  = "-stray"  // of one that the metadata does not know
	futureSuffix = "-future" // of one that is being copied from another data directory
	maxNameBytes = 255
)

// String is the name of the partition's directory.
func (tp TopicPartition) String() string {
	return tp.Topic + "-" + strconv.Itoa(int(tp.Partition))
}

// valid refuses what could not be a directory of its own: a topic's name is Kafka's alphabet and nothing else.
func (tp TopicPartition) valid() error {
	if tp.Topic == "" || len(tp.Topic) > 249 || tp.Topic == "." || tp.Topic == ".." || tp.Partition < 0 {
		return fmt.Errorf("%q partition %d cannot be a directory's name", tp.Topic, tp.Partition)
	}
	for _, c := range []byte(tp.Topic) {
		alphabet := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
		if !alphabet {
			return fmt.Errorf("topic %q: only letters, digits, '.', '_' and '-' may stand in a name", tp.Topic)
		}
	}
	return nil
}

// parsePartitionDir is the inverse of String.
func parsePartitionDir(name string) (tp TopicPartition, ok bool) {
	at := strings.LastIndexByte(name, '-')
	if at < 0 {
		return tp, false
	}
	n, err := strconv.ParseInt(name[at+1:], 10, 32)
	tp = TopicPartition{Topic: name[:at], Partition: int32(n)}
	return tp, err == nil && tp.String() == name && tp.valid() == nil
}

// setAside is a name for a partition's directory that is not in use any more, unlike any other and within the limit.
func setAside(tp TopicPartition, suffix string) string {
	var id [16]byte
	rand.Read(id[:])
	tail := "-" + strconv.Itoa(int(tp.Partition)) + "." + hex.EncodeToString(id[:]) + suffix
	return tp.Topic[:min(len(tp.Topic), maxNameBytes-len(tail))] + tail
}

// parseFutureDir is the partition that a directory setAside under futureSuffix is a copy of.
func parseFutureDir(name string) (tp TopicPartition, ok bool) {
	rest, ok := strings.CutSuffix(name, futureSuffix)
	at := strings.LastIndexByte(rest, '.')
	if !ok || at < 0 {
		return tp, false
	}
	return parsePartitionDir(rest[:at])
}

func segmentName(base int64, ext string) string { return fmt.Sprintf("%020d%s", base, ext) }

// parseSegmentName is the inverse of segmentName. ext is everything from the first dot.
func parseSegmentName(name string) (base int64, ext string, ok bool) {
	if len(name) <= 20 || name[20] != '.' {
		return 0, "", false
	}
	base, err := strconv.ParseInt(name[:20], 10, 64)
	return base, name[20:], err == nil && base >= 0
}

// newID is a random id as Kafka makes them: not one of the reserved ones, and without a leading '-' in its text, which
// command lines would take for an option.
func newID() (id [16]byte) {
	for {
		rand.Read(id[:])
		if [8]byte(id[:8]) != [8]byte{} && !strings.HasPrefix(idText(id), "-") {
			return id
		}
	}
}

// idText is Kafka's text for an id: base64url without padding, 22 characters.
func idText(id [16]byte) string { return base64.RawURLEncoding.EncodeToString(id[:]) }

func parseID(text string) (id [16]byte, err error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != len(id) {
		return id, fmt.Errorf("%q is not an id of 22 base64url characters", text)
	}
	return [16]byte(b), nil
}
