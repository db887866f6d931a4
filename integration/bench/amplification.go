package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// amplification tells how many bytes reach the disk for one that is appended, by batch size and durability, with one
// producer that waits for each batch: the most that syncing can cost. The process's share is what it made dirty in whole
// pages; the machine's includes the file system's journal, and strangers.
func (b *bench) amplification() error {
	fmt.Println("bytes written for one appended, a batch at a time")
	for _, mode := range []string{"fsync", "pagecache"} {
		for _, size := range []int{1 << 10, 16 << 10, 128 << 10, 1000 << 10} {
			if err := b.amplified(mode, size); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) amplified(mode string, size int) error {
	broker, err := b.start(map[string]string{"log.durability": mode})
	if err != nil {
		return err
	}
	defer b.end(broker)
	if err := createDurable(broker.Bootstrap, 1, nil); err != nil {
		return err
	}
	c, err := kgo.NewClient(kgo.SeedBrokers(broker.Bootstrap), kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerBatchMaxBytes(1<<20))
	if err != nil {
		return err
	}
	defer c.Close()
	value := make([]byte, size-100) // a batch's header and a record's take the rest
	batches := min(4000, 64<<20/size)
	ctx := context.Background()
	if err := c.ProduceSync(ctx, kgo.SliceRecord(value)).FirstErr(); err != nil {
		return err
	}
	time.Sleep(3 * time.Second) // what the start and the topic still write
	calls, pages, disk := written(broker.PID())
	for range batches {
		if err := c.ProduceSync(ctx, kgo.SliceRecord(value)).FirstErr(); err != nil {
			return err
		}
	}
	time.Sleep(3 * time.Second) // page-cache mode syncs within a second, and checkpoints follow a second later
	callsAfter, pagesAfter, diskAfter := written(broker.PID())
	appended := float64(batches * size)
	fmt.Printf("  %-50s %5.2f in write calls, %5.2f in dirty pages, %5.2f to the machine's disks\n", fmt.Sprintf("%s, batches of %d KiB", mode, size>>10),
		float64(callsAfter-calls)/appended, float64(pagesAfter-pages)/appended, float64(diskAfter-disk)/appended)
	return nil
}

// written is what a process has written so far, in calls and in pages that it made dirty, and the machine to its disks.
func written(pid int) (calls, pages, disk int64) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid)) // zeros where there is none
	for line := range strings.Lines(string(text)) {
		_, _ = fmt.Sscanf(line, "wchar: %d", &calls)
		_, _ = fmt.Sscanf(line, "write_bytes: %d", &pages)
	}
	return calls, pages, diskWritten()
}
