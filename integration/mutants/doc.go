// Package mutants tests the tests: each invariant of the log that a build with the tag "mutant" can break (logstore/mutant)
// is broken, and the test named for it must fail.
package mutants
