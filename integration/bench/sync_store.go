package main

import (
	"bytes"
	"sync/atomic"

	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/protocol/record"
)

// storeAppender appends batches of 1 KiB to partitions of a store, durable by default.
type storeAppender struct {
	store *logstore.Store
	logs  []*logstore.Log
	batch record.Batch
	err   atomic.Pointer[error]
}

func newStoreAppender(dir string, partitions int) (appender, error) {
	store, err := logstore.Open(dir, logstore.Options{NodeID: 1})
	if err != nil {
		return nil, err
	}
	b := record.NewBuilder(record.NewOptions())
	b.Add(1, nil, make([]byte, appendBytes-76)) // what batch and record need beside the value
	a := &storeAppender{store: store, batch: b.Batch()}
	for i := range partitions {
		l, err := store.Create(logstore.TopicPartition{Topic: "bench", Partition: int32(i)}, [16]byte{1}, logstore.DefaultLogConfig())
		if err != nil {
			return nil, err
		}
		a.logs = append(a.logs, l)
		if _, err := l.Append(bytes.Clone(a.batch), logstore.AppendOptions{}); err != nil {
			return nil, err
		}
	}
	for _, l := range a.logs {
		if err := l.Flush(); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func (a *storeAppender) append(i int) {
	_, err := a.logs[i].Append(bytes.Clone(a.batch), logstore.AppendOptions{})
	if err == nil {
		err = a.logs[i].Flush()
	}
	if err != nil {
		a.err.CompareAndSwap(nil, &err)
	}
}

func (a *storeAppender) close() error {
	if err := a.err.Load(); err != nil {
		return *err
	}
	return a.store.Close()
}
