package record

import "fmt"

// ReadSubscription reads what a consumer of the classic protocol says in JoinGroup: int16 version · body. It is the
// consumers' own affair: as in Kafka, a version newer than is known here is read as the newest that is, and what follows
// is left alone.
func ReadSubscription(src []byte) (*ConsumerProtocolSubscription, error) {
	s := new(ConsumerProtocolSubscription)
	return s, readConsumer(src, "ConsumerProtocolSubscription", s.MaxVersion(), s.decode)
}

// ReadAssignment reads what the leader of consumers says in SyncGroup, as ReadSubscription does.
func ReadAssignment(src []byte) (*ConsumerProtocolAssignment, error) {
	a := new(ConsumerProtocolAssignment)
	return a, readConsumer(src, "ConsumerProtocolAssignment", a.MaxVersion(), a.decode)
}

func readConsumer(src []byte, name string, newest int16, decode func(*decoder, int16)) error {
	d := decoder{rest: src}
	version := d.int16()
	if version < 0 {
		return fmt.Errorf("%s version %d: %w", name, version, ErrCorrupt)
	}
	decode(&d, min(version, newest))
	d.rest = nil
	return d.end(name)
}
