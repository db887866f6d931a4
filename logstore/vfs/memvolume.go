package vfs

import "syscall"

// memVolume is the whole of a Mem. As Linux does, it tells of every loss once, whoever's sync it came from, and so does
// each file of its own losses, to everyone who had it open.
type memVolume struct {
	fs   *Mem
	seen int // Mem.losses told
}

// Volume is the file system, to be synced as a whole.
func (m *Mem) Volume(string) (Volume, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return &memVolume{m, m.losses}, nil
}

// Sync makes everything durable.
func (v *memVolume) Sync() error {
	v.fs.mu.Lock()
	defer v.fs.mu.Unlock()
	v.fs.root.each((*memNode).sync)
	if v.seen < v.fs.losses {
		v.seen = v.fs.losses
		return pathError("syncfs", "/", syscall.EIO)
	}
	return nil
}

// LoseSync makes the file system what it is after a sync that failed with EIO, where the disk took nothing: no later
// sync writes the bytes. Names are different: the kernel keeps them until they are written. errorfs calls it.
func (v *memVolume) LoseSync() {
	v.fs.mu.Lock()
	defer v.fs.mu.Unlock()
	v.fs.losses++
	v.seen = v.fs.losses
	v.fs.root.each(func(n *memNode) {
		if n.content.dirty() {
			n.content.lose()
			n.content.losses++
			n.content.told = false
		}
	})
}

// Pending is not known.
func (v *memVolume) Pending() int64 { return -1 }

func (v *memVolume) Close() error { return nil }

// each calls f for a node and all below it, as a program sees them.
func (n *memNode) each(f func(*memNode)) {
	f(n)
	for _, child := range n.entries {
		child.each(f)
	}
}

// sync makes durable a file's bytes, or a directory's names.
func (n *memNode) sync() {
	if !n.isDir() {
		n.content.sync()
		return
	}
	for _, c := range n.pending {
		apply(n.durable, c)
	}
	n.pending = nil
}

// dirty tells whether a sync has something to write.
func (c *memContent) dirty() bool {
	for i := range c.pages {
		if c.pages[i].dirty {
			return true
		}
	}
	return c.sizeDirty
}

// heard is what a file that is opened now counts as told: not a loss that nobody has been told of.
func (c *memContent) heard() int {
	if c.losses > 0 && !c.told {
		return c.losses - 1
	}
	return c.losses
}

// forget is what happens when nobody has a file open any more and the kernel needs its memory: it forgets the loss that
// it would have told of, and with it the bytes that are not on the disk.
func (c *memContent) forget() {
	c.losses = 0
	c.drop()
}
