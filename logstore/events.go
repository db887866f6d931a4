package logstore

import "time"

// Events are told what happens to the files. Every field may be nil. They are called without locks held, from whatever
// goroutine did it, and must return soon: some stand between an append and its acknowledgement.
type Events struct {
	// Opened: the store has recovered every partition and may be used.
	Opened func(dir string, logs int, clean bool, took time.Duration)
	// Created: a partition's directory was made.
	Created func(tp TopicPartition, topicID [16]byte)
	// Decided: a start found something that is not the ordinary course of things. row is one of RECOVERY.md's, do what
	// is done. tp is empty for files of the data directory itself.
	Decided func(tp TopicPartition, file, row, do, why string)
	// Recovered: a log that was not closed cleanly was read above its recovery point. bytes is how much was read.
	Recovered func(tp TopicPartition, recoveryPoint, end, bytes int64)
	// Truncated: records at or above end were cut off, and why: a torn tail at start, or a leader that has others.
	Truncated func(tp TopicPartition, end, bytes int64, why string)
	// Rolled: appends go to a new segment that begins at base.
	Rolled func(tp TopicPartition, base int64)
	// Flushed: everything below flushed is on disk.
	Flushed func(tp TopicPartition, flushed int64, took time.Duration)
	// Deleted: segments below start were given up to retention or DeleteRecords.
	Deleted func(tp TopicPartition, segments int, bytes, start int64, why string)
	// Compacted: a round of compaction has gone over the log.
	Compacted func(tp TopicPartition, stats CompactionStats)
	// Uncleanable: the log could not be compacted and is not tried again until a restart. It goes on otherwise.
	Uncleanable func(tp TopicPartition, err error)
	// Removed: a partition was deleted; its files go after file.delete.delay.ms.
	Removed func(tp TopicPartition)
	// IndexRebuilt: an index, or a producer snapshot, was missing or damaged and has been made again from the log.
	IndexRebuilt func(tp TopicPartition, file, why string)
	// Offline: the log can no longer be trusted and answers KAFKA_STORAGE_ERROR until a restart.
	Offline func(tp TopicPartition, err error)
	// DirOffline: the data directory can no longer be written or read, and none of its logs is used until a restart.
	DirOffline func(dir string, err error)
	// Lost: all data directories are offline, or the metadata log's is: nothing can be served any more. Of Dirs, once.
	Lost func(err error)
	// Damaged: bytes of a log are not what was written there. Who reads them is answered CORRUPT_MESSAGE; all else of the
	// log is served. It is told once for each place.
	Damaged func(tp TopicPartition, d Damage)
	// Scrubbed: all that is in the directory was verified once; damage was told of.
	Scrubbed func(dir string, s ScrubStats)
	// Unreadable: the disk did not give a log's records to a reader, who is answered KAFKA_STORAGE_ERROR. It is told at most
	// once a minute for each log.
	Unreadable func(tp TopicPartition, err error)
	// Moved: a partition lies in another data directory now.
	Moved func(tp TopicPartition, from, to string, bytes int64, took time.Duration)
	// MoveFailed: a partition stays where it is; the copy that was begun is given up.
	MoveFailed func(tp TopicPartition, to string, err error)
	// Foreign: a name in the data directory that is not the store's. It is left alone.
	Foreign func(path string)
	// Space: the free space went below a limit or came back above it; while it is below, it is told again every minute.
	Space func(dir string, s SpaceStatus)
	// Failed: something beside the log itself could not be written (a checkpoint, an index, a removal). It is tried
	// again with the next occasion; no record is at risk.
	Failed func(what string, err error)
}
