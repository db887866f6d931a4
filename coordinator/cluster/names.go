package cluster

import (
	"strings"

	"github.com/ottla/ottla/protocol"
)

// The internal topics, and the topic that the metadata log would be.
const (
	ConsumerOffsets   = "__consumer_offsets"
	TransactionState  = "__transaction_state"
	ShareGroupState   = "__share_group_state"
	MetadataTopic     = "__cluster_metadata"
	topicNameBytesMax = 249
)

// IsInternal reports whether a topic is the brokers' own.
func IsInternal(topic string) bool {
	return topic == ConsumerOffsets || topic == TransactionState || topic == ShareGroupState
}

// ValidateTopicName refuses a name that no topic may have: such a name never becomes a directory.
func ValidateTopicName(name string) error {
	switch {
	case name == "":
		return protocol.Errorf(protocol.InvalidTopicException, "A topic needs a name of 1 to %d characters.", topicNameBytesMax)
	case name == "." || name == "..":
		return protocol.Errorf(protocol.InvalidTopicException, "A topic cannot be named %q.", name)
	case len(name) > topicNameBytesMax:
		return protocol.Errorf(protocol.InvalidTopicException,
			"The topic name has %d characters; at most %d are allowed.", len(name), topicNameBytesMax)
	}
	for _, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return protocol.Errorf(protocol.InvalidTopicException,
				"The topic name %q has a character other than the ASCII letters and digits, '.', '_' and '-'.", name)
		}
	}
	return nil
}

// Metric names cannot tell '.' from '_', so two topics whose names differ in nothing else collide.
func hasCollisionChars(name string) bool { return strings.ContainsAny(name, "._") }

func unify(name string) string { return strings.ReplaceAll(name, ".", "_") }

// unifiedKey finds, by its prefix, all topics that a name collides with. No name contains the byte in between.
func unifiedKey(name string) string { return unify(name) + "\x00" + name }

// collision is an existing topic that name collides with, "" for none.
func (i *Image) collision(name string) string {
	if !hasCollisionChars(name) {
		return ""
	}
	for _, other := range i.unified.prefixed(unify(name) + "\x00") {
		if other != name {
			return other
		}
	}
	return ""
}
