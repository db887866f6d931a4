package broker

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ottla/ottla/broker/api"
)

func TestComplaintsAreFewAndCounted(t *testing.T) {
	var c complaints
	now := time.Unix(1000, 0)
	written, said := 0, 0
	flood := func(n int) {
		for range n {
			if leftOut, ok := c.take(now); ok {
				written++
				said += 1 + leftOut
			}
		}
	}
	flood(10_000)
	if written != complaintsAtOnce {
		t.Errorf("%d lines at once, want %d", written, complaintsAtOnce)
	}
	now = now.Add(10 * complaintEvery)
	flood(10_000)
	if written != complaintsAtOnce+10 {
		t.Errorf("%d lines after %v, want 10 more", written, 10*complaintEvery)
	}
	now = now.Add(time.Hour)
	flood(complaintsAtOnce)
	if written != 2*complaintsAtOnce+10 || said != 20_000+complaintsAtOnce {
		t.Errorf("%d lines tell of %d complaints, want %d of %d", written, said, 2*complaintsAtOnce+10, 20_000+complaintsAtOnce)
	}
}

func TestStrangersDoNotFloodTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f := echo(t, func(_ *api.Server, r *api.Request) {
			if *r.Header.ClientID == "panics" {
				panic("broken invariant")
			}
		})
		f.log = slog.New(slog.NewTextHandler(&log, nil))
		visit := func(say string) {
			c := dial(f)
			go c.Write([]byte(say))
			expectClosed(t, c)
			f.serves.Wait()
		}
		panics := "\x00\x00\x00\x18\x00\x0c\x00\x00\x00\x00\x00\x01\x00\x06panics" + "\x00\x00\x00\x00\x00\x00\x00\x00"
		for range 1000 {
			visit("GET / HTTP/1.1\r\n\r\n")
			visit(panics)
		}
		for what, n := range map[string]int{"HTTP": complaintsAtOnce, "stack=": complaintsAtOnce} {
			if got := strings.Count(log.String(), what); got != n {
				t.Errorf("%d lines with %s, want %d", got, what, n)
			}
		}
		log.Reset()
		time.Sleep(complaintEvery)
		visit("SSH-2.0-x\r\n")
		visit(panics)
		for _, what := range []string{"SSH", "leftOut=980"} {
			if !strings.Contains(log.String(), what) {
				t.Errorf("%q is missing in %s", what, log.String())
			}
		}
	})
}
