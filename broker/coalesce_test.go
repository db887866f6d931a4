package broker

import (
	"testing"
	"testing/synctest"

	"github.com/ottla/ottla/broker/api"
	"github.com/ottla/ottla/protocol"
)

// TestAnswersAreNotKeptBackFromTheBudget: an answer that waits for the next request, to leave with its answer, may be what
// that one finds no room for.
func TestAnswersAreNotKeptBackFromTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := 0
		f := echo(t, func(_ *api.Server, r *api.Request) {
			answers++
			r.ReplyParts([]protocol.Part{{Bytes: append([]byte{0, 0, 0x9c, 0x40}, make([]byte, 40_000)...)}}, 40_004, func() {})
		})
		f.frames.Budget = protocol.NewBudget(32 << 10)
		c := dial(f)
		c.Write(append(heartbeat(1, "g"), heartbeat(2, "g")...))
		synctest.Wait()
		for range 2 {
			readAnswer(t, c)
		}
		c.Close()
		synctest.Wait()
		if answers != 2 {
			t.Errorf("%d requests served", answers)
		}
	})
}
