package logstore

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ottla/ottla/protocol"
)

// Damage is a place in a segment where something else stands than was written there.
type Damage struct {
	File     string
	Position int64
	Offset   int64 // the one that should come there, -1 if that is not known
	Err      error

	seg *segment
	// seenAt is where a shorter walk than the one that found the place came to a stop.
	seenAt int64
}

func (d *Damage) Error() string {
	about := ""
	if d.Offset >= 0 {
		about = fmt.Sprintf(", at or about offset %d", d.Offset)
	}
	return fmt.Sprintf("%s is damaged at byte %d%s: %v: the bytes are kept; restore the file from a replica or a backup, have consumers go on behind it, or delete the partition",
		d.File, d.Position, about, d.Err)
}

func (d *Damage) Unwrap() error { return d.Err }

// damage says that the segment's bytes at position are not what was written there, and what to do. A cause that is the
// disk's own proves nothing about them, and stays what it is.
func (l *Log) damage(s *segment, position int64, cause error) error {
	return l.damageAt(s, position, -1, cause)
}

func (l *Log) damageAt(s *segment, position, offset int64, cause error) error {
	if !isDamage(cause) {
		return cause
	}
	return &Damage{s.path(logExt), position, offset, cause, s, position}
}

// corruptAnswer is what a client is told of damage: CORRUPT_MESSAGE.
type corruptAnswer struct {
	answer error
	damage *Damage
}

func (c *corruptAnswer) Error() string   { return c.answer.Error() }
func (c *corruptAnswer) Unwrap() []error { return []error{c.answer, c.damage} }

// maxDamages bounds what is remembered of a log.
const maxDamages = 64

// report tells of trouble that a reader came upon: of damage once for each place.
func (l *Log) report(err error) {
	var d *Damage
	switch {
	case errors.As(err, &d):
		l.reportDamage(d)
	case protocol.CodeOf(err) == protocol.KafkaStorageError && l.Err() == nil:
		l.reportUnreadable(err)
	}
}

func (l *Log) reportDamage(d *Damage) {
	l.mu.Lock()
	known, told := len(l.damages) == maxDamages, len(l.damages) == maxDamages
	for _, o := range l.damages {
		if o.seg == d.seg && o.Position == d.Position {
			told = true
			known = known || o.seenAt == d.seenAt
		}
	}
	if !known {
		l.damages = append(l.damages, d)
	}
	l.mu.Unlock()
	if f := l.store.events.Damaged; f != nil && !told {
		f(l.tp, *d)
	}
}

const unreadableEveryMs = 60_000

func (l *Log) reportUnreadable(err error) {
	now := l.store.now().UnixMilli()
	l.mu.Lock()
	due := l.unreadableAt == 0 || now-l.unreadableAt >= unreadableEveryMs || now < l.unreadableAt
	if due {
		l.unreadableAt = now
	}
	l.mu.Unlock()
	if f := l.store.events.Unreadable; f != nil && due {
		f(l.tp, err)
	}
}

// knownDamage is what is known of a place where a walk came to a stop, nil for nothing.
func (l *Log) knownDamage(s *segment, position int64) *Damage {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.damages {
		if d.seg == s && d.seenAt == position {
			return d
		}
	}
	return nil
}

// Damages are the damaged places that readers and the scrub have come upon since the start.
func (l *Log) Damages() (places []Damage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, d := range l.damages {
		again := slices.ContainsFunc(l.damages[:i], func(o *Damage) bool { return o.seg == d.seg && o.Position == d.Position })
		if !again && slices.Contains(l.segments, d.seg) {
			places = append(places, *d)
		}
	}
	return places
}

// storageError is how trouble with files is answered to clients: CORRUPT_MESSAGE for damage, else KAFKA_STORAGE_ERROR.
func (l *Log) storageError(err error) error {
	var d *Damage
	switch code := protocol.CodeOf(err); {
	case code == protocol.KafkaStorageError || code == protocol.CorruptMessage:
		return err
	case errors.As(err, &d):
		return &corruptAnswer{protocol.Errorf(protocol.CorruptMessage, "%s: %v", l.tp, err), d}
	case isDamage(err):
		return protocol.Errorf(protocol.CorruptMessage, "%s: %v", l.tp, err)
	}
	l.store.suspect(err)
	return protocol.Errorf(protocol.KafkaStorageError, "%s: %v", l.tp, err)
}
