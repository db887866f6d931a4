package errorfs

import "github.com/ottla/ottla/logstore/vfs"

// OpenPastCache is what vfs.PastCache calls.
func (f *FS) OpenPastCache(name string) (vfs.File, error) {
	return f.open(Op{Kind: Open, Name: name}, func() (vfs.File, error) { return vfs.PastCache(f.FS, name) })
}
