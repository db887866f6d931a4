package cluster

import (
	"iter"

	iradix "github.com/hashicorp/go-immutable-radix"
)

// tree is a persistent map in key order: a change costs a path of nodes, and the old map stays as it was. It wraps
// go-immutable-radix, which raft brings along, in types. The zero value is an empty map.
type tree[V any] struct{ t *iradix.Tree }

func (m tree[V]) get(key string) (v V, ok bool) {
	if m.t == nil {
		return v, false
	}
	found, ok := m.t.Get([]byte(key))
	if !ok {
		return v, false
	}
	return found.(V), true
}

func (m tree[V]) len() int {
	if m.t == nil {
		return 0
	}
	return m.t.Len()
}

// from walks the values whose keys are not less than key, in order.
func (m tree[V]) from(key string) iter.Seq[V] {
	return func(yield func(V) bool) {
		if m.t == nil {
			return
		}
		it := m.t.Root().Iterator()
		it.SeekLowerBound([]byte(key))
		for _, v, ok := it.Next(); ok; _, v, ok = it.Next() {
			if !yield(v.(V)) {
				return
			}
		}
	}
}

// prefixed walks the keys that begin with prefix and their values, in order.
func (m tree[V]) prefixed(prefix string) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		if m.t == nil {
			return
		}
		it := m.t.Root().Iterator()
		it.SeekPrefix([]byte(prefix))
		for k, v, ok := it.Next(); ok; k, v, ok = it.Next() {
			if !yield(string(k), v.(V)) {
				return
			}
		}
	}
}

// edit is a tree being changed. Nodes made by one edit are changed in place until done.
type edit[V any] struct {
	base tree[V]
	txn  *iradix.Txn
}

func (m tree[V]) edit() *edit[V] { return &edit[V]{base: m} }

func (e *edit[V]) open() *iradix.Txn {
	if e.txn == nil {
		t := e.base.t
		if t == nil {
			t = iradix.New()
		}
		e.txn = t.Txn()
	}
	return e.txn
}

func (e *edit[V]) get(key string) (v V, ok bool) {
	if e.txn == nil {
		return e.base.get(key)
	}
	found, ok := e.txn.Get([]byte(key))
	if !ok {
		return v, false
	}
	return found.(V), true
}

func (e *edit[V]) set(key string, v V) { e.open().Insert([]byte(key), v) }
func (e *edit[V]) remove(key string)   { e.open().Delete([]byte(key)) }

// done is the changed map; the edit must not be used after it.
func (e *edit[V]) done() tree[V] {
	if e.txn == nil {
		return e.base
	}
	return tree[V]{e.txn.CommitOnly()}
}
