// Package crash ends the broker's process in every way there is, again and again while it is under load, and checks what
// clients were promised (package verifier): SIGKILL at any moment, before a named operation on its files, while it recovers,
// and SIGTERM. The long run slows its disk, too. results.md has what these tests, those of package power and those in memory have seen so far.
package crash
