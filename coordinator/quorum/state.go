package quorum

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/ottla/ottla/logstore/vfs"
)

// identity is whose metadata log a directory holds.
type identity struct {
	ClusterID string
	NodeID    int32
}

// stateFile is raft's StableStore: its term and its vote, which must not be forgotten, in one small file that is replaced
// whole. It also says whose log it is: a directory put together from two clusters' is refused.
//
//	quorum-state v1, big-endian: magic "OTTLAQST" · version u16 · cluster id (u16 length, bytes) · node id i32
//	  · count u16 · count × { key (u16 length, bytes) · value (u16 length, bytes) }, by key · crc32c u32 of all before
type stateFile struct {
	fs   vfs.FS
	dir  string
	name string
	who  identity

	mu     sync.Mutex // guards the fields below and the file
	values map[string][]byte
	// failed is the first failure to write. A term or a vote that may be forgotten must not be acted on: every further Set is
	// answered with it, and so is every entry (entries.StoreLogs).
	failed error
}

const (
	stateMagic    = "OTTLAQST"
	stateVersion  = 1
	stateBytesMax = 64 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errNotFound is raft's word for a key that was never set: it compares the text.
var errNotFound = errors.New("not found")

// openStateFile reads the state file of a directory; one that is not there is that of a new log.
func openStateFile(fsys vfs.FS, dir string, who identity) (*stateFile, error) {
	s := &stateFile{fs: fsys, dir: dir, name: dir + "/" + StateName, who: who, values: map[string][]byte{}}
	data, err := readFile(fsys, s.name, stateBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	if err := s.decode(data); err != nil {
		return nil, fmt.Errorf("%s %w", s.name, err)
	}
	return s, nil
}

func (s *stateFile) encode() []byte {
	b := binary.BigEndian.AppendUint16([]byte(stateMagic), stateVersion)
	b = appendShort(b, []byte(s.who.ClusterID))
	b = binary.BigEndian.AppendUint32(b, uint32(s.who.NodeID))
	b = binary.BigEndian.AppendUint16(b, uint16(len(s.values)))
	for _, key := range slices.Sorted(maps.Keys(s.values)) {
		b = appendShort(b, []byte(key))
		b = appendShort(b, s.values[key])
	}
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func (s *stateFile) decode(data []byte) error {
	found, values, err := parseState(data)
	if err != nil {
		return err
	}
	if found != s.who {
		return fmt.Errorf("belongs to cluster %s node %d, but this is cluster %s node %d",
			found.ClusterID, found.NodeID, s.who.ClusterID, s.who.NodeID)
	}
	s.values = values
	return nil
}

func parseState(data []byte) (who identity, values map[string][]byte, err error) {
	if len(data) < len(stateMagic)+6 || string(data[:len(stateMagic)]) != stateMagic {
		return who, nil, errors.New("is not a quorum-state file: is it damaged?")
	}
	body, sum := data[:len(data)-4], binary.BigEndian.Uint32(data[len(data)-4:])
	if v := binary.BigEndian.Uint16(body[len(stateMagic):]); v != stateVersion {
		return who, nil, fmt.Errorf("has format %d; this build knows format %d: it was written by a newer one", v, stateVersion)
	}
	if crc32.Checksum(body, castagnoli) != sum {
		return who, nil, errors.New("is damaged: its checksum does not match")
	}
	r := reader{body[len(stateMagic)+2:]}
	who = identity{ClusterID: string(r.short()), NodeID: int32(r.uint32())}
	values = map[string][]byte{}
	for range r.uint16() {
		key := string(r.short())
		values[key] = slices.Clone(r.short())
	}
	if r.b == nil {
		return who, nil, errors.New("is damaged: it ends too early")
	}
	return who, values, nil
}

// Set sets a value, durably.
func (s *stateFile) Set(key, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return s.failed
	}
	if old, ok := s.values[string(key)]; ok && slices.Equal(old, value) {
		return nil
	}
	s.values[string(key)] = slices.Clone(value)
	s.failed = replaceFile(s.fs, s.dir, s.name, s.encode())
	return s.failed
}

// failure is why nothing can be written any more, nil while it can.
func (s *stateFile) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// Get is a value; one that was never set is an error with the text "not found", as raft expects.
func (s *stateFile) Get(key []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, ok := s.values[string(key)]
	if !ok {
		return nil, errNotFound
	}
	return value, nil
}

// SetUint64 sets a number, durably. Raft panics when it cannot save a term, so it is not told: it will neither vote in that
// term, since the vote cannot be saved either, nor append an entry.
func (s *stateFile) SetUint64(key []byte, value uint64) error {
	err := s.Set(key, binary.BigEndian.AppendUint64(nil, value))
	if string(key) == currentTerm {
		return nil
	}
	return err
}

// currentTerm is raft's key for its term.
const currentTerm = "CurrentTerm"

// GetUint64 is a number.
func (s *stateFile) GetUint64(key []byte) (uint64, error) {
	value, err := s.Get(key)
	if err != nil {
		return 0, err
	}
	if len(value) != 8 {
		return 0, fmt.Errorf("%s: %s is not a number", s.name, key)
	}
	return binary.BigEndian.Uint64(value), nil
}

func appendShort(b, v []byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(v))), v...)
}

// reader reads fields off b; past the end it gives zeros and b is nil from then on.
type reader struct{ b []byte }

func (r *reader) take(n int) []byte {
	if r.b == nil || n > len(r.b) {
		r.b = nil
		return make([]byte, min(n, 8))
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) uint16() uint16 { return binary.BigEndian.Uint16(r.take(2)) }
func (r *reader) uint32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }
func (r *reader) uint64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }
func (r *reader) short() []byte  { return r.take(int(r.uint16())) }

// replaceFile makes data the content of a file: after a crash it is the old one or the new one, whole.
func replaceFile(fsys vfs.FS, dir, name string, data []byte) error {
	temporary := name + ".tmp"
	f, err := fsys.OpenFile(temporary, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := fsys.Rename(temporary, name); err != nil {
		return err
	}
	return fsys.SyncDir(dir)
}

// readFile reads a file that is no larger than max.
func readFile(fsys vfs.FS, name string, max int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > max {
		return nil, fmt.Errorf("%s has %d bytes, more than the %d it can have", name, info.Size(), max)
	}
	data := make([]byte, info.Size())
	if n, err := f.ReadAt(data, 0); n < len(data) {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}
