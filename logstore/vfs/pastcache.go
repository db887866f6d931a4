package vfs

// PastCache opens a file for reading such that its bytes come from the disk, not from a cache that may show what the disk
// never got: see DropCache. What is still to be written is written first. Where a file system cannot read so, the cache
// is asked to be dropped, which is all that is left.
func PastCache(fsys FS, name string) (File, error) {
	if past, ok := fsys.(interface {
		OpenPastCache(name string) (File, error)
	}); ok {
		return past.OpenPastCache(name)
	}
	return droppedFirst(fsys, name)
}

func droppedFirst(fsys FS, name string) (File, error) {
	f, err := fsys.Open(name)
	if err == nil {
		DropCache(f)
	}
	return f, err
}
