package logstore

import "github.com/ottla/ottla/protocol"

// Slice is whole batches by reference. The files stay open, and their bytes in place, until Release.
type Slice struct {
	Parts       []protocol.Part // ranges of segment files; at most one today
	Bytes       int
	FirstOffset int64 // base offset of the first batch; it may lie below the offset asked for
	NextOffset  int64 // one past the last offset: where to read on
}

// Release lets go of the files. It is called exactly once, by whoever has the slice last; an empty slice needs none.
func (s *Slice) Release() { panic("soon") }

// Read returns the batches from the one that contains offset, whole, up to maxBytes, with all their records below upTo.
// With minOne the first is returned even if it is larger than maxBytes. At upTo, and where no batch fits, the slice is
// empty. One call reads from one segment: there may be more right after NextOffset.
//
// Errors: OffsetOutOfRange outside [LogStart, End]; KafkaStorageError offline or for bytes that cannot be a batch.
func (l *Log) Read(offset int64, maxBytes int, upTo int64, minOne bool) (Slice, error) { panic("soon") }
