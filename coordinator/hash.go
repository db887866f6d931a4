package coordinator

import (
	"math"
	"unicode/utf16"
	"unicode/utf8"
)

// PartitionFor is the partition of an internal topic that coordinates a group or a transactional id: Java's hash of the
// name, so that a topic written by Apache Kafka is read where it was written.
func PartitionFor(name string, partitions int32) int32 {
	h := javaHash(name)
	if h == math.MinInt32 {
		return 0
	}
	return max(h, -h) % partitions
}

// javaHash is java.lang.String.hashCode, which counts in UTF-16.
func javaHash(s string) int32 {
	var h int32
	for _, r := range s {
		if r > math.MaxUint16 && r <= utf8.MaxRune {
			high, low := utf16.EncodeRune(r)
			h = 31*(31*h+high) + low
			continue
		}
		h = 31*h + r
	}
	return h
}
