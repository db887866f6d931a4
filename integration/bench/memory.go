package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

// idleConnections is how many connections the memory of one is measured over.
const idleConnections = 1000

// memory tells how much of the broker is resident: idle, and with idle connections.
func (b *bench) memory() error {
	broker, err := b.start(nil)
	if err != nil {
		return err
	}
	defer b.end(broker)
	time.Sleep(time.Second) // to settle
	idle, err := resident(broker.PID())
	if err != nil {
		fmt.Println("resident memory is not known on this system:", err)
		return nil
	}
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	for range idleConnections {
		c, err := net.Dial("tcp", broker.Bootstrap)
		if err != nil {
			return err
		}
		conns = append(conns, c)
		if err := greet(c); err != nil {
			return err
		}
	}
	time.Sleep(time.Second)
	busy, err := resident(broker.PID())
	if err != nil {
		return err
	}
	fmt.Printf("%-52s %.1f MiB\n", "resident, idle", mib(idle))
	fmt.Printf("%-52s %+.1f MiB\n", fmt.Sprintf("resident, %d idle connections more", idleConnections), mib(busy-idle))
	return nil
}

// greet asks ApiVersions, as every client does first.
func greet(c net.Conn) error {
	if _, err := c.Write([]byte{0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff}); err != nil {
		return err
	}
	var size [4]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return err
	}
	_, err := io.CopyN(io.Discard, c, int64(size[2])<<8|int64(size[3]))
	return err
}

// resident is a process's resident memory in bytes.
func resident(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kib); n == 1 {
			return kib << 10, nil
		}
	}
	return 0, fmt.Errorf("no VmRSS")
}

// processorTime is what a process has used so far, 0 where the system does not tell. In ticks of 10 ms.
func processorTime(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest) // from the third on: see proc(5)
	var user, system int64
	if len(fields) > 12 {
		fmt.Sscan(fields[11], &user)
		fmt.Sscan(fields[12], &system)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }
