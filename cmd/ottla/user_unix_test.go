//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// runAs has a command run as another user.
func runAs(c *exec.Cmd, uid int) {
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
}
