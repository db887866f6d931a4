package hostile

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// strangers are what clients of other services say first. Each one's first four bytes are a length that no request has.
func strangers() map[string][]byte {
	return map[string][]byte{
		"HTTP/1":        []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
		"HTTP POST":     []byte("POST /topics/t HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"),
		"HTTP/2":        []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
		"SSH":           []byte("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"),
		"TLS":           append([]byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3}, make([]byte, 509)...),
		"PROXY v1":      []byte("PROXY TCP4 127.0.0.1 127.0.0.1 56324 9092\r\n"),
		"PROXY v2":      append([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c"), 127, 0, 0, 1, 127, 0, 0, 1, 0xdc, 4, 0x23, 0x84),
		"Redis":         []byte("*1\r\n$4\r\nPING\r\n"),
		"SMTP":          []byte("EHLO localhost\r\n"),
		"PostgreSQL":    {0x12, 0x34, 0x56, 0x78, 0, 3, 0, 0},
		"AMQP":          []byte("AMQP\x00\x00\x09\x01"),
		"MQTT":          []byte("\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04test"),
		"zeros":         make([]byte, 1000),
		"ones":          bytes.Repeat([]byte{0xff}, 1000),
		"control bytes": []byte("\x1b[2J\n\nlevel=ERROR msg=\"not the broker's words\"\n"),
	}
}

// Who takes the port for another service's is closed at once, with one line that says what it spoke.
func TestStrangersAreClosedWithOneLineEach(t *testing.T) {
	b := attack(t, nil)
	for name, says := range strangers() {
		p := b.dial(t)
		if err := p.write(says); err != nil && !isReset(err) {
			t.Errorf("%s: %v", name, err)
		}
		if err := p.ended(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		from := "client=" + p.LocalAddr().String()
		eventually(t, name+" has no line in the log", func() bool { return len(b.Said(from)) > 0 })
		lines := b.Said(from)
		if len(lines) != 1 {
			t.Errorf("%s: %d lines: %q", name, len(lines), lines)
		}
		for _, word := range []string{"HTTP", "SSH", "TLS", "PROXY"} {
			if strings.HasPrefix(name, word) && !strings.Contains(lines[0], word) {
				t.Errorf("the line does not tell that this was %s: %s", word, lines[0])
			}
		}
	}
	if lines := b.Said("level=ERROR"); len(lines) > 0 {
		t.Errorf("lines of the log that clients wrote: %q", lines)
	}
}

// A flood of strangers leaves others served and the log readable.
func TestFloodOfStrangers(t *testing.T) {
	b := attack(t, nil)
	random, _ := seeded(t)
	n := scale(5000, 1000, 100_000)
	other := b.dial(t)
	began := time.Now()
	for i := range n {
		says := make([]byte, 4+random.IntN(200))
		for i := range says {
			says[i] = byte(random.Uint32())
		}
		says[0] |= 0x08 // beyond the largest length
		p, err := b.dialed()
		if err != nil {
			t.Fatal(err)
		}
		if err := p.write(says); err != nil && !isReset(err) {
			t.Fatal(err)
		}
		if err := p.ended(); err != nil {
			t.Fatalf("% x: %v", says[:4], err)
		}
		p.Close()
		if i%100 == 0 {
			mustAsk[*kmsg.MetadataResponse](t, other, metadataOf())
		}
	}
	took := time.Since(began)
	lines := b.Said("connection closed")
	t.Logf("FIGURE %d connections that spoke nonsense in %v: %d lines in the log", n, took.Round(time.Millisecond), len(lines))
	if most := 20 + int(took/(5*time.Second)) + 1; len(lines) > most {
		t.Errorf("%d lines in the log, want at most %d", len(lines), most)
	}
	if closed, _ := b.metric(`ottla_connections_closed_total{reason="protocol"}`); int(closed) != n {
		t.Errorf("%v connections are counted, want %d", closed, n)
	}
}
