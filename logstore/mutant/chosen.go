//go:build mutant

package mutant

import "os"

var chosen = Name(os.Getenv("OTTLA_MUTANT"))

// Is tells whether the invariant is broken in this build.
func Is(n Name) bool { return n == chosen }
