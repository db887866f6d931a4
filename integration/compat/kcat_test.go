package compat

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ottla/ottla/integration/launch"
)

// kcat runs kcat with input, and fails the test when kcat fails. It must have nothing to complain of.
func kcat(t *testing.T, input string, args ...string) string {
	t.Helper()
	out, complaints, err := tryKcat(t, input, args...)
	if err != nil {
		t.Fatalf("kcat %s: %v\n%s", strings.Join(args, " "), err, complaints)
	}
	if complaints != "" && !shared.Broker(t).IsKafka { // which does not listen on [::1], and kcat says so
		t.Errorf("kcat %s complained:\n%s", strings.Join(args, " "), complaints)
	}
	return out
}

func tryKcat(t *testing.T, input string, args ...string) (out, complaints string, err error) {
	t.Helper()
	launch.NeedProgram(t, "kcat")
	// -q keeps kcat from telling where it stands; what is left on stderr are complaints.
	cmd := exec.CommandContext(withPatience(t), "kcat", append([]string{"-b", bootstrap(t), "-q"}, args...)...)
	var o, e bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &o, &e
	err = cmd.Run()
	return o.String(), e.String(), err
}

func TestKcatLists(t *testing.T) {
	createTopic(t, "kcat-list", 3)
	var listed struct {
		Brokers []struct {
			ID   int
			Name string
		}
		Topics []struct {
			Topic      string
			Partitions []struct{ Leader int }
		}
	}
	if err := json.Unmarshal([]byte(kcat(t, "", "-L", "-J", "-t", "kcat-list")), &listed); err != nil {
		t.Fatal(err)
	}
	if len(listed.Brokers) != 1 || listed.Brokers[0].Name != bootstrap(t) {
		t.Errorf("brokers %+v", listed.Brokers)
	}
	if len(listed.Topics) != 1 || len(listed.Topics[0].Partitions) != 3 || listed.Topics[0].Partitions[2].Leader != listed.Brokers[0].ID {
		t.Errorf("topics %+v", listed.Topics)
	}
	if text := kcat(t, "", "-L"); !strings.Contains(text, `topic "kcat-list" with 3 partitions`) {
		t.Errorf("%s", text)
	}
}

func TestKcatCodecs(t *testing.T) {
	values := numbered("value", 5000)
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		t.Run(codec, func(t *testing.T) {
			topic := "kcat-codec-" + codec // made on the way
			kcat(t, strings.Join(values, "\n")+"\n", "-P", "-t", topic, "-z", codec)
			same(t, lines(kcat(t, "", "-C", "-t", topic, "-o", "beginning", "-e")), values)
		})
	}
}

func TestKcatProducesIdempotently(t *testing.T) {
	createTopic(t, "kcat-idempotent", 4)
	values := numbered("value", 5000)
	kcat(t, strings.Join(values, "\n")+"\n", "-P", "-t", "kcat-idempotent", "-X", "enable.idempotence=true")
	sameSet(t, lines(kcat(t, "", "-C", "-t", "kcat-idempotent", "-o", "beginning", "-e")), values)
}

func TestKcatAcks(t *testing.T) {
	createTopic(t, "kcat-acks", 1)
	for _, acks := range []string{"0", "1", "-1"} {
		kcat(t, "acks "+acks+"\n", "-P", "-t", "kcat-acks", "-p", "0", "-X", "acks="+acks)
	}
	same(t, lines(kcat(t, "", "-C", "-t", "kcat-acks", "-o", "beginning", "-c", "3", "-e")), []string{"acks 0", "acks 1", "acks -1"})
}

func TestKcatKeysAndHeaders(t *testing.T) {
	createTopic(t, "kcat-headers", 1)
	kcat(t, "k1=v1\nk2=\n=v3\n", "-P", "-t", "kcat-headers", "-K=", "-Z", "-H", "colour=red", "-H", "shape=round")
	got := lines(kcat(t, "", "-C", "-t", "kcat-headers", "-o", "beginning", "-e", "-f", "%p %o [%k] %K [%s] %S %h\n"))
	same(t, got, []string{
		"0 0 [k1] 2 [v1] 2 colour=red,shape=round",
		"0 1 [k2] 2 [] -1 colour=red,shape=round", // a tombstone
		"0 2 [] -1 [v3] 2 colour=red,shape=round",
	})
}

func TestKcatOffsets(t *testing.T) {
	createTopic(t, "kcat-offsets", 2)
	values := numbered("value", 20)
	for _, v := range values { // one batch each
		kcatBatch(t, "kcat-offsets", v)
	}
	kcat(t, strings.Join(numbered("batch", 10), "\n")+"\n", "-P", "-t", "kcat-offsets", "-p", "0") // and one of ten
	from := func(offset string, want ...string) {
		t.Helper()
		same(t, lines(kcat(t, "", "-C", "-t", "kcat-offsets", "-p", "0", "-o", offset, "-e")), want)
	}
	all := append(slices.Clone(values), numbered("batch", 10)...)
	from("beginning", all...)
	from("7", all[7:]...)
	from("25", all[25:]...) // inside the batch of ten
	from("-3", all[27:]...)
	from("end")
	same(t, lines(kcat(t, "", "-C", "-t", "kcat-offsets", "-p", "0", "-o", "5", "-c", "4")), all[5:9])
	same(t, lines(kcat(t, "", "-C", "-t", "kcat-offsets", "-p", "1", "-o", "beginning", "-e")), nil)
}

func kcatBatch(t *testing.T, topic, value string) {
	kcat(t, value+"\n", "-P", "-t", topic, "-p", "0")
}

func TestKcatTimestamps(t *testing.T) {
	createTopic(t, "kcat-times", 1)
	begin := time.Now().UnixMilli()
	kcatBatch(t, "kcat-times", "first")
	between := waitForMilli(t)
	kcatBatch(t, "kcat-times", "second")
	var stamp int64
	fmt.Sscan(kcat(t, "", "-C", "-t", "kcat-times", "-o", "beginning", "-c", "1", "-f", "%T"), &stamp)
	if stamp < begin || stamp >= between {
		t.Errorf("time stamp %d is not in [%d, %d)", stamp, begin, between)
	}
	query := func(at int64, want string) {
		t.Helper()
		if got := strings.TrimSpace(kcat(t, "", "-Q", "-t", fmt.Sprintf("kcat-times:0:%d", at))); got != "kcat-times [0] offset "+want {
			t.Errorf("at %d: %s, want %s", at, got, want)
		}
	}
	query(begin, "0")
	query(between, "1")
	query(-1, "2")
	query(-2, "0")
	query(begin+3_600_000, "-1")
	same(t, lines(kcat(t, "", "-C", "-t", "kcat-times", "-o", fmt.Sprintf("s@%d", between), "-e")), []string{"second"})
	same(t, lines(kcat(t, "", "-C", "-t", "kcat-times", "-o", fmt.Sprintf("s@%d", begin), "-o", fmt.Sprintf("e@%d", between), "-e")), []string{"first"})
}

// waitForMilli waits until the clock shows another millisecond, and returns it.
func waitForMilli(t *testing.T) int64 {
	for begin, tick := time.Now().UnixMilli(), time.NewTicker(time.Millisecond); ; <-tick.C {
		if now := time.Now().UnixMilli(); now > begin+1 {
			return now
		}
	}
}

func TestKcatGroupResumes(t *testing.T) {
	createTopic(t, "kcat-group", 1)
	values := numbered("value", 300)
	kcat(t, strings.Join(values, "\n")+"\n", "-P", "-t", "kcat-group")
	for i := range 3 {
		got := kcat(t, "", "-G", "kcat-group", "-c", "100", "-X", "auto.offset.reset=earliest", "kcat-group")
		same(t, lines(got), values[100*i:100*i+100])
	}
	if got := kcat(t, "", "-G", "kcat-group", "-e", "-X", "auto.offset.reset=earliest", "kcat-group"); got != "" {
		t.Errorf("read again: %.100s", got)
	}
}

func TestKcatGroupShares(t *testing.T) {
	launch.NeedProgram(t, "kcat")
	createTopic(t, "kcat-pair", 4)
	values := numbered("value", 2000)
	kcat(t, strings.Join(values, "\n")+"\n", "-P", "-t", "kcat-pair")
	type member struct {
		lines chan string
		stop  context.CancelFunc
	}
	var members []member
	for range 2 {
		ctx, stop := context.WithCancel(withPatience(t))
		cmd := exec.CommandContext(ctx, "kcat", "-b", bootstrap(t), "-q", "-G", "kcat-pair", "-u", "-X", "auto.offset.reset=earliest", "kcat-pair")
		out, err := cmd.StdoutPipe()
		if err != nil || cmd.Start() != nil {
			t.Fatal("kcat does not start", err)
		}
		m := member{make(chan string), stop}
		members = append(members, m)
		go eachLine(out, m.lines) // ends with the process
		t.Cleanup(func() { stop(); cmd.Wait() })
	}
	var got []string
	for len(unique(got)) < len(values) {
		var line string
		ok := true
		select {
		case line, ok = <-members[0].lines:
		case line, ok = <-members[1].lines:
		case <-time.After(patience):
			t.Fatalf("%d of %d values", len(unique(got)), len(values))
		}
		if !ok {
			t.Fatal("a member ended by itself")
		}
		got = append(got, line)
	}
	sameSet(t, unique(got), values)
}

func unique(values []string) []string {
	values = slices.Clone(values)
	slices.Sort(values)
	return slices.Compact(values)
}

func TestKcatIsRefusedABadTopic(t *testing.T) {
	if _, complaints, err := tryKcat(t, "x\n", "-P", "-t", "not a topic!", "-X", "message.timeout.ms=5000"); err == nil {
		t.Errorf("accepted; %s", complaints)
	}
	kcat(t, "", "-L") // and the broker still answers
}
