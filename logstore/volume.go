package logstore

import (
	"github.com/ottla/ottla/logstore/mutant"
	"github.com/ottla/ottla/logstore/vfs"
)

// volume is the file system, to be synced as a whole, as one of its users knows it. The kernel tells a user once of bytes
// that it has lost, and not whose they are: those of a log, perhaps, that was not among those that asked then and would
// hear nothing in its own round. So after an error the answer is that error for good: every log asks about its own
// files, until a restart.
type volume struct {
	vfs.Volume
	lost error
}

// Sync makes everything durable that was written before.
func (v *volume) Sync() error {
	if v.lost == nil || mutant.Is(mutant.ForgetVolumeError) {
		v.lost = v.Volume.Sync()
	}
	return v.lost
}
