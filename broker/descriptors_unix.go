//go:build unix

package broker

import "syscall"

// descriptorMax is how many files and sockets the process may have open, 0 where nobody knows. The Go runtime has raised
// the soft limit to the hard one.
func descriptorMax() int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0
	}
	return int(min(l.Cur, 1<<30))
}
