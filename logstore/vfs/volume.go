package vfs

// Volume is a whole file system, open to be synced. It is used by one goroutine at a time: an error is told once, and
// who asks beside the one who is told would take the silence for success. Who shares a file system with others opens a
// Volume of his own.
type Volume interface {
	// Sync makes durable all that was written, and all names that were made, changed or removed, before it was called:
	// of strangers' files too. An error says that something of what was written since the Volume was opened, or since
	// Sync was last called, is not on the disk; not what.
	Sync() error
	// Pending is about how many bytes a Sync would have to write, -1 where nobody knows.
	Pending() int64
	Close() error
}
