package partition

// Watcher is told when what it waits for on a partition has come, or never will.
type Watcher interface {
	// Notice is called once for each time that w was armed and fired, with no lock of the partition held. Watches fire on
	// the goroutine that made it true: the flusher's, or another client's.
	Notice(w *Watch)
}

// Watch is a place in a partition's queue of waiters. It lies in its owner: arming one allocates nothing.
type Watch struct {
	Owner Watcher
	// Index is the owner's word for which of its watches this is.
	Index int

	// What the partition had to say, for Notice to read.

	// Bytes is about how many bytes became readable since the watch was armed.
	Bytes int64
	// Err is why what was waited for will not come: NotLeaderForPartition, UnknownTopicOrPartition, KafkaStorageError.
	Err error

	at         int64
	seen       int64 // Partition.mu.readable when armed
	queue      *waiters
	prev, next *Watch
}
