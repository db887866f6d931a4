package logstore

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
	"github.com/ottla/ottla/protocol"
)

func dirsOptions(fs vfs.FS) Options { return Options{FS: fs, NodeID: 1} }

func openDirs(t testing.TB, fs vfs.FS, paths ...string) *Dirs {
	t.Helper()
	d, err := OpenDirs(paths, "", dirsOptions(fs))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func closeDirs(t testing.TB, d *Dirs) {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

// put makes a partition of topic t.
func put(t testing.TB, d *Dirs, partition int32, a Assignment) *Log {
	t.Helper()
	l, err := d.Create(TopicPartition{"t", partition}, [16]byte{1}, DefaultLogConfig(), a)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func addFlushed(t testing.TB, l *Log) {
	t.Helper()
	add(t, l, batch(1, 1, 10))
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
}

func TestPartitionsGoWhereFewestAre(t *testing.T) {
	d := openDirs(t, vfs.NewMem(time.Now), "/a", "/b", "/c")
	defer closeDirs(t, d)
	var homes []string
	place := func(n int32, a Assignment) { homes = append(homes, put(t, d, n, a).DataDir()) }
	for n := range int32(4) {
		place(n, Assignment{New: true})
	}
	d.Cordon([]string{"/b", "/c"})
	place(4, Assignment{New: true})
	place(5, Assignment{New: true})
	d.Cordon([]string{"/a", "/b", "/c"}) // it has to go somewhere
	place(6, Assignment{New: true})
	d.Cordon(nil)
	place(7, Assignment{New: true})
	if err := d.Delete(TopicPartition{"t", 0}); err != nil {
		t.Fatal(err)
	}
	place(8, Assignment{Dir: d.DirectoryIDs()[0]})
	place(1, Assignment{Dir: d.DirectoryIDs()[0]}) // is in another, whatever the metadata says
	if got := strings.Join(homes, " "); got != "/a /b /c /a /a /a /b /c /a /b" {
		t.Error(got)
	}
	if len(d.All()) != 8 || !slices.IsSortedFunc(d.All(), func(a, b *Log) int { return compareTopicPartitions(a.tp, b.tp) }) {
		t.Error(len(d.All()))
	}
}

func TestDirsSurviveARestart(t *testing.T) {
	mem := vfs.NewMem(time.Now)
	d := openDirs(t, mem, "/a", "/b")
	id, ids := d.ClusterID(), d.DirectoryIDs()
	if id == "" || ids[0] == ids[1] || d.dirs[1].store.ClusterID() != id {
		t.Fatal(id, ids)
	}
	for n := range int32(6) {
		addFlushed(t, put(t, d, n, Assignment{New: true}))
	}
	closeDirs(t, d)
	d = openDirs(t, mem, "/a", "/b", "/c") // a disk more
	if d.ClusterID() != id || !slices.Equal(d.DirectoryIDs()[:2], ids) || len(d.DirectoryIDs()) != 3 {
		t.Error(d.ClusterID(), d.DirectoryIDs())
	}
	for n := range int32(6) {
		if l := put(t, d, n, Assignment{}); l.End() != 1 || l.DataDir() == "/c" {
			t.Error(n, l.DataDir(), l.End())
		}
	}
	closeDirs(t, d)
}

func TestRefusedDirsAreNotTouched(t *testing.T) {
	fresh := func() *vfs.Mem {
		mem := vfs.NewMem(time.Now)
		d := openDirs(t, mem, "/a", "/b")
		for n := range int32(4) {
			addFlushed(t, put(t, d, n, Assignment{New: true}))
		}
		closeDirs(t, d)
		return mem
	}
	copyFile := func(mem *vfs.Mem, from, to string) {
		data, err := readFile(mem, from)
		if err == nil {
			err = writeFile(mem, to, data, true)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name     string
		damage   func(mem *vfs.Mem)
		paths    []string
		metadata string
		want     []string
	}{
		{"another cluster", func(mem *vfs.Mem) { closeStore(t, open(t, mem, "/c")) }, []string{"/a", "/c"}, "", []string{"/a", "/c", "cannot be used together"}},
		{"another node", func(mem *vfs.Mem) { closeStore(t, open(t, mem, "/c", func(o *Options) { o.NodeID = 2 })) }, []string{"/a", "/c"}, "", []string{"/c", "node 2"}},
		{"a copy", func(mem *vfs.Mem) {
			copyFile(mem, "/a/meta.properties", "/b/meta.properties")
		}, []string{"/a", "/b"}, "", []string{"/a and /b", "directory.id"}},
		{"a partition twice", func(mem *vfs.Mem) {
			_ = mem.MkdirAll("/b/t-0", 0o755)
			copyFile(mem, "/a/t-0/00000000000000000000.log", "/b/t-0/00000000000000000000.log")
		}, []string{"/a", "/b"}, "", []string{"t-0 is in /a and in /b", "nothing was changed"}},
		{"another process", func(mem *vfs.Mem) { _, _ = mem.Lock("/b/.lock") }, []string{"/a", "/b"}, "", []string{"/b is in use by another process"}},
		{"a newer version", func(mem *vfs.Mem) { _ = writeFile(mem, "/b/meta.properties", []byte("version=2\n"), true) }, []string{"/a", "/b"}, "", []string{"/b/meta.properties", "version 2"}},
		{"no meta.properties", func(mem *vfs.Mem) { _ = mem.Remove("/b/meta.properties") }, []string{"/a", "/b"}, "", []string{"/b/meta.properties is missing", "2 partitions"}},
		{"metadata elsewhere", func(mem *vfs.Mem) { _ = mem.MkdirAll("/a/__cluster_metadata-0", 0o755) }, []string{"/a", "/b"}, "/b", []string{"set metadata.log.dir=/a"}},
		{"metadata in a new directory", func(mem *vfs.Mem) {}, []string{"/a", "/b"}, "/m", []string{"/m", "is empty", "4 partitions"}},
		{"the first directory was emptied", func(mem *vfs.Mem) { _ = mem.RemoveAll("/a") }, []string{"/a", "/b"}, "", []string{"/a", "is empty", "2 partitions"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			mem := fresh()
			c.damage(mem)
			changes := 0
			fs := errorfs.New(mem)
			fs.OnOp(func(op errorfs.Op) {
				if op.Changes() && !strings.HasSuffix(op.Name, lockName) && op.Kind != errorfs.Open && op.Kind != errorfs.Mkdir && op.Kind != errorfs.SyncDir {
					t.Errorf("%s", op)
					changes++
				}
			})
			d, err := OpenDirs(c.paths, c.metadata, dirsOptions(fs))
			if err == nil {
				_ = d.Close()
				t.Fatal("opened")
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v lacks %q", err, part)
				}
			}
			for _, path := range []string{"/a", "/b"} { // and the locks are free again
				if lock, err := mem.Lock(path + "/.lock"); err == nil {
					lock.Close()
				} else if c.name != "another process" || path != "/b" {
					t.Error(err)
				}
			}
		})
	}
}

// A directory that cannot be opened is offline, and what may be in it is not made anew in another.
func TestAnOfflineDirAtStart(t *testing.T) {
	mem := vfs.NewMem(time.Now)
	d := openDirs(t, mem, "/a", "/b")
	ids := d.DirectoryIDs()
	for n := range int32(4) {
		addFlushed(t, put(t, d, n, Assignment{New: true}))
	}
	closeDirs(t, d)
	for _, rule := range []string{"any of /b/* -> EIO", "open of /b/meta.properties -> EACCES", "list of /b -> EIO", "lock of /b/* -> EROFS",
		"remove of /b/.kafka_cleanshutdown -> EROFS", "read of /b/recovery-point-offset-checkpoint -> EIO"} {
		t.Run(rule, func(t *testing.T) {
			fs := errorfs.New(mem.CrashClone(nil, 0), rule)
			d := openDirs(t, fs, "/a", "/b")
			if d.dirs[0].Err() != nil || d.dirs[1].Err() == nil || len(d.DirectoryIDs()) != 1 || d.Err() != nil {
				t.Fatal(d.dirs[0].Err(), d.dirs[1].Err())
			}
			for n, c := range []struct {
				a  Assignment
				ok bool
			}{
				{Assignment{Dir: ids[0]}, true},  // 0: there
				{Assignment{Dir: ids[1]}, false}, // 1: in the other
				{Assignment{}, true},             // 2: there
				{Assignment{}, false},            // 3: nobody knows
				{Assignment{}, false},            // 4: was never there, and nobody knows
				{Assignment{New: true}, true},
				{Assignment{Dir: ids[0]}, true}, // it was there, but nothing of it was ever durable
			} {
				l, err := d.Create(TopicPartition{"t", int32(n)}, [16]byte{1}, DefaultLogConfig(), c.a)
				if ok := err == nil; ok != c.ok || ok && l.DataDir() != "/a" || !ok && protocol.CodeOf(err) != protocol.KafkaStorageError {
					t.Errorf("partition %d: %v", n, err)
				}
			}
			closeDirs(t, d)
		})
	}
	for _, rule := range []string{"any of /a/* -> EIO", "any of */* -> EIO"} { // the metadata log's, or all
		if _, err := OpenDirs([]string{"/a", "/b"}, "", dirsOptions(errorfs.New(mem, rule))); err == nil {
			t.Error(rule)
		}
	}
}

// observed are the events of directories, as a text.
type observed struct {
	mu                    sync.Mutex
	offline, fallen, lost []string
}

func (o *observed) note(into *[]string, what string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	*into = append(*into, what)
}

func (o *observed) events() Events {
	return Events{
		Offline:    func(tp TopicPartition, _ error) { o.note(&o.offline, tp.String()) },
		DirOffline: func(dir string, _ error) { o.note(&o.fallen, dir) },
		Lost:       func(err error) { o.note(&o.lost, err.Error()) },
	}
}

func (o *observed) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	slices.Sort(o.offline)
	slices.Sort(o.fallen)
	return fmt.Sprintf("partitions %v dirs %v lost %d", o.offline, o.fallen, len(o.lost))
}

// An error takes its partition offline; only if the disk itself does not answer the whole directory.
func TestWhatAFailureTakesOffline(t *testing.T) {
	for _, c := range []struct{ name, rule, want string }{
		{"one file", "write of /b/t-1/*.log -> EIO", "partitions [t-1] dirs [] lost 0"},
		{"one sync", "sync of /b/t-1/*.log -> EIO", "partitions [t-1] dirs [] lost 0"},
		{"a disk that fails", "any of /b/* -> EIO|any of /b/*/* -> EIO", "partitions [t-1] dirs [/b] lost 0"},
		{"a disk that is read-only", "write of /b/*/* -> EROFS|open of /b/* -> EROFS", "partitions [t-1] dirs [/b] lost 0"},
		{"a disk that forgets", "write of /b/t-1/*.log -> EIO|read of /b/disk-probe -> EIO", "partitions [t-1] dirs [/b] lost 0"},
		{"checkpoints only", "open of /b/recovery-point-offset-checkpoint* -> EROFS", "partitions [] dirs [] lost 0"},
		{"checkpoints first", "any of /b/* -> EROFS", "partitions [] dirs [/b] lost 0"},
		{"a full disk", "write of /b/*/* -> ENOSPC|write of /b/* -> ENOSPC", "partitions [] dirs [] lost 0"},
		{"no descriptors", "open of /b/*/* -> EMFILE|open of /b/* -> EMFILE", "partitions [] dirs [] lost 0"},
		{"the metadata log's disk", "any of /a/* -> EIO|any of /a/*/* -> EIO", "partitions [t-0] dirs [/a] lost 1"},
		{"all disks", "any of /*/* -> EIO|any of /*/*/* -> EIO", "partitions [t-0 t-1] dirs [/a /b] lost 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var seen observed
				mem := vfs.NewMem(time.Now)
				fs := errorfs.New(mem)
				o := dirsOptions(fs)
				o.Events = seen.events()
				d, err := OpenDirs([]string{"/a", "/b"}, "", o)
				if err != nil {
					t.Fatal(err)
				}
				for n := range int32(4) {
					addFlushed(t, put(t, d, n, Assignment{New: true}))
				}
				fs.Add(strings.Split(c.rule, "|")...)
				for _, n := range []int32{0, 1} {
					l := d.Get(TopicPartition{"t", n})
					_, err := l.Append(batch(1, 1, 10), AppendOptions{})
					if err = errors.Join(err, l.Flush()); err != nil && protocol.CodeOf(l.storageError(err)) != protocol.KafkaStorageError {
						t.Error(err)
					}
					synctest.Wait()
				}
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if seen.String() != c.want {
					t.Errorf("%s, want %s", seen.String(), c.want)
				}
				for _, l := range d.All() { // all of a fallen directory answer alike, and no other
					_, n := l.tp, l.tp.Partition
					fallen := slices.Contains(seen.fallen, l.DataDir()) || slices.Contains(seen.offline, l.tp.String())
					if (l.Err() != nil) != fallen {
						t.Errorf("%d: %v", n, l.Err())
					}
				}
				if (d.Err() != nil) != (len(seen.lost) > 0) {
					t.Error(d.Err())
				}
				fs.Clear()
				if len(seen.fallen) == 0 && len(seen.offline) == 0 {
					closeDirs(t, d)
				} else {
					_ = d.Close()
				}
				d = openDirs(t, mem, "/a", "/b")
				for _, l := range d.All() { // what was acknowledged is there
					if l.Err() != nil || l.End() < 1 {
						t.Error(l.tp, l.End(), l.Err())
					}
				}
				closeDirs(t, d)
			})
		})
	}
}

func TestASecondProcessIsRefusedInAnyDir(t *testing.T) {
	dir := t.TempDir()
	a, b, c := dir+"/a", dir+"/b", dir+"/c"
	d := openDirs(t, vfs.OS(), a, b)
	defer closeDirs(t, d)
	for _, paths := range [][]string{{a, b}, {b, a}, {b}, {c, b}} {
		if _, err := OpenDirs(paths, "", dirsOptions(vfs.OS())); err == nil || !strings.Contains(err.Error(), "another process") {
			t.Errorf("%v: %v", paths, err)
		}
	}
	if _, err := os.Stat(c + "/meta.properties"); err == nil {
		t.Error("a directory was claimed beside one that is taken")
	}
}
