package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// versionTable is protocol's table of the stable versions of every API.
func versionTable(clients *jar) []byte {
	var out bytes.Buffer
	fmt.Fprintln(&out, "// kafkaVersions are the stable versions of the release's APIs.")
	fmt.Fprintln(&out, "var kafkaVersions = [...]versionRange{")
	requests := clients.requests()
	for _, key := range slices.Sorted(maps.Keys(requests)) {
		d := requests[key]
		v, flexible := d.valid(), "never"
		if d.flexibleFrom() != noEnd {
			flexible = fmt.Sprint(d.flexibleFrom())
		}
		fmt.Fprintf(&out, "%d: {%d, %d, %s}, // %s\n", key, v.min, v.max, flexible, strings.TrimSuffix(d.Name, "Request"))
	}
	fmt.Fprintln(&out, "}")
	return out.Bytes()
}
