package broker

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"strings"
)

// containerGateway is the default gateway of the container that we run in, invalid where we run in none.
// Docker and Podman leave a file that says so; the kernel's routing table has the gateway.
func containerGateway() netip.Addr {
	for _, mark := range []string{"/.dockerenv", "/run/.containerenv"} {
		if _, err := os.Stat(mark); err == nil {
			return defaultGateway()
		}
	}
	return netip.Addr{}
}

func defaultGateway() netip.Addr {
	routes, err := os.Open("/proc/net/route")
	if err != nil {
		return netip.Addr{}
	}
	defer routes.Close()
	for lines := bufio.NewScanner(routes); lines.Scan(); {
		// Iface Destination Gateway Flags …, addresses in hexadecimal and in the machine's byte order
		fields := strings.Fields(lines.Text())
		if len(fields) < 3 || fields[1] != "00000000" {
			continue
		}
		raw, err := hex.DecodeString(fields[2])
		if err != nil || len(raw) != 4 {
			continue
		}
		var ip [4]byte
		binary.NativeEndian.PutUint32(ip[:], binary.BigEndian.Uint32(raw))
		return netip.AddrFrom4(ip)
	}
	return netip.Addr{}
}
