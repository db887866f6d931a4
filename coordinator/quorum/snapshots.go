package quorum

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"

	"github.com/hashicorp/raft"

	"github.com/ottla/ottla/logstore/vfs"
)

// snapshots is raft's SnapshotStore: the newest snapshot of the image, as a file beside the log.
//
//	INDEX-TERM.image v1, big-endian, INDEX as 20 and TERM as 10 decimal digits:
//	  magic "OTTLAIMG" · version u16 · cluster id (u16 length, bytes) · index u64 · term u64
//	  · configuration index u64 · configuration (u32 length, as raft encodes it)
//	  · body (writeImage) · crc32c u32 of all before
//
// A snapshot is written under a name ending in .tmp, synced, and renamed: a file with the right name is whole. The older
// one is removed after that. So the newest name counts, and damage to it is refused: the log before it may be gone.
type snapshots struct {
	fs        vfs.FS
	dir       string
	clusterID string

	mu     sync.Mutex         // guards newest
	newest *raft.SnapshotMeta // nil for none
}

const (
	snapshotMagic   = "OTTLAIMG"
	snapshotVersion = 1
	snapshotHeadMax = 1 << 20
)

var snapshotName = regexp.MustCompile(`^[0-9]{20}-[0-9]{10}\.image$`)

// openSnapshots finds the newest snapshot and checks it whole.
func openSnapshots(fsys vfs.FS, dir, clusterID string) (*snapshots, error) {
	s := &snapshots{fs: fsys, dir: dir, clusterID: clusterID}
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	newest := ""
	for _, e := range entries {
		if snapshotName.MatchString(e.Name()) {
			newest = max(newest, e.Name())
		}
	}
	if newest == "" {
		return s, nil
	}
	if s.newest, err = s.check(newest); err != nil {
		return nil, fmt.Errorf("%s/%s %w", dir, newest, err)
	}
	return s, nil
}

// index is the last entry that the newest snapshot holds, 0 for no snapshot.
func (s *snapshots) index() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.newest == nil {
		return 0
	}
	return s.newest.Index
}

// List is the newest snapshot.
func (s *snapshots) List() ([]*raft.SnapshotMeta, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.newest == nil {
		return nil, nil
	}
	return []*raft.SnapshotMeta{s.newest}, nil
}

// Open reads a snapshot's body.
func (s *snapshots) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	meta, headBytes, err := s.head(id)
	if err != nil {
		return nil, nil, fmt.Errorf("%s/%s %w", s.dir, id, err)
	}
	f, err := s.fs.Open(s.dir + "/" + id)
	if err != nil {
		return nil, nil, err
	}
	return meta, body{io.NewSectionReader(f, headBytes, meta.Size), f}, nil
}

type body struct {
	io.Reader
	io.Closer
}

// check reads a snapshot through and compares its checksum.
func (s *snapshots) check(id string) (*raft.SnapshotMeta, error) {
	meta, headBytes, err := s.head(id)
	if err != nil {
		return nil, err
	}
	return meta, checkSum(s.fs, s.dir+"/"+id, headBytes+meta.Size)
}

// checkSum compares the checksum that stands at the end of a snapshot.
func checkSum(fsys vfs.FS, name string, end int64) error {
	f, err := fsys.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := crc32.New(castagnoli)
	if _, err := io.Copy(sum, io.NewSectionReader(f, 0, end)); err != nil {
		return err
	}
	var stored [4]byte
	if _, err := f.ReadAt(stored[:], end); err != nil {
		return err
	}
	if sum.Sum32() != binary.BigEndian.Uint32(stored[:]) {
		return errors.New("is damaged: its checksum does not match")
	}
	return nil
}

// head reads what stands before a snapshot's body, and says how long that is.
func (s *snapshots) head(id string) (*raft.SnapshotMeta, int64, error) {
	h, err := readHead(s.fs, s.dir, id)
	if err == nil && h.clusterID != s.clusterID {
		err = fmt.Errorf("belongs to cluster %s, but this is cluster %s", h.clusterID, s.clusterID)
	}
	if err != nil {
		return nil, 0, err
	}
	return h.meta, h.bytes, nil
}

// snapshotHead is what stands before a snapshot's body.
type snapshotHead struct {
	clusterID string
	meta      *raft.SnapshotMeta
	bytes     int64
}

func readHead(fsys vfs.FS, dir, id string) (h snapshotHead, err error) {
	f, err := fsys.Open(dir + "/" + id)
	if err != nil {
		return h, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return h, err
	}
	b := make([]byte, min(info.Size(), snapshotHeadMax))
	if n, err := f.ReadAt(b, 0); n < len(b) {
		return h, err
	}
	if len(b) < len(snapshotMagic)+2 || string(b[:len(snapshotMagic)]) != snapshotMagic {
		return h, errors.New("is not a snapshot of the metadata: is it damaged?")
	}
	r := reader{b[len(snapshotMagic):]}
	if v := r.uint16(); v != snapshotVersion {
		return h, fmt.Errorf("has format %d; this build knows format %d: it was written by a newer one", v, snapshotVersion)
	}
	h.clusterID = string(r.short())
	h.meta = &raft.SnapshotMeta{Version: 1, ID: id, Index: r.uint64(), Term: r.uint64(), ConfigurationIndex: r.uint64()}
	configuration := r.take(int(r.uint32()))
	if r.b == nil || info.Size() < int64(len(b)-len(r.b))+4 {
		return h, errors.New("is damaged: it ends too early")
	}
	if h.meta.Configuration, err = decodeConfiguration(configuration); err != nil {
		return h, fmt.Errorf("is damaged: %w", err)
	}
	h.bytes = int64(len(b) - len(r.b))
	h.meta.Size = info.Size() - h.bytes - 4
	return h, nil
}

// decodeConfiguration is raft's, which panics on what it did not write.
func decodeConfiguration(b []byte) (c raft.Configuration, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the voters cannot be read: %v", p)
		}
	}()
	return raft.DecodeConfiguration(b), nil
}

// Create begins a snapshot.
func (s *snapshots) Create(_ raft.SnapshotVersion, index, term uint64, configuration raft.Configuration,
	configurationIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	id := fmt.Sprintf("%020d-%010d.image", index, term)
	f, err := s.fs.OpenFile(s.dir+"/"+id+".tmp", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return nil, err
	}
	w := &snapshotWriter{store: s, file: f, sum: crc32.New(castagnoli), meta: &raft.SnapshotMeta{Version: 1, ID: id,
		Index: index, Term: term, Configuration: configuration, ConfigurationIndex: configurationIndex}}
	b := binary.BigEndian.AppendUint16([]byte(snapshotMagic), snapshotVersion)
	b = appendShort(b, []byte(s.clusterID))
	b = binary.BigEndian.AppendUint64(b, index)
	b = binary.BigEndian.AppendUint64(b, term)
	b = binary.BigEndian.AppendUint64(b, configurationIndex)
	voters := raft.EncodeConfiguration(configuration)
	b = append(binary.BigEndian.AppendUint32(b, uint32(len(voters))), voters...)
	if _, err := w.Write(b); err != nil {
		return nil, errors.Join(err, w.Cancel())
	}
	w.meta.Size = 0
	return w, nil
}

// snapshotWriter is a snapshot being written: raft's SnapshotSink.
type snapshotWriter struct {
	store  *snapshots
	file   vfs.File
	meta   *raft.SnapshotMeta
	sum    hash.Hash32
	offset int64
	ended  bool
}

func (w *snapshotWriter) ID() string { return w.meta.ID }

func (w *snapshotWriter) Write(b []byte) (int, error) {
	n, err := w.file.WriteAt(b, w.offset)
	w.sum.Write(b[:n])
	w.offset += int64(n)
	w.meta.Size += int64(n)
	return n, err
}

// Close makes the snapshot the newest, durably, and removes the older ones.
func (w *snapshotWriter) Close() error {
	if w.ended {
		return nil
	}
	w.ended = true
	_, err := w.file.WriteAt(binary.BigEndian.AppendUint32(nil, w.sum.Sum32()), w.offset)
	if err == nil {
		err = w.file.Sync()
	}
	name := w.store.dir + "/" + w.meta.ID
	if err = errors.Join(err, w.file.Close()); err != nil {
		return errors.Join(err, w.store.fs.Remove(name+".tmp"))
	}
	if err := w.store.fs.Rename(name+".tmp", name); err != nil {
		return err
	}
	if err := w.store.fs.SyncDir(w.store.dir); err != nil {
		return err
	}
	w.store.mu.Lock()
	w.store.newest = w.meta
	w.store.mu.Unlock()
	w.store.removeOlder(w.meta.ID)
	return nil
}

// Cancel gives the snapshot up.
func (w *snapshotWriter) Cancel() error {
	if w.ended {
		return nil
	}
	w.ended = true
	return errors.Join(w.file.Close(), w.store.fs.Remove(w.store.dir+"/"+w.meta.ID+".tmp"))
}

// removeOlder removes what a newer snapshot replaces, and what writers left behind. A file that stays does no harm.
func (s *snapshots) removeOlder(newest string) {
	entries, err := s.fs.ReadDir(s.dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		whole, unfinished := strings.CutSuffix(e.Name(), ".tmp")
		if snapshotName.MatchString(whole) && (unfinished || whole < newest) {
			_ = s.fs.Remove(s.dir + "/" + e.Name()) // tried again with the next snapshot
		}
	}
}
