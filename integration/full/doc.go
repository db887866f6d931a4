// Package full fills file systems of its own up, under a broker's process: what is refused then, what goes on, and that
// nothing acknowledged is lost, whether the disk has room again or the broker starts on a full one.
package full
