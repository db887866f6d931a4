package docker

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ottla/ottla/integration/launch"
)

func TestContainers(t *testing.T) {
	e := startEngine(t)
	client := e.build()
	t.Run("compose", func(t *testing.T) { e.t = t; e.compose(client) })
	t.Run("another published port", func(t *testing.T) { e.t = t; e.anotherPort(client) })
	t.Run("not root", func(t *testing.T) { e.t = t; e.notRoot() })
}

// build makes the image around the binary, and a client's image and program.
func (e *engine) build() (client string) {
	e.t.Helper()
	image := filepath.Join(e.dir, "image") // the build context: as the repository is after make build
	if err := launch.Build(filepath.Join(image, "bin", "ottla")); err != nil {
		e.t.Fatal(err)
	}
	for _, name := range []string{"Dockerfile", ".dockerignore", "container"} {
		e.run("cp", "-r", name, image)
	}
	e.run("docker", "build", "--quiet", "--target", "prebuilt", "--tag", "ottla", image)
	context := filepath.Join(e.dir, "client")
	if err := os.Mkdir(context, 0o755); err != nil {
		e.t.Fatal(err)
	}
	client = filepath.Join(context, "client")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", client, "./integration/docker/client")
	build.Dir, build.Env = launch.Root(), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		e.t.Fatalf("%v\n%s", err, out)
	}
	dockerfile := "FROM scratch\nCOPY client /client\nENTRYPOINT [\"/client\"]\n"
	if err := os.WriteFile(filepath.Join(context, "Dockerfile"), []byte(dockerfile), 0o644); err != nil {
		e.t.Fatal(err)
	}
	e.run("docker", "build", "--quiet", "--tag", "ottla-client", context)
	return client
}

// compose takes docker-compose.yml through its life. The host's client uses the port that the file publishes.
func (e *engine) compose(client string) {
	e.run("docker-compose", "up", "--detach")
	e.t.Cleanup(func() { e.try("docker-compose", "down", "--volumes", "--timeout", "5") })
	e.healthy("ottlatest_ottla_1")

	onHost := func(prefix string, group ...string) []string {
		return values(e.onHost(client, append([]string{"localhost:9092", "shared", prefix, "50"}, group...)...))
	}
	sibling := func(prefix string, group ...string) []string {
		run := []string{"run", "--rm", "--network", "ottlatest_default", "ottla-client", "ottla:9092", "shared", prefix, "50"}
		return values(e.run("docker", append(run, group...)...))
	}
	var want []string
	sent := func(prefix string) {
		for i := range 50 {
			want = append(want, fmt.Sprintf("%s-%d", prefix, i))
		}
	}
	step := func(prefix string, send func(string, ...string) []string, group ...string) {
		e.t.Helper()
		sent(prefix)
		if got := send(prefix, group...); !sameSet(got, want) {
			e.t.Errorf("%s reads %d values, there are %d", prefix, len(got), len(want))
		}
	}
	step("host-first", onHost, "group-on-host")
	step("sibling-first", sibling, "group-of-sibling")
	e.run("docker-compose", "restart", "--timeout", "10")
	step("host-after-restart", onHost)
	step("sibling-after-restart", sibling)
	e.run("docker-compose", "kill")
	e.run("docker-compose", "up", "--detach")
	step("host-after-kill", onHost)
	step("sibling-after-kill", sibling)
	if code := strings.TrimSpace(e.stopped("ottlatest_ottla_1")); code != "0" {
		e.t.Errorf("docker stop: the broker ended with %s", code)
	}
}

func (e *engine) stopped(container string) string {
	e.run("docker", "stop", "--time", "10", container)
	return e.run("docker", "inspect", "--format", "{{.State.ExitCode}}", container)
}

// healthy waits until the image's own health check says so.
func (e *engine) healthy(container string) {
	e.t.Helper()
	for end := time.Now().Add(40 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		state := strings.TrimSpace(e.run("docker", "inspect", "--format", "{{.State.Health.Status}}", container))
		if state == "healthy" {
			return
		}
		if time.Now().After(end) {
			e.t.Fatalf("%s is %s\n%s", container, state, e.said(container))
		}
	}
}

// anotherPort publishes another port than the broker's, which it cannot know: one variable tells it.
func (e *engine) anotherPort(client string) {
	const port = "19092"
	e.run("docker", "run", "--detach", "--name", "elsewhere", "--publish", "127.0.0.1:"+port+":9092",
		"--env", "KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://localhost:"+port, "ottla")
	e.t.Cleanup(func() { e.try("docker", "rm", "--force", "--volumes", "elsewhere") })
	if got := values(e.onHost(client, "localhost:"+port, "elsewhere", "host", "10")); len(got) != 10 {
		e.t.Errorf("%d values", len(got))
	}
}

func (e *engine) notRoot() {
	if user := strings.TrimSpace(e.run("docker", "inspect", "--format", "{{.Config.User}}", "ottla")); !strings.HasPrefix(user, "10001") {
		e.t.Errorf("the image runs as %q", user)
	}
}

func values(out string) []string { return strings.Fields(out) }

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}
