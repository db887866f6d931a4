// Package console is the broker's HTTP side: whether it lives (/livez), whether it serves (/readyz), and its metrics
// (/metrics). It is up before the broker is, so that a start can be watched, and down after it.
package console
