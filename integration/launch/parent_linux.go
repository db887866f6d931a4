package launch

import "syscall"

// dieWithParent makes the kernel end the broker when the test process dies, however it dies.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
