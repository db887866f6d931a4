package compat

import (
	"bufio"
	"io"
)

// eachLine sends what r says, line by line, until it ends.
func eachLine(r io.Reader, to chan<- string) {
	defer close(to)
	for s := bufio.NewScanner(r); s.Scan(); {
		to <- s.Text()
	}
}
