// Package mutant names the invariants of the log that can be broken on purpose, so that the tests can be tested: a build
// with the tag "mutant" breaks the one that the environment's OTTLA_MUTANT names, and a test must notice. Any other build
// breaks none, and the compiler removes the question.
package mutant

// Name is an invariant that is broken.
type Name string

// The mutants. All says what each does and which test notices.
const (
	// SkipDirSync leaves out the sync of a partition's directory.
	SkipDirSync Name = "skip-dir-sync"
	// AckBeforeSync calls an append flushed before it is.
	AckBeforeSync Name = "ack-before-sync"
	// SkipCRC takes every checksum for right.
	SkipCRC Name = "skip-crc"
	// SkipContinuity takes every batch to follow the one before it.
	SkipContinuity Name = "skip-continuity"
)

// Mutant says what is broken, and which test of which package must fail.
type Mutant struct {
	Name    Name
	Breaks  string
	Package string // below the module
	Test    string // for go test -run
}

// All are the mutants that are built in.
var All = []Mutant{}
