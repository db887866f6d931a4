package logstore

import (
	"iter"

	"github.com/ottla/ottla/protocol/record"
)

// batchesAtOnce is read at once by Batches.
const batchesAtOnce = 512 << 10

// Batches iterates over the whole batches from the one that contains from, with all their records below upTo and below
// Flushed, and checks their checksums. A batch is valid until the next one. It ends after an error.
func (l *Log) Batches(from, upTo int64) iter.Seq2[record.Batch, error] {
	return func(yield func(record.Batch, error) bool) {
		var buf []byte
		for offset := from; ; {
			slice, err := l.Read(offset, batchesAtOnce, upTo, true)
			if err != nil {
				yield(nil, err)
				return
			}
			if slice.Bytes == 0 {
				return
			}
			if cap(buf) < slice.Bytes {
				buf = make([]byte, slice.Bytes)
			}
			b := buf[:slice.Bytes]
			_, err = slice.Parts[0].File.ReadAt(b, slice.Parts[0].Off)
			slice.Release()
			if err != nil {
				yield(nil, l.storageError(err))
				return
			}
			for offset = slice.NextOffset; len(b) > 0; {
				var batch record.Batch
				if batch, b, err = record.Next(b); err == nil {
					err = batch.CheckCRC()
				}
				if err != nil {
					yield(nil, l.storageError(err))
					return
				}
				if !yield(batch, nil) {
					return
				}
			}
		}
	}
}
