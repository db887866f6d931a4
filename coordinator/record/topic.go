package record

import (
	"encoding/binary"
	"fmt"
)

// Key is the key of a record in one of the coordinators' topics. Its number says what the record is about, and stands
// before it: int16 number · body. Keys have one version, 0.
type Key interface {
	Message
	// Number is the number of the record's type.
	Number() int16
	// NewValue is an empty value of the type that belongs to the key.
	NewValue() Message
}

// AppendKey appends a key with its number.
func AppendKey(dst []byte, k Key) []byte {
	return k.Append(binary.BigEndian.AppendUint16(dst, uint16(k.Number())), 0)
}

// AppendValue appends a value with its version: int16 version · body.
func AppendValue(dst []byte, v Message, version int16) []byte {
	return v.Append(binary.BigEndian.AppendUint16(dst, uint16(version)), version)
}

// ReadGroupKey reads a key of __consumer_offsets. A number that is not known is ErrUnknown: a newer Kafka wrote it, and a
// load goes on without it.
func ReadGroupKey(src []byte) (Key, error) { return readKey(src, newGroupKey, "__consumer_offsets") }

// ReadTransactionKey reads a key of __transaction_state, as ReadGroupKey does.
func ReadTransactionKey(src []byte) (Key, error) {
	return readKey(src, newTransactionKey, "__transaction_state")
}

// ReadShareKey reads a key of __share_group_state, as ReadGroupKey does.
func ReadShareKey(src []byte) (Key, error) { return readKey(src, newShareKey, "__share_group_state") }

func readKey(src []byte, empty func(int16) Key, topic string) (Key, error) {
	if len(src) < 2 {
		return nil, fmt.Errorf("key of %d bytes in %s: %w", len(src), topic, ErrCorrupt)
	}
	number := int16(binary.BigEndian.Uint16(src))
	k := empty(number)
	if k == nil {
		return nil, fmt.Errorf("key %d in %s: %w", number, topic, ErrUnknown)
	}
	if err := k.Decode(src[2:], 0); err != nil {
		return nil, err
	}
	return k, nil
}

// ReadValue reads the value that belongs to a key. No value is a tombstone: the result is nil then.
func ReadValue(k Key, src []byte) (Message, error) {
	if src == nil {
		return nil, nil
	}
	if len(src) < 2 {
		return nil, fmt.Errorf("value of %d bytes for %T: %w", len(src), k, ErrCorrupt)
	}
	v := k.NewValue()
	if err := v.Decode(src[2:], int16(binary.BigEndian.Uint16(src))); err != nil {
		return nil, err
	}
	return v, nil
}
