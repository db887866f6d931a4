package verifier

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/ottla/ottla/protocol/record"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ReadAll reads every partition of the topics from its start to its end.
func ReadAll(t testing.TB, ctx context.Context, bootstrap string, topics ...string) Logs {
	t.Helper()
	admin := kadm.NewClient(Client(t, bootstrap))
	starts, err := admin.ListStartOffsets(ctx, topics...)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	ends, err := admin.ListEndOffsets(ctx, topics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	logs, unread := Logs{}, map[Partition]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		p := Partition{o.Topic, o.Partition}
		logs[p] = nil
		if start, _ := starts.Lookup(o.Topic, o.Partition); start.Offset < o.Offset {
			unread[p] = o.Offset
		}
	})
	c := Client(t, bootstrap, kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	for len(unread) > 0 {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("with %v to read: %v", unread, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			read := recordOf(r)
			p := read.partition()
			logs[p] = append(logs[p], read)
			if r.Offset+1 >= unread[p] {
				delete(unread, p)
			}
		})
	}
	return logs
}

// CheckFiles walks over every segment below a data directory that no broker has open. Each ends on a whole batch, and each
// batch follows the one before and has the checksum that it states.
func CheckFiles(dataDir string) (broken []string) {
	segments, err := filepath.Glob(filepath.Join(dataDir, "*-[0-9]*", "*.log"))
	if err != nil || len(segments) == 0 {
		return []string{fmt.Sprintf("%s has no segment: %v", dataDir, err)}
	}
	for _, name := range segments {
		if err := checkSegment(name); err != nil {
			broken = append(broken, fmt.Sprintf("%s: %v", name, err))
		}
	}
	return broken
}

func checkSegment(name string) error {
	rest, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	size, next := len(rest), int64(-1)
	for {
		var batch record.Batch
		at := size - len(rest)
		if batch, rest, err = record.Next(rest); errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("at %d of %d: %w", at, size, err)
		}
		if err := batch.CheckCRC(); err != nil {
			return fmt.Errorf("at %d of %d: %w", at, size, err)
		}
		if batch.BaseOffset() < next {
			return fmt.Errorf("at %d of %d: offset %d after %d", at, size, batch.BaseOffset(), next-1)
		}
		next = batch.NextOffset()
	}
}
