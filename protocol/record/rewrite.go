package record

import "io"

// rewrite makes the batch anew, in codec: with the same records, numbered 0, 1, 2, … if renumber. It fails with
// ErrTooLarge beyond maxBytes in all, or if the records decompress to more than limit.
func rewrite(b Batch, codec Codec, level int, renumber bool, maxBytes, limit int) (Batch, error) {
	payload := b[HeaderBytes:]
	w := walk{buf: payload}
	if b.Codec() != None {
		d := takeDecoder()
		defer d.giveBack()
		src, err := d.open(b.Codec(), payload, limit)
		if err != nil {
			return nil, err
		}
		w = walk{buf: d.window[:0], src: src}
	}
	out := &cappedBuffer{max: maxBytes}
	out.bytes = append(make([]byte, 0, min(maxBytes, len(b)+len(b)/2)), b[:HeaderBytes]...)

	e := takeEncoder()
	defer e.giveBack()
	to, err := e.open(codec, level, out)
	if err != nil {
		return nil, err
	}
	if renumber {
		err = w.renumber(to, b.Count())
	} else {
		err = w.copy(to)
	}
	if err != nil {
		return nil, err
	}
	if err := to.Close(); err != nil {
		return nil, err
	}
	batch := Batch(out.bytes)
	batch.put32(atLength, int32(len(batch)-LogOverheadBytes))
	batch.put16(atAttributes, b.Attributes()&^codecMask|int16(codec))
	batch.updateCRC()
	return batch, nil
}

// copy writes all that is left.
func (w *walk) copy(to io.Writer) error {
	for len(w.peek(1)) > 0 {
		if err := w.copyN(to, len(w.buf)-w.at); err != nil {
			return err
		}
	}
	if w.err != nil && w.err != io.EOF {
		return w.err
	}
	return nil
}

// renumber writes count records with the offset deltas 0, 1, 2, …
func (w *walk) renumber(to io.Writer, count int32) error {
	var fields []byte
	for i := range count {
		var e entry
		end, err := w.begin(&e)
		if err != nil {
			return err
		}
		rest := end - w.position()
		fields = appendVarint(fields[:0], int64(1+sizeVarint(e.timestampDelta)+sizeVarint(int64(i))+rest))
		fields = append(fields, 0) // attributes
		fields = appendVarint(fields, e.timestampDelta)
		fields = appendVarint(fields, int64(i))
		if _, err := to.Write(fields); err != nil {
			return err
		}
		if err := w.copyN(to, rest); err != nil {
			return err
		}
	}
	return w.finish()
}

// copyN writes the next n bytes.
func (w *walk) copyN(to io.Writer, n int) error {
	for n > 0 {
		b := w.peek(1)
		if len(b) == 0 {
			return w.cut(errRecordShort)
		}
		b = b[:min(n, len(b))]
		if _, err := to.Write(b); err != nil {
			return err
		}
		w.at += len(b)
		n -= len(b)
	}
	return nil
}

// cappedBuffer fails with ErrTooLarge beyond max.
type cappedBuffer struct {
	bytes []byte
	max   int
}

func (c *cappedBuffer) Write(p []byte) (int, error) {
	if len(c.bytes)+len(p) > c.max {
		return 0, ErrTooLarge
	}
	c.bytes = append(c.bytes, p...)
	return len(p), nil
}
