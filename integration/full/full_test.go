package full

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ottla/ottla/integration/launch"
	"github.com/ottla/ottla/integration/results"
	"github.com/ottla/ottla/integration/verifier"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

func start(t *testing.T, d *disk) *launch.Broker {
	t.Helper()
	if launch.Against() == "kafka" {
		t.Skip("Kafka keeps no reserve")
	}
	return launch.Start(t, launch.Options{
		DataDir: d.mount + "/data",
		Set:     map[string]string{"offsets.topic.num.partitions": "1", "log.segment.delete.delay.ms": "1000"},
	})
}

// ways are how a disk gets room again.
var ways = []struct {
	name string
	free func(c *clients, spare, others string) error
}{
	{"a topic is deleted", func(c *clients, spare, _ string) error { return c.drop(spare) }},
	{"records are deleted", func(c *clients, spare, _ string) error {
		ends, err := c.admin.ListEndOffsets(c.ctx, spare)
		if err != nil {
			return err
		}
		delete(c.acked, spare)
		answers, err := c.admin.DeleteRecords(c.ctx, ends.Offsets())
		return errors.Join(err, answers.Error())
	}},
	{"a retention is lowered", func(c *clients, spare, _ string) error {
		delete(c.acked, spare)
		answers, err := c.admin.AlterTopicConfigs(c.ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.bytes", Value: kadm.StringPtr("1")}}, spare)
		for _, a := range answers {
			err = errors.Join(err, a.Err)
		}
		return err
	}},
	{"other software goes away", func(_ *clients, _, others string) error { return os.Remove(others) }},
	{"the limit is lowered", func(c *clients, _, _ string) error {
		answers, err := c.admin.AlterBrokerConfigs(c.ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "log.dir.free.min.bytes", Value: kadm.StringPtr("1000000")}})
		for _, a := range answers {
			err = errors.Join(err, a.Err)
		}
		return err
	}},
}

// TestFullAndBack produces until the disk is full. Then reading, committing, deleting and all metadata go on, and when
// there is room, producing does. Asked for more than its five fills (OTTLA_CRASH_CYCLES) it does them on ext4, too.
func TestFullAndBack(t *testing.T) {
	counters := results.Begin(t, 16)
	for kind := range kinds {
		if kind != "tmpfs" && verifier.Cycles(t, len(ways)) == len(ways) {
			continue
		}
		t.Run(kind, func(t *testing.T) {
			d := newDisk(t, kind)
			b := start(t, d)
			c := newClients(t, b)
			if err := c.create("kept"); err != nil {
				t.Fatal(err)
			}
			for i, way := range ways {
				others := d.others(10 << 20)
				spare, filled := fmt.Sprintf("spare-%d", i), fmt.Sprintf("filled-%d", i)
				if err := errors.Join(c.create(spare), c.create(filled)); err != nil {
					t.Fatal(err)
				}
				if c.fill(spare, 250) || !c.fill(filled, 3000) {
					t.Fatalf("%s: the disk is not full when it should be: %d bytes are free", way.name, d.free())
				}
				if free := d.free(); free < diskBytes/100*3 {
					t.Errorf("%s: of the reserve %d bytes are left", way.name, free)
				}
				c.alive(i, spare)
				if err := way.free(c, spare, others); err != nil {
					t.Fatalf("%s: %v", way.name, err)
				}
				c.goesOn(filled)
				c.verify()
				counters.Count(1, c.count())
				os.Remove(others)
				for _, topic := range []string{spare, filled} {
					if err := c.drop(topic); err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
						t.Fatal(err)
					}
				}
				for d.free() < diskBytes/10*7 { // file.delete.delay.ms
					if time.Sleep(20 * time.Millisecond); c.ctx.Err() != nil {
						t.Fatalf("deleted topics stay on the disk: %d bytes are free", d.free())
					}
				}
			}
			if err := b.Stop(); err != nil {
				t.Fatal(err)
			}
			if _, err := b.Restart(); err != nil {
				t.Fatal(err)
			}
			c.verify()
			c.nothingOffline()
		})
	}
}

// alive does everything that is not producing.
func (c *clients) alive(i int, topic string) {
	c.t.Helper()
	err := c.produce(topic)
	if !errors.Is(err, kerr.KafkaStorageError) {
		c.t.Fatalf("a record is taken, or refused otherwise: %v", err)
	}
	name := fmt.Sprintf("while-full-%d", i)
	for what, do := range map[string]func() error{
		"committing":       func() error { return c.commit("group", "kept", int64(i)) },
		"creating a topic": func() error { return c.create(name) },
		"deleting a topic": func() error { return errors.Join(c.create(name+"-gone"), c.drop(name+"-gone")) },
		"reading":          func() error { return c.read(topic, c.acked[topic]) },
		"deleting records": func() error {
			var o kadm.Offsets
			o.Add(kadm.Offset{Topic: topic, Partition: 0, At: 1})
			delete(c.acked[topic], place{0, 0})
			answers, err := c.admin.DeleteRecords(c.ctx, o)
			return errors.Join(err, answers.Error())
		},
	} {
		if err := do(); err != nil {
			c.t.Errorf("%s on a full disk: %v", what, err)
		}
	}
	if state := c.metric("ottla_log_dir_space_state"); state != "2" {
		c.t.Errorf("ottla_log_dir_space_state is %s", state)
	}
	if len(c.broker.Said("the disk is full", "log.dir.free.min.bytes")) == 0 {
		c.t.Error("the broker does not say that the disk is full")
	}
	c.nothingOffline()
}

func (c *clients) nothingOffline() {
	c.t.Helper()
	if n := c.metric("ottla_offline_partitions"); n != "0" {
		c.t.Errorf("%s partitions are offline", n)
	}
}

// metric is the value of the first line of a metric.
func (c *clients) metric(name string) string {
	answer, err := http.Get("http://" + c.broker.HTTP + "/metrics")
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, name+"{") || strings.HasPrefix(line, name+" ") {
			return strings.Fields(line)[len(strings.Fields(line))-1]
		}
	}
	return "missing"
}

// TestOthersTakeEverything fills the disk beyond the reserve, which others can: what must be written fails, nothing that
// was acknowledged is lost, and all goes on by itself when they are gone.
func TestOthersTakeEverything(t *testing.T) {
	counters := results.Begin(t, 16)
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			d := newDisk(t, kind)
			c := newClients(t, start(t, d))
			if err := c.create("topic"); err != nil {
				t.Fatal(err)
			}
			for i := range 3 {
				c.fill("topic", 40)
				if err := c.commit("group", "topic", int64(i)); err != nil {
					t.Fatal(err)
				}
				others := d.others(math.MaxInt64)
				for range 20 {
					if err := c.produce("topic"); err != nil && !errors.Is(err, kerr.KafkaStorageError) {
						t.Fatalf("producing: %v", err)
					}
				}
				_ = c.commit("group", "topic", int64(100+i)) // whatever is answered: it must be true
				c.nothingOffline()
				if err := os.Remove(others); err != nil {
					t.Fatal(err)
				}
				c.goesOn("topic")
				name := fmt.Sprintf("after-%d", i)
				var err error
				for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
					if err = c.create(name); err == nil || errors.Is(err, kerr.TopicAlreadyExists) {
						break
					}
				}
				if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
					t.Fatalf("metadata cannot be written any more: %v", err)
				}
				c.verify()
				c.nothingOffline()
				counters.Count(1, c.count())
			}
		})
	}
}

// TestStartOnAFullDisk kills a broker at work, fills its disk to the last byte, and starts it several times: it serves, or
// ends and says why, and when there is room everything is there.
func TestStartOnAFullDisk(t *testing.T) {
	counters := results.Begin(t, 17)
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			d := newDisk(t, kind)
			b := start(t, d)
			c := newClients(t, b)
			if err := c.create("topic"); err != nil {
				t.Fatal(err)
			}
			for cycle := range 3 {
				c.fill("topic", 30)
				if err := c.commit("group", "topic", int64(cycle)); err != nil {
					t.Fatal(err)
				}
				b.Kill()
				others := d.others(math.MaxInt64)
				started := 0
				for range 3 {
					if _, err := b.Restart(); err != nil {
						if !strings.Contains(err.Error(), "no space left on device") {
							t.Fatalf("ended on a full disk without a word of it: %v", err)
						}
						continue
					}
					started++
					c.verify()
					b.Kill()
				}
				if err := os.Remove(others); err != nil {
					t.Fatal(err)
				}
				if _, err := b.Restart(); err != nil {
					t.Fatal(err)
				}
				t.Logf("%d of 3 starts on a full disk served", started)
				c.verify()
				c.nothingOffline()
				counters.Count(4, c.count())
				c.goesOn("topic")
			}
		})
	}
}
