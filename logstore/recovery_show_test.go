package logstore

import (
	"encoding/json"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
)

// TestPlanOf: the plan says what a start then does, and not one operation changes anything.
func TestPlanOf(t *testing.T) {
	mem, data, _ := killed(t)
	writeFile(mem, testLog, data[:len(data)-7], false)
	writeFile(mem, "data/t-0/00000000000000000009.snapshot", []byte("torn"), false)
	writeFile(mem, "data/t-0/leader-epoch-checkpoint.tmp", nil, false)
	mem.MkdirAll("data/lost+found", 0o755)
	mem.MkdirAll("data/u-1", 0o755)
	writeFile(mem, "data/u-1/partition.metadata", []byte("version: 7\ntopic_id: x"), false)
	before := snapshotOf(t, mem, "data")
	counted := errorfs.New(mem)
	counted.OnOp(func(op errorfs.Op) {
		if op.Changes() && op.Kind != errorfs.Open && op.Kind != errorfs.Lock {
			t.Errorf("a plan did %s", op)
		}
	})
	p, err := PlanOf("data", Options{FS: counted, NodeID: 1})
	if err != nil {
		t.Fatal(err)
	}
	if after := snapshotOf(t, mem, "data"); after != before {
		t.Errorf("the plan changed\n%s\nto\n%s", before, after)
	}
	want := `data: not closed cleanly, 2 logs
  lost+found: leave: foreign: it is not ours
t-0: cut: torn-tail offsets [0, 6) segments=1 recoveryPoint=-1 cutBytes=195 readBytes=1198: torn-tail: a crash left an unfinished tail: 00000000000000000000.log, byte 404: unexpected EOF
u-1: offline: id-newer offsets [0, 0) segments=0 recoveryPoint=-1 cutBytes=0 readBytes=0: id-newer: data/u-1/partition.metadata: version 7, of which only 0 is known: it belongs to newer software: start the software that wrote it; nothing was changed
  partition.metadata: offline: id-newer: version 7, of which only 0 is known: it belongs to newer software
`
	if got := p.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if text, err := json.Marshal(p); err != nil || !strings.Contains(string(text), `"row":"torn-tail","do":"cut"`) {
		t.Errorf("%s, %v", text, err)
	}
	s := open(t, mem, "data")
	if inUse, err := PlanOf("data", Options{FS: mem, NodeID: 1}); err != nil || !inUse.InUse {
		t.Errorf("in use: %t, %v", inUse.InUse, err)
	}
	l := s.Get(testTopic)
	if l.LogStart() != p.Logs[0].Start || l.End() != p.Logs[0].End || s.Get(TopicPartition{"u", 1}).Err() == nil {
		t.Errorf("a start comes to [%d, %d), the plan to %+v", l.LogStart(), l.End(), p.Logs[0])
	}
	s.Close()
	if p, err := PlanOf("data", Options{FS: mem, NodeID: 2}); err != nil || !strings.Contains(p.Refused, "meta-other-node") && !strings.Contains(p.Refused, "node 2") {
		t.Errorf("refused: %q, %v", p.Refused, err)
	}
	if _, err := PlanOf("nowhere", Options{FS: mem}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory that is not there: %v", err)
	}
	if _, err := mem.Stat("nowhere"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the plan made a directory")
	}
}

var _ vfs.FS = readOnly{}

// TestRecoveryReadsLittle: after a kill, what lies below the recovery point is not read but for the segments' ends.
func TestRecoveryReadsLittle(t *testing.T) {
	mem := vfs.NewMem(nil)
	s := open(t, mem, "data")
	c := DefaultLogConfig()
	c.SegmentBytes = 256 << 10
	l := create(t, s, c)
	for i := range 400 {
		add(t, l, batch(int64(i), 4, 2000))
	}
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.checkpoints.write([]*Log{l}), l.shortenReplay()); err != nil {
		t.Fatal(err)
	}
	add(t, l, batch(500, 4, 2000))
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	left := mem.KillClone()
	closeStore(t, s)
	p, err := PlanOf("data", Options{FS: left, NodeID: 1})
	if err != nil || p.Logs[0].Row != "whole" || p.Logs[0].End != 401*4 {
		t.Fatalf("%s, %v", p, err)
	}
	total := l.Size()
	if read := p.Logs[0].ReadBytes; read > total/10 {
		t.Errorf("%d bytes are read of %d", read, total)
	} else {
		t.Logf("%d bytes are read of %d", read, total)
	}
}
