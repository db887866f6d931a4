package quorum

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/coordinator/record"
	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/logstore/vfs"
)

// lived is a file system on which a node has lived: a snapshot with entries after it.
func lived(t testing.TB) *vfs.Mem {
	t.Helper()
	mem := newMem()
	n := mustOpen(t, mem)
	n.start()
	n.create("before", 2)
	if err := n.raft.Snapshot().Error(); err != nil {
		t.Fatal(err)
	}
	for k := range 5 {
		n.create(fmt.Sprint("after", k), 2)
	}
	if err := n.end(); err != nil {
		t.Fatal(err)
	}
	return mem
}

func readAll(t testing.TB, fsys vfs.FS, name string) []byte {
	t.Helper()
	data, err := readFile(fsys, name, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func overwrite(t testing.TB, fsys vfs.FS, name string, data []byte) {
	t.Helper()
	f, err := fsys.OpenFile(name, 2 /* O_RDWR */, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(data, 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(int64(len(data))); err != nil {
		t.Fatal(err)
	}
	f.Close()
}

// sealed makes the checksum at the end of a file fit again.
func sealed(data []byte) []byte {
	data = bytes.Clone(data)
	body := data[:len(data)-4]
	binary.BigEndian.PutUint32(data[len(data)-4:], crc32.Checksum(body, castagnoli))
	return data
}

// TestDamage: a node whose files are damaged, of a newer format or of another cluster does not start, says which file it
// is, and leaves the file as it was.
func TestDamage(t *testing.T) {
	flip := func(at int) func([]byte) []byte {
		return func(b []byte) []byte { b = bytes.Clone(b); b[(at+len(b))%len(b)] ^= 0x40; return b }
	}
	cut := func(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:len(b)-n] } }
	version := func(b []byte) []byte { b = bytes.Clone(b); b[9] = 2; return sealed(b) }
	other := func(b []byte) []byte { // another letter in the cluster id, which comes after magic, version and length
		b = bytes.Clone(b)
		b[12] ^= 1
		return sealed(b)
	}
	for _, c := range []struct {
		name, file string
		edit       func([]byte) []byte
		says       []string
	}{
		{"state flipped", "quorum-state", flip(30), []string{"quorum-state", "checksum"}},
		{"state cut", "quorum-state", cut(1), []string{"quorum-state"}},
		{"state empty", "quorum-state", func([]byte) []byte { return nil }, []string{"quorum-state"}},
		{"state of something else", "quorum-state", func(b []byte) []byte { return []byte("{\"clusterId\":\"x\",\"data_version\":1}") }, []string{"quorum-state"}},
		{"state newer", "quorum-state", version, []string{"quorum-state", "format 2", "format 1"}},
		{"state of another cluster", "quorum-state", other, []string{"quorum-state", "belongs to cluster"}},
		{"snapshot flipped", ".image", flip(-50), []string{".image", "checksum"}},
		{"snapshot cut", ".image", cut(7), []string{".image"}},
		{"snapshot empty", ".image", func([]byte) []byte { return nil }, []string{".image"}},
		{"snapshot newer", ".image", version, []string{".image", "format 2", "format 1"}},
		{"snapshot of another cluster", ".image", other, []string{".image", "belongs to cluster"}},
		{"log flipped early", ".log", flip(700), []string{"__cluster_metadata-0"}},
		{"log flipped late", ".log", flip(-40), []string{"__cluster_metadata-0"}},
		{"log cut", ".log", cut(40), []string{"__cluster_metadata-0"}},
		{"log empty", ".log", func([]byte) []byte { return nil }, []string{"__cluster_metadata-0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			mem := lived(t)
			name := fileNames(t, mem, c.file)[0]
			overwrite(t, mem, name, c.edit(readAll(t, mem, name)))
			damaged := contents(t, mem)
			n, err := openNode(mem)
			if err == nil {
				n.end()
				t.Fatal("it starts")
			}
			for _, want := range c.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in %q", want, err)
				}
			}
			if after := contents(t, mem); after != damaged {
				t.Errorf("the refusal changed files:\n%s\nwere\n%s", after, damaged)
			}
		})
	}
}

// contents is a checksum of every file of the metadata log that holds something of ours.
func contents(t testing.TB, fsys vfs.FS) string {
	var out strings.Builder
	for _, ending := range []string{"quorum-state", ".image", ".log"} {
		for _, name := range fileNames(t, fsys, ending) {
			data := readAll(t, fsys, name)
			fmt.Fprintf(&out, "%s %d %08x\n", name, len(data), crc32.ChecksumIEEE(data))
		}
	}
	return out.String()
}

// TestUnservable: entries that this build cannot apply, and features that it does not serve, are refused before raft writes
// anything.
func TestUnservable(t *testing.T) {
	for name, c := range map[string]struct {
		data []byte
		says string
	}{
		"newer entry":   {[]byte{2, 0, 0, 0, 0, 0, 0, 0, 0}, "format 2"},
		"short entry":   {[]byte{1, 2}, "2 bytes"},
		"newer feature": {entry{records: []cluster.Record{&record.FeatureLevelRecord{Name: cluster.MetadataVersion, FeatureLevel: 31}}}.encode(), "level 31"},
		"other feature": {entry{records: []cluster.Record{&record.FeatureLevelRecord{Name: "share.version", FeatureLevel: 1}}}.encode(), "share.version"},
		"contradiction": {entry{records: []cluster.Record{&record.RemoveTopicRecord{TopicID: [16]byte{1}}}}.encode(), "no topic"},
	} {
		t.Run(name, func(t *testing.T) {
			mem := newMem()
			n := mustOpen(t, mem)
			n.start()
			last, _ := n.logs.LastIndex()
			offset := n.Image().Offset()
			n.Close()
			if len(c.data) > 9 {
				binary.BigEndian.PutUint64(c.data[1:], uint64(offset))
			}
			if err := n.logs.StoreLog(&raft.Log{Index: last + 1, Term: uint64(n.Term()), Type: raft.LogCommand, Data: c.data}); err != nil {
				t.Fatal(err)
			}
			n.store.Close()
			before := contents(t, mem)
			again, err := openNode(mem)
			if err == nil {
				again.end()
				t.Fatal("it starts")
			}
			if !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), fmt.Sprint(last+1)) && name != "newer feature" && name != "other feature" {
				t.Errorf("%v", err)
			}
			if after := contents(t, mem); after != before {
				t.Errorf("the refusal changed files:\n%s\nwere\n%s", after, before)
			}
		})
	}
}

// TestMissingEntries: a log that begins after the entry that follows the snapshot has lost entries.
func TestMissingEntries(t *testing.T) {
	mem := lived(t)
	if err := mem.Remove(fileNames(t, mem, ".image")[0]); err != nil {
		t.Fatal(err)
	}
	n := mustOpen(t, mem) // the log still has everything
	first, _ := n.logs.FirstIndex()
	n.Close()
	n.logs.log.SetHighWatermark(n.logs.log.End())
	if err := n.logs.log.AdvanceLogStart(int64(first) + 3); err != nil {
		t.Fatal(err)
	}
	n.store.Close()
	if again, err := openNode(mem); err == nil || !strings.Contains(err.Error(), "missing") {
		if again != nil {
			again.end()
		}
		t.Errorf("got %v", err)
	}
}

// TestLogStore holds entries to what raft expects of a LogStore.
func TestLogStore(t *testing.T) {
	mem := newMem()
	open := func() (*entries, *logstore.Store) {
		store, err := logstore.Open(testDir, logstore.Options{FS: mem, NodeID: 1})
		if err != nil {
			t.Fatal(err)
		}
		e, err := openEntries(store, testNow)
		if err != nil {
			t.Fatal(err)
		}
		e.state = &stateFile{}
		return e, store
	}
	e, store := open()
	bounds := func(first, last uint64) {
		t.Helper()
		f, _ := e.FirstIndex()
		l, _ := e.LastIndex()
		if f != first || l != last {
			t.Errorf("entries %d to %d, want %d to %d", f, l, first, last)
		}
	}
	bounds(0, 0)
	var logs []*raft.Log
	for index := uint64(1); index <= 9; index++ {
		l := &raft.Log{Index: index, Term: 1 + index/4, Type: raft.LogType(index % 6), AppendedAt: testNow()}
		if index%2 == 0 {
			l.Data, l.Extensions = bytes.Repeat([]byte{byte(index)}, int(index)*100), []byte("ext")
		}
		logs = append(logs, l)
	}
	if err := e.StoreLogs(logs); err != nil {
		t.Fatal(err)
	}
	check := func(from, to uint64) {
		t.Helper()
		bounds(from, to)
		for index := from; index <= to; index++ {
			var l raft.Log
			want := logs[index-1]
			if err := e.GetLog(index, &l); err != nil || l.Index != want.Index || l.Term != want.Term || l.Type != want.Type ||
				!bytes.Equal(l.Data, want.Data) || !bytes.Equal(l.Extensions, want.Extensions) || !l.AppendedAt.Equal(want.AppendedAt) {
				t.Errorf("entry %d: %+v %v, want %+v", index, l, err, *want)
			}
		}
		for _, index := range []uint64{from - 1, to + 1} {
			if err := e.GetLog(index, new(raft.Log)); err != raft.ErrLogNotFound {
				t.Errorf("entry %d: %v", index, err)
			}
		}
	}
	check(1, 9)
	reopen := func() {
		t.Helper()
		e.state = &stateFile{}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		e, store = open()
	}
	reopen()
	check(1, 9)
	if err := e.DeleteRange(8, 9); err != nil {
		t.Fatal(err)
	}
	check(1, 7)
	if err := e.DeleteRange(1, 3); err != nil {
		t.Fatal(err)
	}
	check(4, 7)
	if err := e.DeleteRange(5, 6); err == nil {
		t.Error("a hole was made")
	}
	reopen()
	check(4, 7)
	e.replayed()
	check(4, 7)
	logs[7] = &raft.Log{Index: 8, Term: 9, AppendedAt: testNow()}
	if err := e.StoreLog(logs[7]); err != nil {
		t.Fatal(err)
	}
	check(4, 8)
	if err := e.DeleteRange(4, 8); err != nil {
		t.Fatal(err)
	}
	bounds(0, 0)
	if err := e.StoreLog(logs[8]); err != nil {
		t.Fatal(err)
	}
	check(9, 9)
	if err := e.StoreLog(&raft.Log{Index: 11, Term: 9}); err == nil {
		t.Error("a gap was stored")
	}
	if err := e.StoreLog(&raft.Log{Index: 10, Term: 9}); err == nil {
		t.Error("goes on after a failure")
	}
	store.Close()
}

func FuzzDecodeEntry(f *testing.F) {
	f.Add(entry{after: 7, records: cluster.Bootstrap()}.encode())
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := decodeEntry(b)
		if err != nil {
			return
		}
		again, err := decodeEntry(e.encode())
		if err != nil || len(again.records) != len(e.records) || again.after != e.after {
			t.Errorf("%v", err)
		}
	})
}

func FuzzReadImage(f *testing.F) {
	image, _, _ := cluster.Empty().Apply(3, 1, cluster.Bootstrap())
	var b bytes.Buffer
	writeImage(&b, image)
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		image, _, err := readImage(bytes.NewReader(b))
		if err != nil {
			return
		}
		if _, err := writeImage(io.Discard, image); err != nil {
			t.Error(err)
		}
	})
}

func FuzzStateFile(f *testing.F) {
	s := stateFile{who: identity{"c", 1}, values: map[string][]byte{"CurrentTerm": {1}, "x": nil}}
	f.Add(s.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		got := stateFile{who: s.who, values: map[string][]byte{}}
		if got.decode(b) == nil && !bytes.Equal(got.encode(), b) && len(got.values) > 0 {
			again := stateFile{who: s.who, values: map[string][]byte{}}
			if err := again.decode(got.encode()); err != nil {
				t.Error(err)
			}
		}
	})
}
