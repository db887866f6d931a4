package hostile

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// metric reads one metric without labels.
func (b *target) metric(name string) (float64, bool) {
	client := http.Client{Timeout: patience, Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}
	resp, err := client.Get("http://" + b.HTTP + "/metrics")
	if err != nil {
		b.t.Error(err)
		return 0, false
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			value, err := strconv.ParseFloat(text, 64)
			return value, err == nil
		}
	}
	b.t.Errorf("there is no metric %s", name)
	return 0, false
}

// status reads a line of the broker's /proc/PID/status, in bytes.
func (b *target) status(line string) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.PID()))
	if err != nil {
		return 0
	}
	for l := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(l, line+":"); ok {
			kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10
		}
	}
	return 0
}

// growth watches the broker's memory from here on.
type growth struct {
	b       *target
	began   int64 // resident bytes
	virtual int64 // private bytes, touched or not: what was asked of the kernel
}

func (b *target) watchMemory() growth {
	// 5 sets the peak back to what is resident now.
	os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", b.PID()), []byte("5"), 0)
	return growth{b, b.status("VmRSS"), b.status("VmData")}
}

// below fails the test if the broker's memory peaked more than max bytes above where it began, and prints by how much.
func (g growth) below(t testing.TB, max int64, what string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Log("memory is read from /proc, which this system lacks")
		return
	}
	peak, now := g.b.status("VmHWM")-g.began, g.b.status("VmRSS")-g.began
	t.Logf("FIGURE %s: the broker grew by %s at its peak, %s now, from %s", what, mib(peak), mib(now), mib(g.began))
	if raced() {
		return
	}
	if peak > max {
		t.Errorf("%s: the broker grew by %s, more than %s", what, mib(peak), mib(max))
	}
}

// announcedBelow is below for what was taken but need not have been touched.
func (g growth) announcedBelow(t testing.TB, max int64) {
	t.Helper()
	if grown := g.b.status("VmData") - g.virtual; grown > max && !raced() {
		t.Errorf("the broker took %s, touched or not, more than %s", mib(grown), mib(max))
	}
}

func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after %v: %s", patience, what)
		}
	}
}
