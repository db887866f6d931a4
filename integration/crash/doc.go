// Package crash kills the broker with SIGKILL again and again while it is under load, and checks what clients were
// promised: every acknowledged record is there once and in order, offsets are dense, nobody has read what is not there,
// committed offsets never go back.
package crash
