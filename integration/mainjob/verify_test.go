package mainjob

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// delivery is one record in a member's file.
type delivery struct {
	member   int   // whose
	position int64 // of its value in the file
	length   int32
	sum      uint32 // crc32 of the value
}

// partitionRead is all that was read of one partition.
type partitionRead struct {
	files   []*os.File // of each member, nil where it read nothing of this partition
	at      []delivery // by offset; length -1 where nothing was read
	again   int64      // deliveries of what had been delivered before
	window  []byte     // what was last read of a file
	of      int        // and of whose
	windows int64      // and where
}

// indexPartition reads where each record of a partition is. The first delivery counts; a second one must be equal.
func indexPartition(members []string, partition int32) (*partitionRead, error) {
	r := &partitionRead{of: -1}
	for m, folder := range members {
		f, err := os.Open(filepath.Join(folder, fmt.Sprintf("%d.records", partition)))
		if os.IsNotExist(err) {
			r.files = append(r.files, nil)
			continue
		}
		if err != nil {
			return nil, err
		}
		r.files = append(r.files, f)
		if err := r.index(m, f); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name(), err)
		}
	}
	for offset, d := range r.at {
		if d.length < 0 {
			return nil, fmt.Errorf("partition %d: offset %d of %d was never read", partition, offset, len(r.at))
		}
	}
	return r, nil
}

func (r *partitionRead) index(member int, f *os.File) error {
	in := bufio.NewReaderSize(f, 1<<20)
	position := int64(0)
	var head [12]byte
	var value []byte
	for {
		if n, _ := io.ReadFull(in, head[:]); n < len(head) {
			return nil // a killed member may leave half a record: it did not commit it
		}
		offset, length := int64(binary.BigEndian.Uint64(head[:])), int32(binary.BigEndian.Uint32(head[8:]))
		position += int64(len(head))
		value = slices.Grow(value[:0], int(length))[:length]
		if n, _ := io.ReadFull(in, value); n < len(value) {
			return nil
		}
		sum := crc32.ChecksumIEEE(value)
		for int64(len(r.at)) <= offset {
			r.at = append(r.at, delivery{length: -1})
		}
		if r.at[offset].length >= 0 {
			r.again++
			if r.at[offset].length != length || r.at[offset].sum != sum {
				return fmt.Errorf("offset %d was read twice, and differently", offset)
			}
		} else {
			r.at[offset] = delivery{member, position, length, sum}
		}
		position += int64(length)
	}
}

// value reads the record at an offset. Neighbours are mostly neighbours in the file.
func (r *partitionRead) value(offset int64) ([]byte, error) {
	d := r.at[offset]
	from := d.position - r.windows
	if d.member != r.of || from < 0 || from+int64(d.length) > int64(len(r.window)) {
		if r.window == nil {
			r.window = make([]byte, 4<<20)
		}
		r.window = r.window[:cap(r.window)]
		n, err := r.files[d.member].ReadAt(r.window, d.position)
		if err != nil && err != io.EOF {
			return nil, err
		}
		r.window, r.of, r.windows, from = r.window[:n], d.member, d.position, 0
	}
	return r.window[from : from+int64(d.length)], nil
}

// verify merges what was read of all partitions by line number, and compares it with the input. It returns the number of
// re-deliveries.
func verify(input string, members []string, partitions int32) (again int64, err error) {
	var parts []*partitionRead
	for p := range partitions {
		r, err := indexPartition(members, p)
		if err != nil {
			return 0, err
		}
		parts = append(parts, r)
		again += r.again
	}
	f, err := os.Open(input)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<20)
	m, err := newMerge(parts)
	if err != nil {
		return 0, err
	}
	for number := int64(0); ; number++ {
		want, err := in.ReadSlice('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, err
		}
		got, err := m.next(number)
		if err != nil {
			return 0, err
		}
		if !bytes.Equal(got, want[:len(want)-1]) {
			return 0, fmt.Errorf("line %d is %.100q, read %.100q", number, want, got)
		}
	}
	return again, m.end()
}

// merge walks all partitions, each in offset order, by line number.
type merge struct {
	parts  []*partitionRead
	offset []int64 // of the next record of each
	number []int64 // its line number
}

func newMerge(parts []*partitionRead) (*merge, error) {
	m := &merge{parts: parts, offset: make([]int64, len(parts)), number: make([]int64, len(parts))}
	for p := range parts {
		m.number[p] = -1
		m.offset[p] = -1
		if err := m.advance(p); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// none is the line number past a partition's end.
const none = int64(1) << 62

// advance goes to a partition's next record, whose number must be higher.
func (m *merge) advance(p int) error {
	m.offset[p]++
	if m.offset[p] >= int64(len(m.parts[p].at)) {
		m.number[p] = none
		return nil
	}
	value, err := m.parts[p].value(m.offset[p])
	if err != nil {
		return err
	}
	text, _, _ := bytes.Cut(value, []byte("\t"))
	number, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return fmt.Errorf("partition %d offset %d: %.100q has no number", p, m.offset[p], value)
	}
	if number <= m.number[p] {
		return fmt.Errorf("partition %d offset %d: line %d after line %d", p, m.offset[p], number, m.number[p])
	}
	m.number[p] = number
	return nil
}

// next is the line of that number. It is valid until the next call.
func (m *merge) next(number int64) ([]byte, error) {
	for p, n := range m.number {
		if n != number {
			continue
		}
		value, err := m.parts[p].value(m.offset[p])
		if err != nil {
			return nil, err
		}
		line := bytes.Clone(value) // advance may move the window
		return line, m.advance(p)
	}
	return nil, fmt.Errorf("line %d was never read", number)
}

func (m *merge) end() error {
	for p, n := range m.number {
		if n != none {
			return fmt.Errorf("partition %d offset %d: line %d is none of the file's", p, m.offset[p], n)
		}
	}
	return nil
}

// checkCommits finds members that began a partition below what had been committed before they were given it: re-deliveries
// lie only above the last commit. It reads the events that member_test.go writes.
func checkCommits(members []string, partitions int32) error {
	type commit struct{ time, offset int64 }
	type begin struct {
		member       string
		partition    int32
		time, offset int64 // when it was given the partition, and where it began
	}
	commits := map[int32][]commit{}
	var begins []begin
	for _, folder := range members {
		text, err := os.ReadFile(filepath.Join(folder, "events"))
		if err != nil {
			return err
		}
		given := map[int32]int64{}
		for line := range strings.Lines(string(text)) {
			var at, offset int64
			var what string
			var p int32
			fmt.Sscan(line, &at, &what, &p, &offset)
			switch what {
			case "assigned":
				given[p] = at
			case "began":
				begins = append(begins, begin{filepath.Base(folder), p, given[p], offset})
			case "committed":
				commits[p] = append(commits[p], commit{at, offset})
			}
		}
	}
	if len(begins) < int(partitions) || len(commits) < int(partitions) {
		return fmt.Errorf("%d beginnings, commits to %d partitions: too few to tell anything", len(begins), len(commits))
	}
	for _, b := range begins {
		for _, c := range commits[b.partition] {
			if c.time < b.time && b.offset < c.offset {
				return fmt.Errorf("member %s began partition %d at %d although %d was committed before", b.member, b.partition, b.offset, c.offset)
			}
		}
	}
	return nil
}
