//go:build unix

package main

import (
	"io/fs"
	"strconv"
	"syscall"
)

// owner is the uid that a file belongs to.
func owner(info fs.FileInfo) string {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return strconv.FormatUint(uint64(stat.Uid), 10)
	}
	return "unknown"
}
