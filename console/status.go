package console

import "sync"

// Status is whether the broker serves clients. Its zero value says that it is starting.
type Status struct {
	mu sync.Mutex // guards the fields below
	// ready: clients are served. Otherwise why says what the broker does instead, empty for starting.
	ready bool
	why   string
}

// Ready says that clients are served.
func (s *Status) Ready() { s.set(true, "") }

// NotReady says that clients are not served, and why: starting, draining.
func (s *Status) NotReady(why string) { s.set(false, why) }

func (s *Status) set(ready bool, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready, s.why = ready, why
}

// now is whether clients are served, and why not.
func (s *Status) now() (ready bool, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why == "" {
		return s.ready, "starting"
	}
	return s.ready, s.why
}
