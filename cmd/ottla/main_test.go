package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
)

// asOttla makes this test binary behave as the real one: TestMain looks for it.
const asOttla = "RUN_AS_OTTLA"

func TestMain(m *testing.M) {
	if os.Getenv(asOttla) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// typed runs a command line in this process.
func typed(env []string, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(args, env, &out, &errs)
	return code, out.String(), errs.String()
}

func TestConfigShowsValuesAndSources(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ottla.yaml")
	if err := os.WriteFile(file, []byte("num.partitions: 3\nmessage.max.bytes: 5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"KAFKA_MESSAGE_MAX_BYTES=6", "KAFKA_HEAP_OPTS=-Xmx1G"}
	code, out, errs := typed(env, "config", "-c", file, "--set", "fetch.max.bytes=7000", "--listen", "127.0.0.1:0", "--data-dir", "/d")
	if code != 0 || !strings.Contains(errs, "KAFKA_HEAP_OPTS") {
		t.Fatalf("exit %d: %s", code, errs)
	}
	rows := map[string]string{}
	column := -1
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		rows[f[0]] = strings.Join(f[1:], " ")
		at := len(line) - len(strings.TrimLeft(strings.TrimPrefix(line, f[0]), " "))
		if column >= 0 && at != column {
			t.Errorf("not aligned: %q", line)
		}
		column = at
	}
	for key, want := range map[string]string{
		"num.partitions":        "3 " + file + ":1",
		"message.max.bytes":     "6 environment KAFKA_MESSAGE_MAX_BYTES",
		"fetch.max.bytes":       "7000 flag --set",
		"listeners":             "PLAINTEXT://127.0.0.1:0 flag --listen",
		"log.dirs":              "/d flag --data-dir",
		"log.retention.ms":      "(none) default",
		"group.max.size":        "2147483647 default",
		"num.io.threads":        "8 default accepted, no effect here",
		"authorizer.class.name": `"" default refused: not in this build`,
		"advertised.listeners":  "auto default",
	} {
		if rows[key] != want {
			t.Errorf("%s is shown %q, want %q", key, rows[key], want)
		}
	}
	if len(rows) < 300 {
		t.Errorf("%d keys are shown", len(rows))
	}
}

func TestConfigOnlySet(t *testing.T) {
	_, out, _ := typed([]string{"OTTLA_NUM_PARTITIONS=3"}, "config", "--only-set")
	if strings.Join(strings.Fields(out), " ") != "num.partitions 3 environment OTTLA_NUM_PARTITIONS" {
		t.Errorf("%q", out)
	}
}

func TestConfigAsJSON(t *testing.T) {
	code, out, errs := typed(nil, "config", "--json")
	var rows []map[string]any
	if err := json.Unmarshal([]byte(out), &rows); err != nil || code != 0 {
		t.Fatal(code, err, errs)
	}
	for _, r := range rows {
		for _, field := range []string{"key", "source", "type", "allowed", "effect", "documentation", "dynamic"} {
			if s, ok := r[field].(string); !ok || s == "" {
				t.Errorf("%v has no %s", r["key"], field)
			}
		}
	}
}

func TestMistakesAreOneClearLine(t *testing.T) {
	for _, c := range []struct {
		env  []string
		args []string
		want []string
	}{
		{nil, []string{"serve", "--set", "num.partition=3"}, []string{"num.partition=3", "flag --set", "num.partitions"}},
		{nil, []string{"serve", "--set", "num.partitions"}, []string{"KEY=VALUE"}},
		{nil, []string{"serve", "--listen", ":9092"}, []string{"--listen", "allow.anonymous=true"}},
		{nil, []string{"serve", "--log-level", "loud"}, []string{"--log-level", "debug, info, warn, error"}},
		{nil, []string{"config", "--config", "/nowhere.yaml"}, []string{"/nowhere.yaml", "no such file"}},
		{[]string{"OTTLA_CONFIG=/nowhere.yaml"}, []string{"config"}, []string{"/nowhere.yaml"}},
		{nil, []string{"serve", "extra"}, []string{"extra"}},
		{nil, []string{"server"}, []string{"server", "serve"}},
		{nil, []string{"serve", "--no-such-flag"}, []string{"--no-such-flag"}},
		{nil, []string{"health", "--http", "localhost:0"}, []string{"--http"}},
		{nil, []string{"health", "--http", ""}, []string{"http.listen"}},
	} {
		code, out, errs := typed(c.env, c.args...)
		if code != 1 || out != "" || !strings.HasPrefix(errs, "ottla: ") {
			t.Errorf("%q: exit %d, stdout %q, stderr %q", c.args, code, out, errs)
		}
		for _, part := range c.want {
			if !strings.Contains(errs, part) {
				t.Errorf("%q: %q lacks %q", c.args, errs, part)
			}
		}
	}
}

func TestHealthAsksReadiness(t *testing.T) {
	answer, code := "ready", 200
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			w.WriteHeader(404)
			return
		}
		w.WriteHeader(code)
		fmt.Fprintln(w, answer)
	}))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	// A proxy in the environment must not be asked.
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	if code, out, errs := typed(nil, "health", "--http", address); code != 0 || out != "ready\n" {
		t.Errorf("ready: exit %d, %q %q", code, out, errs)
	}
	if code, out, errs := typed([]string{"OTTLA_HTTP_LISTEN=" + address}, "health"); code != 0 || out != "ready\n" {
		t.Errorf("by environment: exit %d, %q %q", code, out, errs)
	}
	answer, code = "not ready: draining", 503
	if code, _, errs := typed(nil, "health", "--http", address); code != 1 || !strings.Contains(errs, "draining") {
		t.Errorf("draining: exit %d, %q", code, errs)
	}
	server.Close()
	if code, _, errs := typed(nil, "health", "--http", address); code != 1 || !strings.Contains(errs, "refused") {
		t.Errorf("gone: exit %d, %q", code, errs)
	}
}

func TestHealthAsksWhereTheBrokerListens(t *testing.T) {
	for listen, want := range map[string]string{
		"localhost:9404": "localhost:9404", ":9404": "localhost:9404", "0.0.0.0:9404": "localhost:9404", "[::]:9404": "localhost:9404",
		"10.0.0.7:9404": "10.0.0.7:9404",
	} {
		if got, err := askAt(listen); err != nil || got != want {
			t.Errorf("%s is asked at %s %v", listen, got, err)
		}
	}
}

func TestVersionSaysWhatItIsBuiltFrom(t *testing.T) {
	line := buildLine(&debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: "true"},
	}})
	for _, part := range []string{"v1.2.3", "0123456789ab", "not committed", "go1."} {
		if !strings.Contains(line, part) {
			t.Errorf("%q lacks %q", line, part)
		}
	}
	if code, out, _ := typed(nil, "version"); code != 0 || !strings.HasPrefix(out, "ottla ") {
		t.Errorf("exit %d: %q", code, out)
	}
	if line := buildLine(nil); !strings.HasPrefix(line, "ottla (devel)") {
		t.Error(line)
	}
}

func TestExplainNamesPathOwnerAndUser(t *testing.T) {
	above := t.TempDir()
	dir := filepath.Join(above, "not", "there")
	err := explain(fmt.Errorf("open: %w", fs.ErrPermission), []string{dir})
	for _, part := range []string{dir, above, fmt.Sprintf("uid %d must", os.Getuid()), fmt.Sprintf("belongs to uid %d", os.Getuid()), "drwx"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q lacks %q", err, part)
		}
	}
	if err := explain(syscall.EROFS, []string{dir}); !strings.Contains(err.Error(), "read-only") || !errors.Is(err, syscall.EROFS) {
		t.Error(err)
	}
	if other := errors.New("other"); explain(other, []string{dir}) != other {
		t.Error("an error about something else is changed")
	}
}
