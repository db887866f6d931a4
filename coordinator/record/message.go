package record

import (
	"errors"
	"fmt"
)

// Message is what all records have in common.
type Message interface {
	// Append appends the body in a version from the message's lowest to MaxVersion.
	Append(dst []byte, version int16) []byte
	// Decode reads the whole body.
	Decode(src []byte, version int16) error
	// MaxVersion is the newest version that this package knows.
	MaxVersion() int16
}

// ErrUnknown is wrapped by the error for a record whose number or version this package does not know: a newer Kafka wrote it.
var ErrUnknown = errors.New("unknown to this build")

// ErrCorrupt is wrapped by the error for bytes that are not what they should be.
var ErrCorrupt = errors.New("corrupt record")

func checkVersion(name string, version, low, high int16) error {
	if version < low || version > high {
		return fmt.Errorf("%s version %d, of %d to %d: %w", name, version, low, high, ErrUnknown)
	}
	return nil
}

// mustVersion: what is written is in a version that the caller chose from those that are.
func mustVersion(name string, version, low, high int16) {
	if err := checkVersion(name, version, low, high); err != nil {
		panic("record: " + err.Error())
	}
}

// lost is the message of the panic for a value that a version has no place for.
func lost(name string, version int16, field string) string {
	return fmt.Sprintf("record: %s version %d has no %s", name, version, field)
}
