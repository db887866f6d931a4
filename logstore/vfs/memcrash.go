package vfs

import (
	"bytes"
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"slices"
)

// CrashClone is the file system that a power cut at this moment would leave. What was synced is there. Of what was not,
// each piece is there with a chance of percent: each block of a file (of 512 bytes, or of 4 KiB), its size, each name
// created, removed or changed in a directory. A size may so outgrow the bytes, which then are zeros, or garbage after
// ExposeStale. 0 keeps nothing that was not synced; with 100 all was written in time, but for what a failed sync gave up.
// All that the clone holds is durable in it.
//
// The clone shares no state with its original, which goes on. The same r and the same history give the same clone.
func (m *Mem) CrashClone(r *rand.Rand, percent int) *Mem {
	m.mu.Lock() // for writing: pages become shared
	defer m.mu.Unlock()
	c := crash{rand: r, percent: percent, stale: m.stale}
	clone := NewMem(m.now)
	clone.root, clone.capacity, clone.stale = c.dir(m.root), m.capacity, m.stale
	clone.pages = c.pages
	return clone
}

// KillClone is the file system that the kill of a process at this moment leaves: all that was written is there, and what
// was not synced is still not durable.
func (m *Mem) KillClone() *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	clone := NewMem(m.now)
	clone.root, clone.capacity, clone.pages, clone.stale = killed(m.root, map[*memNode]*memNode{}), m.capacity, m.pages, m.stale
	return clone
}

// killed copies a node and all that a later crash could bring back. A node that has two names, because a rename is not
// yet durable, is copied once.
func killed(n *memNode, copies map[*memNode]*memNode) *memNode {
	if c := copies[n]; c != nil {
		return c
	}
	for i := range n.content.pages {
		n.content.pages[i].owned = false
	}
	c := &memNode{mode: n.mode, modTime: n.modTime, content: n.content}
	c.content.pages = slices.Clone(n.content.pages)
	if c.content.losses > 0 && !c.content.told {
		c.content.forget()
	}
	copies[n] = c
	if !n.isDir() {
		return c
	}
	c.entries, c.durable = maps.Clone(n.entries), maps.Clone(n.durable)
	for _, names := range []map[string]*memNode{c.entries, c.durable} {
		for name, child := range names {
			names[name] = killed(child, copies)
		}
	}
	for _, change := range n.pending {
		change.node = killed(change.node, copies)
		c.pending = append(c.pending, change)
	}
	return c
}

type crash struct {
	rand    *rand.Rand
	percent int
	stale   bool
	pages   int64
}

func (c *crash) survives() bool {
	return c.percent > 0 && (c.percent >= 100 || c.rand.IntN(100) < c.percent)
}

func (c *crash) dir(n *memNode) *memNode {
	entries := n.durable
	if len(n.pending) > 0 {
		entries = maps.Clone(n.durable)
		for _, change := range n.pending {
			if c.survives() {
				apply(entries, change)
			}
		}
	}
	clone := newDir(n.mode.Perm(), n.modTime)
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		child := entries[name]
		if child.isDir() {
			clone.entries[name] = c.dir(child)
		} else {
			clone.entries[name] = c.file(child)
		}
		clone.durable[name] = clone.entries[name]
	}
	return clone
}

func (c *crash) file(n *memNode) *memNode {
	content := memContent{size: c.size(&n.content)}
	content.durable = content.size
	content.pages = make([]memPage, (content.size+pageBytes-1)/pageBytes)
	block := pageBytes
	if c.percent > 0 && c.percent < 100 && c.rand.IntN(2) == 0 {
		block = 512
	}
	for i := range content.pages {
		if i >= len(n.content.pages) {
			break
		}
		page := c.page(&n.content.pages[i], block)
		if from := content.size - int64(i)*pageBytes; from < pageBytes && page != nil {
			page = cutPage(page, int(from))
		}
		content.pages[i] = memPage{seen: page, disk: page}
	}
	c.pages += content.allocated()
	return &memNode{mode: n.mode, modTime: n.modTime, content: content}
}

// size is the old or the new one; of a file that grew also a block's end in between.
func (c *crash) size(f *memContent) int64 {
	if !f.sizeDirty || !c.survives() {
		return f.durable
	}
	if f.size > f.durable && !c.survives() {
		blocks := (f.size - f.durable) / pageBytes
		return min(f.size, (f.durable/pageBytes+c.rand.Int64N(blocks+1)+1)*pageBytes)
	}
	return f.size
}

// page is the new or the old one, or some blocks of each.
func (c *crash) page(p *memPage, block int) *[pageBytes]byte {
	p.owned = false
	if !p.dirty {
		return p.disk
	}
	disk := p.disk
	if disk == nil && c.stale && c.rand.IntN(2) == 0 {
		disk = c.garbage()
	}
	if block == pageBytes || c.percent <= 0 || c.percent >= 100 {
		if c.survives() {
			return p.seen
		}
		return disk
	}
	mixed := new([pageBytes]byte)
	if disk != nil {
		*mixed = *disk
	}
	for at := 0; at < pageBytes; at += block {
		if !c.survives() {
			continue
		}
		if p.seen == nil {
			clear(mixed[at : at+block])
		} else {
			copy(mixed[at:at+block], p.seen[at:])
		}
	}
	return mixed
}

// garbage is what another file may have left where a new page lies.
func (c *crash) garbage() *[pageBytes]byte {
	page := new([pageBytes]byte)
	for at := 0; at < pageBytes; at += 8 {
		binary.LittleEndian.PutUint64(page[at:], c.rand.Uint64())
	}
	return page
}

// cutPage is the page with zeros from a position on: what lies past a file's end never comes back when it grows.
func cutPage(page *[pageBytes]byte, from int) *[pageBytes]byte {
	if bytes.Equal(page[from:], zeros[from:]) {
		return page
	}
	cut := new([pageBytes]byte)
	copy(cut[:from], page[:])
	return cut
}

var zeros [pageBytes]byte
