package api

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// parked is a wait that notes when it was over.
type parked struct {
	wait  Wait
	due   time.Time
	over  time.Time
	gone  bool
	times int
}

func (p *parked) Over(gone bool) {
	p.times++
	p.over, p.gone = time.Now(), gone
}

// TestPurgatoryModel lets waits come and go at random: each is over once, exactly when it is due or when its connection
// ends, unless it leaves before.
func TestPurgatoryModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	inBubble(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		w := newDataWorld(t)
		p := w.Purgatory
		conns := []*testConn{w.connect(), w.connect(), w.connect()}
		ended := map[*testConn]time.Time{}
		type row struct {
			*parked
			conn *testConn
			left bool
		}
		var rows []row
		for range 2000 {
			c := conns[rnd.IntN(len(conns))]
			switch rnd.IntN(8) {
			case 0, 1, 2, 3:
				k := &parked{due: time.Now().Add(time.Duration(rnd.IntN(300)) * time.Millisecond)}
				if p.Enter(&k.wait, k, c.Conn, k.due) {
					rows = append(rows, row{k, c, false})
				}
			case 4, 5:
				if len(rows) > 0 {
					r := &rows[rnd.IntN(len(rows))]
					p.Leave(&r.wait)
					r.left = r.left || r.times == 0
				}
			case 6:
				time.Sleep(time.Duration(rnd.IntN(20)) * time.Millisecond)
				synctest.Wait()
			case 7:
				if rnd.IntN(20) == 0 {
					ended[c] = time.Now()
					w.hangUp(c)
					for i := range conns {
						if conns[i] == c {
							conns[i] = w.connect()
						}
					}
				}
			}
		}
		time.Sleep(time.Second)
		synctest.Wait()
		for i, r := range rows {
			end, gone := ended[r.conn]
			gone = gone && end.Before(r.due)
			switch {
			case r.left && r.times == 0:
			case r.left, r.times != 1:
				t.Fatalf("wait %d: left %v, over %d times", i, r.left, r.times)
			case gone && (!r.gone || !r.over.Equal(end)), !gone && !r.gone && !r.over.Equal(r.due):
				t.Fatalf("wait %d: due %s, its connection ended %s, over %s, gone %v", i, r.due, end, r.over, r.gone)
			}
		}
		if p.Waiting() != 0 || len(p.mu.byConn) != 0 {
			t.Errorf("%d wait, %d connections", p.Waiting(), len(p.mu.byConn))
		}
		if !p.mu.armed.IsZero() {
			t.Error("the timer is set for nobody")
		}
	})
}

// TestPurgatoryIdle: while nothing waits nothing happens; the bubble would end in a deadlock if a timer or goroutine were
// left.
func TestPurgatoryIdle(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newDataWorld(t)
		k := &parked{}
		w.Purgatory.Enter(&k.wait, k, w.conn.Conn, time.Now().Add(time.Hour))
		early := &parked{}
		w.Purgatory.Enter(&early.wait, early, w.conn.Conn, time.Now().Add(time.Minute))
		began := time.Now()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if d := early.over.Sub(began); d != time.Minute {
			t.Errorf("an earlier wait was over after %s", d)
		}
		w.Purgatory.Leave(&k.wait)
		w.Purgatory.Leave(&k.wait) // twice does no harm
		time.Sleep(2 * time.Hour)
		if k.times != 0 {
			t.Error("over after it left")
		}
	})
}
