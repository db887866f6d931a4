package broker

import "time"

// pace judges a client that is in the midst of a request or of an answer: how much of it has moved lately.
//
// Every glance it must have moved slowest bytes a second on average of stallTime. While other connections wait for
// memory that this one holds, there is less patience: then it must have moved, since the last glance, what brings it to
// an end within a minute or so. So clients that stop halfway can shut out others for no longer than a glance.
type pace struct {
	conn  *conn
	began time.Time // of the present stretch of stallTime
	moves int       // bytes in it
	last  int       // bytes since the last glance
}

const (
	glance    = 2 * time.Second
	stallTime = 30 * time.Second
	slowest   = 16 << 10 // bytes a second
	// pressedParts is the part of what it holds that a client must move each glance while others wait.
	pressedParts = 32
)

func (c *conn) newPace() pace { return pace{conn: c, began: c.front.now()} }

// moved counts bytes.
func (p *pace) moved(n int) {
	p.moves += n
	p.last += n
}

// tooSlow is asked once a glance.
func (p *pace) tooSlow() bool {
	last := p.last
	p.last = 0
	if held, pressed := p.conn.in.Account().Pressed(); pressed && int64(last) < max(held/pressedParts, int64(slowest*glance/time.Second)) {
		return true
	}
	if p.conn.front.now().Sub(p.began) < stallTime {
		return false
	}
	slow := p.moves < int(slowest*stallTime/time.Second)
	p.began, p.moves = p.conn.front.now(), 0
	return slow
}
