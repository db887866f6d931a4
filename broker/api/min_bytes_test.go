package api

import "testing"

// TestMinBytesBeyondMaxBytes: as in Kafka, a client is not made to wait for more bytes than it takes.
func TestMinBytesBeyondMaxBytes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newDataWorld(t)
		id := w.topic("t", 1)
		<-w.send(w.conn, produceRequest(13, "t", id, 0, -1, batchOf("a"))).came
		r := newFetch(id, 0, 1<<20, 20_000)
		r.MaxBytes = 10
		if d := took(w.send(w.conn, r)); d != 0 {
			t.Errorf("answered after %s", d)
		}
	})
}
