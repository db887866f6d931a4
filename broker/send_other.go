//go:build !linux

package broker

import "github.com/ottla/ottla/protocol"

// sendFile sends up to n bytes at off of a file and returns how many it sent, more than none.
func (c *conn) sendFile(f protocol.FileRange, off, n int64) (int64, error) {
	return c.copyRange(f, off, n)
}
