package record

import (
	"encoding/binary"
	"fmt"
)

// Metadata is a record of the metadata log: a pointer to one of the structs of metadata_gen.go.
type Metadata interface {
	Message
	// Number is the number of the record's type, its api key in Kafka's words.
	Number() int16
}

// frameVersion is the version of the frame around a metadata record: uvarint frame version · uvarint number · uvarint
// version · body. Source: org.apache.kafka.raft.metadata MetadataRecordSerde.
const frameVersion = 1

// AppendMetadata appends a record with its frame, in its newest version.
func AppendMetadata(dst []byte, r Metadata) []byte {
	return AppendMetadataVersion(dst, r, r.MaxVersion())
}

// AppendMetadataVersion appends a record with its frame in a version: an older metadata.version may ask for one.
func AppendMetadataVersion(dst []byte, r Metadata, version int16) []byte {
	dst = binary.AppendUvarint(dst, frameVersion)
	dst = binary.AppendUvarint(dst, uint64(r.Number()))
	dst = binary.AppendUvarint(dst, uint64(version))
	return r.Append(dst, version)
}

// ReadMetadata reads a record with its frame, in any version of it.
func ReadMetadata(src []byte) (Metadata, error) {
	d := decoder{rest: src}
	frame, number, version := d.uvarint(), d.uvarint(), d.uvarint()
	if d.why != "" {
		return nil, d.end("metadata record")
	}
	if frame != frameVersion {
		return nil, fmt.Errorf("metadata record in frame version %d: %w", frame, ErrUnknown)
	}
	if number > 1<<15-1 || version > 1<<15-1 || newMetadata(int16(number)) == nil {
		return nil, fmt.Errorf("metadata record %d version %d: %w", number, version, ErrUnknown)
	}
	r := newMetadata(int16(number))
	if err := r.Decode(d.rest, int16(version)); err != nil {
		return nil, err
	}
	return r, nil
}
