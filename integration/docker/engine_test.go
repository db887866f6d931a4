package docker

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ottla/ottla/integration/launch"
)

// engine is a Docker engine of the test's own, in a network namespace of its own: the ports that docker-compose.yml
// publishes are free there, and nothing is left on the machine's own network.
type engine struct {
	t    *testing.T
	dir  string
	host string // DOCKER_HOST
	pid  int    // of a process in its network
}

func startEngine(t *testing.T) *engine {
	t.Helper()
	if os.Getuid() != 0 {
		launch.Skip(t, "a Docker engine needs root")
	}
	for _, program := range []string{"dockerd", "docker", "docker-compose", "iptables", "ip", "unshare", "nsenter"} {
		launch.NeedProgram(t, program)
	}
	// A socket's path must be short.
	dir, err := os.MkdirTemp("", "ottla-docker-")
	if err != nil {
		t.Fatal(err)
	}
	e := &engine{t: t, dir: dir, host: "unix://" + dir + "/docker.sock"}
	log, err := os.Create(filepath.Join(dir, "dockerd.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("unshare", "--net", "sh", "-c", `ip link set lo up && exec dockerd "$@"`, "dockerd", "--data-root", dir+"/root", "--exec-root", dir+"/exec", "--pidfile", dir+"/pid", "--host", e.host)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		launch.Skip(t, "dockerd does not start: "+err.Error())
	}
	e.pid = cmd.Process.Pid // unshare and sh become dockerd
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }() // ends with dockerd, which the cleanup ends
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(30 * time.Second):
			cmd.Process.Kill()
			<-ended
		}
		if t.Failed() {
			said, _ := os.ReadFile(log.Name())
			t.Logf("dockerd's last lines:\n%s", said[max(0, len(said)-2000):])
		}
		os.RemoveAll(dir)
	})
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if exec.Command("docker", "--host", e.host, "info").Run() == nil {
			return e
		}
		select {
		case <-ended:
			said, _ := os.ReadFile(log.Name())
			launch.Skip(t, fmt.Sprintf("no Docker engine can be had here: %s", lastLine(said)))
		default:
		}
		if time.Now().After(end) {
			t.Fatal("dockerd does not answer")
		}
	}
}

func lastLine(b []byte) string {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return lines[len(lines)-1]
}

// try runs a program with the engine's address, in the repository.
func (e *engine) try(program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(e.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = launch.Root()
	// BuildKit would want another image to build with.
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+e.host, "DOCKER_BUILDKIT=0", "COMPOSE_DOCKER_CLI_BUILD=0", "COMPOSE_PROJECT_NAME=ottlatest", "OTTLA_TARGET=prebuilt")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w\n%s%s", program, strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String(), nil
}

// said is a container's log.
func (e *engine) said(container string) string {
	cmd := exec.Command("docker", "--host", e.host, "logs", container)
	log, _ := cmd.CombinedOutput()
	return string(log[max(0, len(log)-4000):])
}

func (e *engine) run(program string, args ...string) string {
	e.t.Helper()
	out, err := e.try(program, args...)
	if err != nil {
		e.t.Fatal(err)
	}
	return out
}

// onHost runs a program as one of the engine's host.
func (e *engine) onHost(program string, args ...string) string {
	e.t.Helper()
	return e.run("nsenter", append([]string{"--net=" + fmt.Sprintf("/proc/%d/ns/net", e.pid), program}, args...)...)
}
