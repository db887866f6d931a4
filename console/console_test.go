package console

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func options() (Options, *prometheus.Registry) {
	registry := prometheus.NewRegistry()
	return Options{Status: new(Status), Metrics: registry, Log: slog.New(slog.DiscardHandler)}, registry
}

func ask(t *testing.T, h http.Handler, method, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w.Code, w.Body.String()
}

func TestReadyFollowsTheBroker(t *testing.T) {
	o, _ := options()
	h := handler(o)
	for _, c := range []struct {
		do   func()
		code int
		text string
	}{
		{func() {}, 503, "not ready: starting"},
		{func() { o.Status.NotReady("recovering 3 partitions") }, 503, "not ready: recovering 3 partitions"},
		{o.Status.Ready, 200, "ready"},
		{func() { o.Status.NotReady("draining") }, 503, "not ready: draining"},
	} {
		c.do()
		if code, text := ask(t, h, "GET", "/readyz"); code != c.code || !strings.HasPrefix(text, c.text) {
			t.Errorf("%d %q, want %d %q", code, text, c.code, c.text)
		}
		if code, _ := ask(t, h, "GET", "/livez"); code != 200 {
			t.Errorf("livez: %d", code)
		}
	}
}

func TestOnlyWhatIsThere(t *testing.T) {
	o, _ := options()
	h := handler(o)
	for path, want := range map[string]int{"/": 200, "/livez": 200, "/nope": 404, "/debug/pprof/": 404, "/livez/x": 404} {
		if code, _ := ask(t, h, "GET", path); code != want {
			t.Errorf("GET %s: %d, want %d", path, code, want)
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE"} {
		if code, _ := ask(t, h, method, "/readyz"); code != 405 {
			t.Errorf("%s /readyz: %d", method, code)
		}
	}
	if code, _ := ask(t, h, "HEAD", "/livez"); code != 200 {
		t.Errorf("HEAD: %d", code)
	}
}

func TestMetrics(t *testing.T) {
	o, registry := options()
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: "ottla_test_total", Help: "Counts."})
	registry.MustRegister(c)
	c.Add(3)
	code, text := ask(t, handler(o), "GET", "/metrics")
	if code != 200 || !strings.Contains(text, "ottla_test_total 3") {
		t.Errorf("%d %s", code, text)
	}
	if strings.Contains(text, "go_goroutines") {
		t.Error("metrics of the default registry are shown: only the one handed in may be")
	}
}

func TestListenAndClose(t *testing.T) {
	o, _ := options()
	o.Status.Ready()
	s, err := Listen("127.0.0.1:0", o)
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + s.Addr().String() + "/readyz"
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != 200 || string(body) != "ready\n" {
		t.Errorf("%s %s", resp.Status, body)
	}
	if _, err := Listen(s.Addr().String(), o); err == nil {
		t.Error("a taken address is taken twice")
	}
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", s.Addr().String()); err == nil {
		c.Close()
		t.Error("it still listens")
	}
}
