//go:build !linux

package main

import (
	"errors"
	"os"
)

func fdatasync(f *os.File) error { return f.Sync() }

func syncfs(*os.File) error { return errors.ErrUnsupported }

func diskWritten() int64 { return 0 }
