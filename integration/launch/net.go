package launch

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"time"
)

// FreePort finds a port that nobody listens on, below the range that the kernel gives to outgoing connections: while a
// broker is down its own clients' connections cannot take its port, nor connect to themselves.
func FreePort() int {
	for {
		port := 15000 + rand.IntN(15000)
		l, err := net.Listen("tcp", fmt.Sprintf(":%d", port)) // every address, of both families
		if err == nil {
			l.Close()
			return port
		}
	}
}

// Answers tells whether a broker answers an ApiVersions request at addr.
func Answers(addr string) bool {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	// length · key 18 · version 0 · correlation id · null client id
	if _, err := c.Write([]byte{0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff}); err != nil {
		return false
	}
	var head [10]byte // length · correlation id · error code
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return false
	}
	return binary.BigEndian.Uint32(head[4:]) == 7 && head[8] == 0 && head[9] == 0
}
