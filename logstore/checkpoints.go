package logstore

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ottla/ottla/logstore/vfs"
)

// A checkpoint is Kafka's text file of version 0: the line "0", a line with the number of entries, and a line for each.
// In an offset checkpoint that is "topic partition offset", in leader-epoch-checkpoint "epoch startOffset".

const checkpointVersion = 0

// appendCheckpoint encodes a checkpoint.
func appendCheckpoint(b []byte, entries int, line func(b []byte, i int) []byte) []byte {
	b = strconv.AppendInt(b, checkpointVersion, 10)
	b = append(b, '\n')
	b = strconv.AppendInt(b, int64(entries), 10)
	b = append(b, '\n')
	for i := range entries {
		b = append(line(b, i), '\n')
	}
	return b
}

// parseCheckpoint calls line for each entry with its fields. An empty file is a checkpoint that was created and never
// written. Everything else that is not whole is an error: a checkpoint is replaced as one.
func parseCheckpoint(data []byte, line func(fields []string) error) error {
	if len(data) == 0 {
		return nil
	}
	if data[len(data)-1] != '\n' {
		return errors.New("the last line is cut off")
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	if version, err := strconv.ParseInt(strings.TrimSpace(lines[0]), 10, 64); err != nil {
		return fmt.Errorf("version %q is not a number", lines[0])
	} else if version != checkpointVersion {
		return versionError(version, checkpointVersion)
	}
	if len(lines) < 2 {
		return errors.New("the number of entries is missing")
	}
	count, err := strconv.Atoi(strings.TrimSpace(lines[1]))
	if err != nil || count != len(lines)-2 {
		return fmt.Errorf("%d entries where %q are announced", len(lines)-2, lines[1])
	}
	for i, text := range lines[2:] {
		if err := line(strings.Fields(text)); err != nil {
			return fmt.Errorf("line %d %q: %w", i+3, text, err)
		}
	}
	return nil
}

// parseOffsets reads an offset checkpoint.
func parseOffsets(data []byte) (map[TopicPartition]int64, error) {
	offsets := map[TopicPartition]int64{}
	return offsets, parseCheckpoint(data, func(fields []string) error {
		if len(fields) != 3 {
			return errors.New("want topic, partition and offset")
		}
		partition, err1 := strconv.ParseInt(fields[1], 10, 32)
		offset, err2 := strconv.ParseInt(fields[2], 10, 64)
		tp := TopicPartition{Topic: fields[0], Partition: int32(partition)}
		if err := errors.Join(err1, err2, tp.valid()); err != nil {
			return err
		}
		if offset < 0 {
			return errors.New("the offset is negative")
		}
		offsets[tp] = offset
		return nil
	})
}

// writeOffsets replaces an offset checkpoint.
func writeOffsets(fsys vfs.FS, name string, offsets map[TopicPartition]int64) error {
	return replaceFile(fsys, name, encodeOffsets(offsets))
}

func encodeOffsets(offsets map[TopicPartition]int64) []byte {
	tps := slices.SortedFunc(maps.Keys(offsets), compareTopicPartitions)
	return appendCheckpoint(make([]byte, 0, 16+48*len(tps)), len(tps), func(b []byte, i int) []byte {
		b = append(b, tps[i].Topic...)
		b = append(b, ' ')
		b = strconv.AppendInt(b, int64(tps[i].Partition), 10)
		b = append(b, ' ')
		return strconv.AppendInt(b, offsets[tps[i]], 10)
	})
}

func compareTopicPartitions(a, b TopicPartition) int {
	if c := strings.Compare(a.Topic, b.Topic); c != 0 {
		return c
	}
	return int(a.Partition) - int(b.Partition)
}

const partitionMetadataVersion = 0

// encodePartitionMetadata is the content of partition.metadata.
func encodePartitionMetadata(topicID [16]byte) []byte {
	return []byte("version: 0\ntopic_id: " + idText(topicID))
}

func parsePartitionMetadata(data []byte) (topicID [16]byte, err error) {
	version, id := "", ""
	for line := range bytes.Lines(data) {
		key, value, _ := strings.Cut(strings.TrimSpace(string(line)), ":")
		switch key {
		case "version":
			version = strings.TrimSpace(value)
		case "topic_id":
			id = strings.TrimSpace(value)
		}
	}
	if n, err := strconv.ParseInt(version, 10, 64); err != nil {
		return topicID, fmt.Errorf("version %q is not a number", version)
	} else if n != partitionMetadataVersion {
		return topicID, versionError(n, partitionMetadataVersion)
	}
	return parseID(id)
}
