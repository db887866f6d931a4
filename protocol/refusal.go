package protocol

import "fmt"

// refusal is why a walk ended. The walk itself makes no message: that would take memory where a flood is refused.
type refusal uint8

const (
	_ refusal = iota
	tooShort
	tooMany
	tooManyTags
	tooLarge
	tooLong
	badVarint
	notNull
	wrongTag
)

func (w *walker) refuse(r refusal, count int64) bool {
	w.refused, w.count = r, count
	return false
}

// why is the refusal in words; count is the number that was refused.
func (r refusal) why(count int64) string {
	switch r {
	case tooShort:
		return fmt.Sprintf("the body ends before the next %d bytes", count)
	case tooMany:
		return fmt.Sprintf("the body has no room for %d elements", count)
	case tooManyTags:
		return fmt.Sprintf("the body has no room for %d tagged fields", count)
	case tooLarge:
		return fmt.Sprintf("decoded, the request would take more than %d times its size", decodedFactor)
	case tooLong:
		return fmt.Sprintf("a string has %d bytes, more than %d", count, stringBytesMax)
	case badVarint:
		return "a varint is longer than five bytes or 32 bits"
	case notNull:
		return "a field is null that must not be"
	case wrongTag:
		return fmt.Sprintf("tagged field %d is not of this version", count)
	}
	panic("protocol: a walk ended without a reason")
}
