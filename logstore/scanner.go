package logstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"github.com/ottla/ottla/logstore/mutant"
	"github.com/ottla/ottla/protocol/record"
)

// header is what the log needs to know of a batch: its first bytes.
type header struct {
	position   int64 // in the segment
	size       int64 // of the whole batch
	base, last int64 // offsets
	// maxTimestamp of its records; record.NoTimestamp for format v0.
	maxTimestamp int64
	leaderEpoch  int32
	// v2 are the first record.HeaderBytes of a batch of format v2, good until the scanner moves. Nil for the older
	// formats, which Kafka still serves from migrated directories.
	v2 record.Batch
}

func (h *header) end() int64 { return h.position + h.size }

// parseHeader reads the header that begins b. room is how many bytes the segment has from there; b holds the first of
// them, at least record.HeaderBytes if room allows. io.ErrUnexpectedEOF: the batch is not whole. record.ErrCorrupt:
// none begins here.
func parseHeader(b []byte, position, room int64) (h header, err error) {
	size, err := record.Peek(b)
	legacy := errors.Is(err, record.ErrLegacyFormat)
	if err != nil && !legacy {
		return h, err
	}
	if int64(size) > room {
		return h, io.ErrUnexpectedEOF
	}
	h = header{position: position, size: int64(size), leaderEpoch: record.NoLeaderEpoch, maxTimestamp: record.NoTimestamp}
	if legacy {
		h.base = int64(binary.BigEndian.Uint64(b))
		h.last = h.base // a compressed message bears the last offset of those inside
		if b[legacyAtMagic] == 1 {
			h.maxTimestamp = int64(binary.BigEndian.Uint64(b[legacyAtTimestamp:]))
		}
		return h, nil
	}
	h.v2 = record.Batch(b[:record.HeaderBytes])
	h.base, h.last, h.leaderEpoch, h.maxTimestamp = h.v2.BaseOffset(), h.v2.LastOffset(), h.v2.LeaderEpoch(), h.v2.MaxTimestamp()
	if h.base < 0 || h.last < h.base || h.v2.Count() < 0 {
		return h, fmt.Errorf("%w: offsets %d to %d, %d records", record.ErrCorrupt, h.base, h.last, h.v2.Count())
	}
	return h, nil
}

// Formats v0 and v1: offset int64 · size int32 · crc uint32 (IEEE, of what follows) · magic int8 · attributes int8 ·
// timestamp int64 (v1) · key · value.
const (
	legacyAtCRC       = 12
	legacyAtMagic     = 16
	legacyAtTimestamp = 18
)

// scanner walks over the batches of a segment. header goes from one to the next without reading what lies between,
// where that is much; verify reads everything. Get one with newScanner, give it back with done.
type scanner struct {
	file   io.ReaderAt
	next   int64 // position of the next batch
	limit  int64 // end of the segment
	window []byte
	at     int64 // position of the window
	buffer []byte
	reach  int // how much to read at once
	head   [record.HeaderBytes]byte
	read   int64        // bytes read, for events
	chain  chain        // where a walk that looks for an offset has come to
	epochs []epochEntry // memory for the chain's
}

const (
	minWindow    = 512
	maxWindow    = 64 << 10
	verifyWindow = 1 << 20
)

var (
	scanners  = sync.Pool{New: func() any { return &scanner{buffer: make([]byte, maxWindow)} }}
	verifiers = sync.Pool{New: func() any { return &scanner{buffer: make([]byte, verifyWindow)} }}
)

func newScanner(file io.ReaderAt, position, limit int64) *scanner {
	return scanners.Get().(*scanner).start(file, position, limit, minWindow)
}

// newVerifier is a scanner for a walk that mostly verifies.
func newVerifier(file io.ReaderAt, position, limit int64) *scanner {
	return verifiers.Get().(*scanner).start(file, position, limit, verifyWindow)
}

func (s *scanner) start(file io.ReaderAt, position, limit int64, reach int) *scanner {
	s.file, s.next, s.limit, s.window, s.at, s.reach, s.read = file, position, limit, nil, 0, reach, 0
	return s
}

func (s *scanner) done() {
	s.file = nil
	if len(s.buffer) == verifyWindow {
		verifiers.Put(s)
	} else {
		scanners.Put(s)
	}
}

// header is the next header, or io.EOF at the limit. After another error the scanner stays where it is.
func (s *scanner) header() (header, error) {
	h, err := s.peek()
	if err == nil {
		s.next = h.end()
	}
	return h, err
}

// verify is header for a batch whose checksum is right.
func (s *scanner) verify() (header, error) {
	h, err := s.peek()
	if err == nil {
		err = s.checkCRC(&h)
	}
	if err == nil {
		s.next = h.end()
	}
	return h, err
}

func (s *scanner) peek() (header, error) {
	if s.next >= s.limit {
		return header{}, io.EOF
	}
	room := s.limit - s.next
	if !s.holds(s.next, min(room, record.HeaderBytes)) {
		if err := s.fill(); err != nil {
			return header{}, err
		}
	}
	return parseHeader(s.window[s.next-s.at:], s.next, room)
}

func (s *scanner) holds(position, n int64) bool {
	return position >= s.at && position+n <= s.at+int64(len(s.window))
}

// fill reads a window at next: a larger one while batches are so small that many fit, a small one when the last
// window held little that was wanted. A verifier's is always whole.
func (s *scanner) fill() error {
	if s.next <= s.at+int64(len(s.window)) || len(s.buffer) == verifyWindow {
		s.reach = min(s.reach*2, len(s.buffer))
	} else {
		s.reach = minWindow
	}
	return s.load(s.next)
}

// load reads a window.
func (s *scanner) load(position int64) error {
	n := min(int64(s.reach), s.limit-position)
	s.window, s.at = s.buffer[:n], position
	s.read += n
	_, err := s.file.ReadAt(s.window, s.at)
	if err != nil {
		s.window = nil
		if errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF // the file is shorter than its segment
		}
	}
	return err
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checkCRC compares the checksum of the batch at next, whose header is h. One that the window does not hold is read in
// pieces, for which h is taken out of it.
func (s *scanner) checkCRC(h *header) error {
	const atAttributes = 21
	from, table, want := int64(legacyAtMagic), crc32.IEEETable, uint32(0)
	if h.v2 != nil {
		from, table, want = atAttributes, castagnoli, h.v2.CRC()
	} else {
		want = binary.BigEndian.Uint32(s.window[h.position-s.at+legacyAtCRC:])
	}
	if h.v2 != nil && !s.holds(h.position, h.size) {
		copy(s.head[:], h.v2)
		h.v2 = s.head[:]
	}
	got := uint32(0)
	for position := h.position + from; position < h.end(); {
		if !s.holds(position, 1) {
			s.reach = len(s.buffer)
			if err := s.load(position); err != nil {
				return err
			}
		}
		piece := s.window[position-s.at:]
		piece = piece[:min(int64(len(piece)), h.end()-position)]
		got = crc32.Update(got, table, piece)
		position += int64(len(piece))
	}
	if got != want && !mutant.Is(mutant.SkipCRC) {
		return fmt.Errorf("%w: checksum is %08x, the header says %08x", record.ErrCorrupt, got, want)
	}
	return nil
}

// readBatch reads a whole batch of format v2 into buf, which grows if need be, and checks its checksum.
func readBatch(file io.ReaderAt, h header, buf []byte) (record.Batch, error) {
	if int64(cap(buf)) < h.size {
		buf = make([]byte, h.size)
	}
	buf = buf[:h.size]
	if _, err := file.ReadAt(buf, h.position); err != nil {
		return nil, err
	}
	batch, _, err := record.Next(buf)
	if err == nil {
		err = batch.CheckCRC()
	}
	return batch, err
}
