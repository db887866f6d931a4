package launch

import (
	"fmt"
	"os"
	"sync"
	"testing"
)

// Shared is one broker for all tests of a package, started when the first asks for it.
type Shared struct {
	Options Options

	once   sync.Once
	broker *Broker
	err    error
	dir    string
}

// Run runs a package's tests, ends the broker and returns the exit code. For TestMain.
func (s *Shared) Run(m *testing.M) int {
	code := m.Run()
	if s.dir != "" {
		defer os.RemoveAll(s.dir)
	}
	if s.broker == nil {
		return code
	}
	for _, bad := range s.broker.Close() {
		fmt.Println("FAIL: " + bad)
		code = 1
	}
	return code
}

// Broker returns the package's broker.
func (s *Shared) Broker(t testing.TB) *Broker {
	t.Helper()
	if Against() == "kafka" {
		NeedJava(t)
	}
	s.once.Do(func() {
		o := s.Options
		if s.dir, s.err = os.MkdirTemp("", "ottla-test-"); s.err == nil {
			o.Dir = s.dir
			s.broker, s.err = Open(o)
		}
	})
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.broker
}
