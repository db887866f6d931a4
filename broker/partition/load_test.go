package partition

import (
	"testing"
	"testing/synctest"
)

// TestBatchesToTheEnd: a coordinator that is loaded again reads what it appended, although that is not on disk yet.
func TestBatchesToTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.register(self)
		w.create("t", []int32{self})
		p := w.find("t", 0)
		w.fs.Add("sync of *.log #1+ -> delay 1s")
		for range 2 {
			if _, err := p.Append(batch("a", "b"), 0); err != nil {
				t.Fatal(err)
			}
		}
		if p.log.Load().Flushed() != 0 {
			t.Fatal("flushed already")
		}
		next := int64(0)
		for b, err := range p.Batches(0, p.End()) {
			if err != nil {
				t.Fatal(err)
			}
			next = b.NextOffset()
		}
		if next != 4 {
			t.Errorf("read up to %d, want 4", next)
		}
	})
}
