package record

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/kafka-4.3.1.golden anew")

// What Kafka wrote is decoded, shown, and encoded to the same bytes.
func TestKafkasRecords(t *testing.T) {
	captured, err := os.ReadFile("testdata/kafka-4.3.1.txt")
	if err != nil {
		t.Fatal(err)
	}
	var shown strings.Builder
	for line := range strings.Lines(string(captured)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		words := strings.Fields(line)
		if words[0] == "__cluster_metadata" {
			showMetadata(t, &shown, unhex(t, words[1]))
		} else {
			showKeyValue(t, &shown, words[0], unhex(t, words[1]), unhex(t, words[2]))
		}
	}
	const golden = "testdata/kafka-4.3.1.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(shown.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if shown.String() != string(want) {
		t.Errorf("decoded otherwise than %s says:\n%s", golden, &shown)
	}
}

func unhex(t *testing.T, s string) []byte {
	if s == "null" {
		return nil
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func showMetadata(t *testing.T, out *strings.Builder, b []byte) {
	r, err := ReadMetadata(b)
	if err != nil {
		t.Fatalf("%x: %v", b, err)
	}
	version := int16(b[2])
	if again := AppendMetadataVersion(nil, r, version); !bytes.Equal(again, b) {
		t.Errorf("%T: encoded as\n%x, Kafka wrote\n%x", r, again, b)
	}
	fmt.Fprintf(out, "%s version %d %s\n", name(r), version, text(r))
}

func showKeyValue(t *testing.T, out *strings.Builder, topic string, key, value []byte) {
	read := map[string]func([]byte) (Key, error){
		"__consumer_offsets": ReadGroupKey, "__transaction_state": ReadTransactionKey, "__share_group_state": ReadShareKey,
	}[topic]
	k, err := read(key)
	if err != nil {
		t.Fatalf("%s %x: %v", topic, key, err)
	}
	if again := AppendKey(nil, k); !bytes.Equal(again, key) {
		t.Errorf("%T: encoded as\n%x, Kafka wrote\n%x", k, again, key)
	}
	v, err := ReadValue(k, value)
	if err != nil {
		t.Fatalf("%s %x: %v", topic, value, err)
	}
	fmt.Fprintf(out, "%s %s", name(k), text(k))
	if v == nil {
		fmt.Fprintln(out, " = tombstone")
		return
	}
	version := int16(binary.BigEndian.Uint16(value))
	if again := AppendValue(nil, v, version); !bytes.Equal(again, value) {
		t.Errorf("%T: encoded as\n%x, Kafka wrote\n%x", v, again, value)
	}
	fmt.Fprintf(out, " = version %d %s\n", version, text(v))
}

func name(m Message) string { return strings.TrimPrefix(fmt.Sprintf("%T", m), "*record.") }

// text shows a message in one line, ids in hexadecimal.
func text(m Message) string {
	b, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestUnknownAndCorrupt(t *testing.T) {
	offsetKey := AppendKey(nil, &OffsetCommitKey{Group: "g", Topic: "t", Partition: 1})
	for _, c := range []struct {
		name string
		err  func() error
		want error
	}{
		{"key of a newer Kafka", func() error { _, err := ReadGroupKey([]byte{0, 99, 1}); return err }, ErrUnknown},
		{"negative key", func() error { _, err := ReadGroupKey([]byte{0xff, 0xff}); return err }, ErrUnknown},
		{"key of one byte", func() error { _, err := ReadGroupKey([]byte{0}); return err }, ErrCorrupt},
		{"key cut short", func() error { _, err := ReadGroupKey(offsetKey[:len(offsetKey)-1]); return err }, ErrCorrupt},
		{"key with more after it", func() error { _, err := ReadGroupKey(append(offsetKey, 0)); return err }, ErrCorrupt},
		{"value of a newer Kafka", func() error { _, err := ReadValue(new(OffsetCommitKey), []byte{0, 99}); return err }, ErrUnknown},
		{"value of one byte", func() error { _, err := ReadValue(new(OffsetCommitKey), []byte{0}); return err }, ErrCorrupt},
		{"metadata record of a newer Kafka", func() error { _, err := ReadMetadata([]byte{1, 99, 0}); return err }, ErrUnknown},
		{"metadata record in a newer version", func() error { _, err := ReadMetadata([]byte{1, 2, 9}); return err }, ErrUnknown},
		{"metadata record in a huge version", func() error { _, err := ReadMetadata([]byte{1, 2, 0x80, 0x80, 4}); return err }, ErrUnknown},
		{"metadata frame of a newer Kafka", func() error { _, err := ReadMetadata([]byte{2, 2, 0}); return err }, ErrUnknown},
		{"metadata frame cut short", func() error { _, err := ReadMetadata([]byte{1, 2}); return err }, ErrCorrupt},
		{"transaction key of a newer Kafka", func() error { _, err := ReadTransactionKey([]byte{0, 1}); return err }, ErrUnknown},
		{"share key of a newer Kafka", func() error { _, err := ReadShareKey([]byte{0, 2}); return err }, ErrUnknown},
	} {
		if err := c.err(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if v, err := ReadValue(new(OffsetCommitKey), nil); v != nil || err != nil {
		t.Errorf("a tombstone is %v, %v", v, err)
	}
}
