//go:build !unix

package broker

// descriptorMax is how many files and sockets the process may have open, 0 where nobody knows.
func descriptorMax() int { return 0 }
