package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// process is the binary itself, with its log as JSON.
type process struct {
	*exec.Cmd
	log *bufio.Scanner
}

// start runs `ottla serve` on ports that are free, keeping its data in dir.
func start(t *testing.T, dir string, prepare func(*exec.Cmd)) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0], "serve", "--data-dir", dir, "--listen", "localhost:0", "--http", "127.0.0.1:0", "--log-format", "json")}
	p.Env = append(os.Environ(), asOttla+"=1")
	if prepare != nil {
		prepare(p.Cmd)
	}
	stderr, err := p.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.log = bufio.NewScanner(stderr)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Process.Kill(); p.Wait() })
	return p
}

// line reads the log up to the first line with that message, or to the end of it.
func (p *process) line(t *testing.T, message string) map[string]any {
	t.Helper()
	var all []string
	for p.log.Scan() {
		all = append(all, p.log.Text())
		var line map[string]any
		if json.Unmarshal(p.log.Bytes(), &line) == nil && line["msg"] == message {
			return line
		}
	}
	t.Fatalf("no %q in the log:\n%s", message, strings.Join(all, "\n"))
	return nil
}

func TestServeStopsInOrder(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a broker")
	}
	p := start(t, filepath.Join(t.TempDir(), "data"), nil)
	address := p.line(t, "http")["address"].(string)
	ready := p.line(t, "ready")
	if ready["nodeId"] != 1.0 || ready["clusterId"] == "" || ready["listeners"] == nil {
		t.Errorf("the ready line is %v", ready)
	}
	awaitReady(t, "http://"+address+"/readyz")
	if code, out, errs := typed(nil, "health", "--http", address); code != 0 {
		t.Error(code, out, errs)
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.line(t, "stopping")
	io.Copy(io.Discard, rest{p.log})
	if err := p.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if c, err := net.Dial("tcp", address); err == nil {
		c.Close()
		t.Error("it still listens")
	}
}

// awaitReady asks until the answer is yes, as whoever waits for a broker does.
func awaitReady(t *testing.T, url string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still %s", resp.Status)
		}
	}
}

// rest reads what is left of a scanner.
type rest struct{ s *bufio.Scanner }

func (r rest) Read(p []byte) (int, error) {
	if !r.s.Scan() {
		return 0, io.EOF
	}
	return copy(p, r.s.Bytes()), nil
}

// TestUnwritableDirectory: path, owner and the uid that needs it, in one line, exit code 1.
func TestUnwritableDirectory(t *testing.T) {
	if testing.Short() || runtime.GOOS == "windows" {
		t.Skip("starts a broker as another user")
	}
	// Above the test's own directories, which only their owner may enter.
	dir, err := os.MkdirTemp("", "ottla-unwritable")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "..", filepath.Base(dir)+".bin")
	copyFile(t, os.Args[0], binary) // the other user may not read where go test puts it
	defer os.Remove(binary)
	p := exec.Command(binary, "serve", "--data-dir", filepath.Join(dir, "data"), "--listen", "localhost:0", "--http", "")
	p.Dir = "/"
	p.Env = append(os.Environ(), asOttla+"=1")
	uid := os.Getuid()
	if uid == 0 {
		uid = 65534
		runAs(p, uid)
	}
	out, err := p.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("it ended with %v: %s", err, out)
	}
	last := string(out[strings.LastIndex(strings.TrimSpace(string(out)), "\n")+1:])
	for _, part := range []string{"ottla: ", dir, "uid " + strconv.Itoa(uid) + " must", "belongs to uid " + strconv.Itoa(os.Getuid())} {
		if !strings.Contains(last, part) {
			t.Errorf("%q lacks %q", last, part)
		}
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals := make(chan os.Signal, 2)
		exited := make(chan int, 1)
		first := firstOf(signals, slog.New(slog.DiscardHandler), func(code int) { exited <- code })
		signals <- syscall.SIGTERM
		if s := <-first; s != syscall.SIGTERM {
			t.Errorf("the first is %v", s)
		}
		signals <- syscall.SIGTERM // the same one, passed on twice more
		synctest.Wait()
		signals <- syscall.SIGTERM
		time.Sleep(2 * oneKey)
		synctest.Wait()
		if len(exited) != 0 {
			t.Error("one signal that came twice ended the process")
		}
		signals <- os.Interrupt
		if code := <-exited; code != 1 {
			t.Errorf("exit code %d", code)
		}
	})
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
