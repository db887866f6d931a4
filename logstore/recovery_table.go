package logstore

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/ottla/ottla/logstore/mutant"
)

// What recovery does with a file is a table for each kind of file: facts, which are small enumerations, and rows. Every
// combination of facts fits exactly one row; a test walks over all. The rows' labels are what events, plans, tests and
// RECOVERY.md call them by.

// table is one kind of file.
type table struct {
	kind  string
	about string // a sentence for RECOVERY.md
	facts []fact
	rows  []row
}

// fact is a question and its possible answers.
type fact struct {
	name   string
	values []string
}

// row says what is done where every fact has one of the values named: "a|b", or either.
type row struct {
	label string
	when  []string // by table.facts
	do    verdict
	says  string // what it means; for RECOVERY.md and plans
	quiet bool   // the ordinary course of things, of which nobody is told
}

// verdict is what is done with a file, or with what stands in it.
type verdict string

const (
	doKeep    verdict = "keep"    // it is used as it is
	doLeave   verdict = "leave"   // it is not looked at, or not ours
	doNothing verdict = "nothing" // it is not there, and need not be
	doCreate  verdict = "create"  // it is written for the first time
	doRebuild verdict = "rebuild" // it is made again from the batches
	doWithout verdict = "without" // it is done without, and written again in its time
	doRemove  verdict = "remove"
	doCut     verdict = "cut"     // the end is cut off, and that is reported
	doRestart verdict = "restart" // the log begins again, empty
	doRewrite verdict = "rewrite" // its end is read past the page cache and written into a new file
	doOffline verdict = "offline" // the partition is not used, and nothing of it is touched
	doRefuse  verdict = "refuse"  // the directory is not used, and nothing in it is touched
)

// either is every value of a fact.
const either = ""

// find is the row for the facts' values.
func (t *table) find(values ...string) *row {
	var found *row
	for i := range t.rows {
		if t.rows[i].fits(values) {
			if found != nil {
				panic(fmt.Sprintf("logstore: rows %s and %s of %s both fit %q", found.label, t.rows[i].label, t.kind, values))
			}
			found = &t.rows[i]
		}
	}
	if found == nil {
		panic(fmt.Sprintf("logstore: no row of %s fits %q", t.kind, values))
	}
	return found
}

func (r *row) fits(values []string) bool {
	for i, when := range r.when {
		if when != either && when != values[i] && !isOneOf(values[i], when) {
			return false
		}
	}
	return true
}

func isOneOf(value, when string) bool {
	for one := range strings.SplitSeq(when, "|") {
		if one == value {
			return true
		}
	}
	return false
}

// Values of a fact that many kinds share: what a small file holds.
const (
	isAbsent     = "absent"
	isEmpty      = "empty" // or nothing but zeros, which is what a power cut leaves of bytes that were not synced
	isGood       = "good"
	isDamaged    = "damaged"    // it was read, and is not what was ever written
	isNewer      = "newer"      // of a version that this software does not know
	isUnreadable = "unreadable" // the disk does not give it, which proves nothing about what is there
)

var contentFact = fact{"content", []string{isAbsent, isEmpty, isGood, isDamaged, isNewer, isUnreadable}}

// contentOf puts what reading and parsing gave into one of these values.
func contentOf(data []byte, readErr, parseErr error) string {
	switch {
	case errors.Is(readErr, fs.ErrNotExist):
		return isAbsent
	case readErr != nil:
		return isUnreadable
	case len(bytes.Trim(data, "\x00")) == 0:
		return isEmpty
	case errors.Is(parseErr, errNewerVersion):
		return isNewer
	case parseErr != nil:
		return isDamaged
	}
	return isGood
}

// errNewerVersion is the error for a file of a version that this software does not know. Nothing of it is touched.
var errNewerVersion = errors.New("belongs to newer software")

// maxVersion is how far a version that is not known is believed: bytes that are noise have versions, too.
const maxVersion = 100

// versionError says that a file is not of the version known: of a newer one, or of none.
func versionError(version, known int64) error {
	if version > known && version <= maxVersion && !mutant.Is(mutant.NewerIsDamage) {
		return fmt.Errorf("version %d, of which only %d is known: it %w", version, known, errNewerVersion)
	}
	return fmt.Errorf("version %d, of which only %d is known", version, known)
}

// choose is yes or no, as values of a fact.
func choose(b bool, yes, no string) string {
	if b {
		return yes
	}
	return no
}
