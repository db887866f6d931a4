package logstore

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"testing"

	"github.com/ottla/ottla/logstore/vfs"
)

// kafkaDirectory unpacks what Apache Kafka 4.3.1 wrote and closed: topic c-txn, 300 transactions of ten records each,
// every third aborted, snappy.
func kafkaDirectory(t *testing.T) *vfs.Mem {
	t.Helper()
	f, err := os.Open("testdata/kafka-4.3.1.tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	mem := vfs.NewMem(nil)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return mem
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeDir {
			mem.MkdirAll(join("data", h.Name), 0o755)
			continue
		}
		data, err := io.ReadAll(r)
		if err == nil {
			err = writeFile(mem, join("data", h.Name), data, true)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestKafkaDirectory: a directory of Kafka's is served as Kafka would, after a clean stop and as after a kill with
// preallocated indexes; the indexes and the transaction index that we make are Kafka's, byte for byte.
func TestKafkaDirectory(t *testing.T) {
	const dir = "data/c-txn-0/00000000000000000000"
	original := kafkaDirectory(t)
	if found := examined(original, "data"); len(found) > 0 {
		t.Errorf("doctor: %+v", found)
	}
	for name, change := range map[string]func(fs *vfs.Mem) error{
		"clean": func(*vfs.Mem) error { return nil },
		"killed": func(fs *vfs.Mem) error {
			index, _ := readFile(fs, dir+indexExt)
			times, _ := readFile(fs, dir+timeIndexExt)
			return errors.Join(fs.Remove("data/"+cleanShutdownName),
				writeFile(fs, dir+indexExt, append(index, make([]byte, 10<<20-len(index))...), false),
				writeFile(fs, dir+timeIndexExt, append(times, make([]byte, 10<<20-4-len(times))...), false),
				writeFile(fs, "data/"+recoveryPointName, []byte("0\n0\n"), false))
		},
		"without indexes": func(fs *vfs.Mem) error {
			return errors.Join(fs.Remove(dir+indexExt), fs.Remove(dir+timeIndexExt), fs.Remove(dir+txnIndexExt),
				fs.Remove("data/"+cleanShutdownName), writeFile(fs, "data/"+recoveryPointName, []byte("0\n0\n"), false))
		},
	} {
		t.Run(name, func(t *testing.T) {
			fs := original.KillClone()
			if err := change(fs); err != nil {
				t.Fatal(err)
			}
			s := open(t, fs, "data")
			l := s.Get(TopicPartition{"c-txn", 0})
			aborted, err := l.AbortedTransactions(0, math.MaxInt64)
			if err != nil || l.Err() != nil {
				t.Fatal(err, l.Err())
			}
			offset, ms, epoch, ok, err := l.MaxTimestamp(math.MaxInt64)
			got := fmt.Sprint(s.ClusterID(), l.LogStart(), l.End(), l.HighWatermark(), l.LastStableOffset(), len(contents(t, l)),
				len(aborted), aborted[0], l.ActiveProducers(), offset, ms, epoch, ok, err)
			want := "4L6g3nShT-eMCtK--X86sw0 3300 3300 3300 3300 100 {5 0 10 11} [{5 300 -1 1795265018255 0 -1}] 3299 1795265018255 0 true <nil>"
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			closeStore(t, s)
			for _, ext := range []string{logExt, indexExt, timeIndexExt, txnIndexExt} {
				a, _ := readFile(original, dir+ext)
				b, err := readFile(fs, dir+ext)
				if err != nil || string(a) != string(b) {
					t.Errorf("%s differs from Kafka's: %d and %d bytes, %v", ext, len(b), len(a), err)
				}
			}
		})
	}
}
