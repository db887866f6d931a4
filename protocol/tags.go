package protocol

// tagsMax is how many tagged fields one section may have. Source: Kafka 4.4, which refuses more.
const tagsMax = 10_000

// skipTags reads over a section of tagged fields: uvarint count · count × {uvarint tag · uvarint size · size bytes}.
func skipTags(b []byte) (rest []byte, err error) {
	count, b, ok := uvarint(b)
	if !ok || uint64(count)*2 > uint64(len(b)) || count > tagsMax {
		return nil, Errorf(InvalidRequest, "%d tagged fields in %d bytes", count, len(b))
	}
	for range count {
		var size uint32
		if _, b, ok = uvarint(b); ok {
			size, b, ok = uvarint(b)
		}
		if !ok || uint64(size) > uint64(len(b)) {
			return nil, Errorf(InvalidRequest, "a tagged field of %d bytes in a frame that has %d left", size, len(b))
		}
		b = b[size:]
	}
	return b, nil
}

// uvarint reads an unsigned varint of at most 32 bits: seven bits a byte, least first.
func uvarint(b []byte) (v uint32, rest []byte, ok bool) {
	for i := range min(len(b), 5) {
		c := b[i]
		if i == 4 && c > 0x0f {
			break
		}
		v |= uint32(c&0x7f) << (7 * i)
		if c < 0x80 {
			return v, b[i+1:], true
		}
	}
	return 0, b, false
}
