// Package arrows holds the test that keeps imports pointing one way: from the binary down to the bytes.
package arrows
