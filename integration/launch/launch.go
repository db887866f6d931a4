// Package launch starts the broker that an integration test talks to, kills it, and starts it again.
//
// The broker is bin/ottla: OTTLA_BIN names another build, and without it this package builds one. With
// OTTLA_AGAINST=kafka every test runs against Apache Kafka instead, which is how the tests themselves are proved.
package launch

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Options is how a broker starts.
type Options struct {
	// Dir is where data, configuration and log go.
	Dir string
	// Set holds Kafka broker properties. Those of ours that Kafka lacks are dropped when it is the broker.
	Set map[string]string
	// Host is what the broker listens on and clients are given. Empty is 127.0.0.1.
	Host string
	// DataDir is where the partitions go. Empty is a folder in Dir.
	DataDir string
	// Binary is another build of ottla than the one under test.
	Binary string
	// Descriptors is how many files and sockets the broker may have open (ulimit -n); 0 leaves it as it is. Ours only.
	Descriptors int
}

// Broker is one broker process, or the place of one between Kill and Restart. Its address and data stay the same.
type Broker struct {
	// Bootstrap is the HOST:PORT for clients, HTTP that of health and metrics (ours only).
	Bootstrap, HTTP string
	// DataDir holds the partitions; of several log.dirs it is the first. LogFile has everything the process said.
	DataDir, LogFile string
	// Started is the time from the first exec to the first answer.
	Started time.Duration
	// IsKafka is true when Apache Kafka plays the broker.
	IsKafka bool
	// Env is what the next start's environment has beside ours.
	Env []string

	argv []string
	proc *process
}

// process is a running broker.
type process struct {
	cmd  *exec.Cmd
	err  error         // what Wait said; read after done
	done chan struct{} // closed when the process has been waited for
}

// startMax is how long a broker may take until it answers.
const startMax = 60 * time.Second

// Against says which broker the tests run against, for names and skips.
func Against() string {
	if a := os.Getenv("OTTLA_AGAINST"); a != "" {
		return a
	}
	return "ottla"
}

// Open starts a broker and returns when it answers. The caller ends it with Stop or Kill.
func Open(o Options) (*Broker, error) { return open(o, Against() == "kafka") }

// OpenKafka starts Apache Kafka, whatever OTTLA_AGAINST says.
func OpenKafka(o Options) (*Broker, error) { return open(o, true) }

func open(o Options, kafka bool) (*Broker, error) {
	if o.Host == "" {
		o.Host = "127.0.0.1"
	}
	b := &Broker{
		Bootstrap: fmt.Sprintf("%s:%d", o.Host, FreePort()),
		HTTP:      fmt.Sprintf("127.0.0.1:%d", FreePort()),
		DataDir:   filepath.Join(o.Dir, "data"),
		LogFile:   filepath.Join(o.Dir, "broker.log"),
		IsKafka:   kafka,
	}
	if o.DataDir != "" {
		b.DataDir = o.DataDir
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, err
	}
	prepare := b.prepareOttla
	if kafka {
		prepare = b.prepareKafka
	}
	if err := prepare(o); err != nil {
		return nil, err
	}
	var err error
	b.Started, err = b.Restart()
	return b, err
}

// Start starts a broker for a test and ends it with the test. What the broker said is shown when the test fails, and a
// panic or a data race in the broker fails the test.
func Start(t testing.TB, o Options) *Broker {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if Against() == "kafka" {
		NeedJava(t)
	}
	b, err := Open(o)
	if b != nil {
		t.Cleanup(func() { b.finish(t) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *Broker) finish(t testing.TB) {
	for _, bad := range b.Close() {
		t.Error(bad)
	}
	if t.Failed() {
		t.Logf("the broker's last lines:\n%s", b.tail(3000))
	}
}

// Close ends the broker if it runs, and tells what is wrong with how it ran: a bad exit, a panic, a data race.
func (b *Broker) Close() (complaints []string) {
	if b.proc != nil {
		if err := b.Stop(); err != nil {
			complaints = append(complaints, err.Error())
		}
	}
	said, _ := os.ReadFile(b.LogFile)
	for _, bad := range []string{"panic:", "fatal error:", "DATA RACE"} {
		if at := bytes.Index(said, []byte(bad)); at >= 0 {
			complaints = append(complaints, "the broker said:\n"+string(said[at:min(len(said), at+6000)]))
			break
		}
	}
	return complaints
}

// tail is the end of what the broker said.
func (b *Broker) tail(bytes int) string {
	said, _ := os.ReadFile(b.LogFile)
	return string(said[max(0, len(said)-bytes):])
}

func (b *Broker) prepareOttla(o Options) error {
	bin, err := o.Binary, error(nil)
	if bin == "" {
		bin, err = Binary()
	}
	if err != nil {
		return err
	}
	if dirs := o.Set["log.dirs"]; dirs != "" {
		b.DataDir, _, _ = strings.Cut(dirs, ",")
		b.argv = []string{bin, "serve"}
	} else {
		b.argv = []string{bin, "serve", "--data-dir", b.DataDir}
	}
	b.argv = append(b.argv, "--listen", b.Bootstrap, "--http", b.HTTP)
	for _, k := range sortedKeys(o.Set) {
		b.argv = append(b.argv, "--set", k+"="+o.Set[k])
	}
	if o.Descriptors > 0 {
		b.argv = append([]string{"sh", "-c", `ulimit -n "$0" && exec "$@"`, strconv.Itoa(o.Descriptors)}, b.argv...)
	}
	return nil
}

// Restart starts the broker on the same address and data. It returns the time from exec until the first answer.
func (b *Broker) Restart() (time.Duration, error) {
	if b.proc != nil {
		return 0, errors.New("the broker is still running")
	}
	begin := time.Now()
	if err := b.Exec(); err != nil {
		return 0, err
	}
	for time.Since(begin) < startMax {
		if Answers(b.Bootstrap) {
			return time.Since(begin), nil
		}
		select {
		case <-b.proc.done:
			err := b.proc.err
			b.proc = nil
			return 0, fmt.Errorf("the broker ended before it answered: %v\n%s", err, b.tail(4000))
		case <-time.After(time.Millisecond):
		}
	}
	b.Kill()
	return 0, fmt.Errorf("the broker did not answer within %v\n%s", startMax, b.tail(4000))
}

// Exec starts the process and does not wait for it to answer. Ended or Kill follow.
func (b *Broker) Exec() error {
	log, err := os.OpenFile(b.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	p := &process{cmd: exec.Command(b.argv[0], b.argv[1:]...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Env = append(plainEnvironment(), b.Env...)
	p.cmd.SysProcAttr = dieWithParent()
	err = p.cmd.Start()
	log.Close()
	if err != nil {
		return err
	}
	go func() { // ends with the process, which Kill, Stop or the parent's death ends
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	b.proc = p
	return nil
}

// plainEnvironment is the environment without what configures brokers, or these tests.
func plainEnvironment() []string {
	return slices.DeleteFunc(os.Environ(), func(entry string) bool {
		return strings.HasPrefix(entry, "OTTLA_") || strings.HasPrefix(entry, "KAFKA_")
	})
}

// PID is the broker's process id.
func (b *Broker) PID() int { return b.proc.cmd.Process.Pid }

// ExitCode waits for the process to end by itself, and is its exit code; -1 if it has not ended in time.
func (b *Broker) ExitCode(max time.Duration) int {
	p := b.proc
	if !b.Ended(max) {
		return -1
	}
	return p.cmd.ProcessState.ExitCode()
}

// Ended waits until the broker has ended by itself, and tells whether it did so in time. Restart may follow.
func (b *Broker) Ended(max time.Duration) bool {
	select {
	case <-b.proc.done:
		b.proc = nil
		return true
	case <-time.After(max):
		return false
	}
}

// Kill ends the broker as a crash would, and returns when it is gone. It may have gone before.
func (b *Broker) Kill() {
	b.proc.cmd.Process.Kill()
	<-b.proc.done
	b.proc = nil
}

// Stop asks the broker to end, and returns an error unless it does so cleanly and in time.
func (b *Broker) Stop() error {
	limit := 5 * time.Second
	if b.IsKafka {
		limit = 30 * time.Second
	}
	b.proc.cmd.Process.Signal(syscall.SIGTERM)
	begin := time.Now()
	select {
	case <-b.proc.done:
	case <-time.After(3 * limit): // far past what it may take, so that only a hang ends here
		b.proc.cmd.Process.Signal(syscall.SIGQUIT)
		select {
		case <-b.proc.done:
		case <-time.After(5 * time.Second):
			b.proc.cmd.Process.Kill()
			<-b.proc.done
		}
		b.proc = nil
		return fmt.Errorf("the broker still ran %v after SIGTERM", 3*limit)
	}
	err := b.proc.err
	b.proc = nil
	if err != nil && !b.IsKafka { // the JVM's exit code tells of the signal
		return fmt.Errorf("the broker ended badly %v after SIGTERM: %w", time.Since(begin).Round(time.Millisecond), err)
	}
	return nil
}

// Said returns the lines of the broker's log that hold every word given.
func (b *Broker) Said(words ...string) []string {
	f, err := os.Open(b.LogFile)
	if err != nil {
		return nil
	}
	defer f.Close()
	var lines []string
	for r := bufio.NewReader(f); ; {
		line, err := r.ReadString('\n')
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			lines = append(lines, strings.TrimRight(line, "\n"))
		}
		if err == io.EOF {
			return lines
		}
	}
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
