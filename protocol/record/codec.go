package record

import (
	"fmt"
	"strconv"
)

// Codec is how the records of a batch are compressed, as the attributes number it.
type Codec int8

// The codecs.
const (
	None Codec = iota
	Gzip
	Snappy
	LZ4
	Zstd
)

var codecNames = [...]string{"none", "gzip", "snappy", "lz4", "zstd"}

func (c Codec) String() string {
	if !c.Valid() {
		return "codec " + strconv.Itoa(int(c))
	}
	return codecNames[c]
}

// Valid tells whether the codec exists.
func (c Codec) Valid() bool { return c >= None && int(c) < len(codecNames) }

// ParseCodec reads a codec's name. "uncompressed" is the name that compression.type gives to None.
func ParseCodec(name string) (Codec, error) {
	if name == "uncompressed" {
		return None, nil
	}
	for c, n := range codecNames {
		if n == name {
			return Codec(c), nil
		}
	}
	return None, fmt.Errorf("unknown compression codec %q", name)
}

// DefaultLevel is a codec's own level, and what Kafka's compression.*.level defaults to.
const DefaultLevel = -1 << 31

// DefaultMaxUncompressedBytes bounds what a batch may decompress to where the caller sets no other bound.
const DefaultMaxUncompressedBytes = 64 << 20
