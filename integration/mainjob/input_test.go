package mainjob

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
)

// lineMax keeps a line within one message.
const lineMax = 64 << 10

// makeInput writes a text of at least size bytes made of this machine's own files, each line prefixed with its number.
func makeInput(t *testing.T, path string, size int64) (lines int64) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	written := int64(0)
	var prefix []byte
	add := func(line []byte) {
		prefix = append(strconv.AppendInt(prefix[:0], lines, 10), '\t')
		w.Write(prefix)
		w.Write(line)
		w.WriteByte('\n')
		lines++
		written += int64(len(prefix) + len(line) + 1)
	}
	enough := errors.New("enough")
	for written < size { // as often as it takes
		before := written
		for _, root := range []string{runtime.GOROOT(), "/usr/share", "/usr/include", "/etc"} {
			filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
				if err != nil || !d.Type().IsRegular() {
					return nil
				}
				text, err := os.ReadFile(path)
				if err != nil || bytes.IndexByte(text, 0) >= 0 {
					return nil // no text
				}
				for line := range bytes.Lines(text) {
					if line = bytes.TrimSuffix(line, []byte("\n")); len(line) <= lineMax {
						add(line)
					}
					if written >= size {
						return enough
					}
				}
				return nil
			})
			if written >= size {
				break
			}
		}
		if written == before {
			t.Fatal("this machine has no text")
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return lines
}
