package dump

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A field is a name in Kafka's words and a value. A text line leaves out what is false or nothing (nil), and shows what
// is true by its name alone; JSON has them all.
type field struct {
	name  string
	value any
}

// millis is a time in ms since 1970, -1 for none.
type millis int64

// object is a value that is JSON already.
type object []byte

// printer writes lines about one file after another. Its writer keeps the first error for flush.
type printer struct {
	w     *bufio.Writer
	json  bool
	file  string
	wrong int // problems so far
}

func newPrinter(w io.Writer, json bool) *printer {
	return &printer{w: bufio.NewWriterSize(w, 64<<10), json: json}
}

func (p *printer) flush() error { return p.w.Flush() }

// at says which file the lines that follow are about.
func (p *printer) at(file string) { p.file = file }

// head begins a file or directory: in text with its path.
func (p *printer) head(kind string, fields ...field) {
	if p.json {
		p.object(kind, fields)
		return
	}
	p.text(p.file, fields)
}

// line prints something that stands in the file; a deeper one belongs to the line before it.
func (p *printer) line(depth int, kind string, fields ...field) {
	if p.json {
		p.object(kind, fields)
		return
	}
	p.text(strings.Repeat("  ", depth)+kind, fields)
}

// problem prints what is wrong, and where; position is -1 where it is the whole file.
func (p *printer) problem(position int64, err error) {
	p.wrong++
	fields := []field{{"position", position}, {"why", err.Error()}}
	if p.json {
		p.object("problem", fields)
		return
	}
	if position < 0 {
		_, _ = fmt.Fprintf(p.w, "  WRONG: %s: %v\n", p.file, err)
		return
	}
	_, _ = fmt.Fprintf(p.w, "  WRONG: %s: at byte %d: %v\n", p.file, position, err)
}

func (p *printer) text(line string, fields []field) {
	for _, f := range fields {
		value := textOf(f.value)
		switch {
		case f.value == nil || f.value == false:
			continue
		case f.value == true:
			value = f.name
		default:
			value = f.name + "=" + value
		}
		line += " " + value
	}
	_, _ = p.w.WriteString(line + "\n")
}

func textOf(v any) string {
	switch v := v.(type) {
	case millis:
		if v < 0 {
			return "none"
		}
		return time.UnixMilli(int64(v)).UTC().Format("2006-01-02T15:04:05.000Z")
	case string:
		return quoteIfNeeded(v)
	case []byte:
		return bytesText(v)
	case object:
		return string(v)
	}
	return fmt.Sprint(v)
}

func quoteIfNeeded(s string) string {
	plain := func(r rune) bool { return r == '"' || unicode.IsSpace(r) || !unicode.IsPrint(r) }
	if s == "" || strings.ContainsFunc(s, plain) {
		return strconv.Quote(s)
	}
	return s
}

// bytesText is bytes as quoted text where they are, else as 0x and hex digits.
func bytesText(b []byte) string {
	if b == nil {
		return "null"
	}
	if isText(b) {
		return strconv.Quote(string(b))
	}
	return fmt.Sprintf("0x%x", b)
}

func isText(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	for _, r := range string(b) {
		if !unicode.IsPrint(r) && !unicode.IsSpace(r) {
			return false
		}
	}
	return true
}

// object writes a line of JSON with the fields in their order. Bytes that are no text stand under their name with
// "Base64" behind it.
func (p *printer) object(kind string, fields []field) {
	b := append([]byte(`{"file":`), quoteJSON(p.file)...)
	b = append(append(b, `,"kind":`...), quoteJSON(kind)...)
	for _, f := range fields {
		name, value := f.name, f.value
		if v, ok := value.([]byte); ok && v != nil {
			if isText(v) {
				value = string(v)
			} else {
				name += "Base64"
			}
		}
		b = append(append(append(b, ','), quoteJSON(name)...), ':')
		if v, ok := value.(object); ok {
			b = append(b, v...)
			continue
		}
		encoded, err := json.Marshal(value)
		if err != nil {
			panic("dump: a field that is no JSON: " + err.Error()) // the fields are all in this package
		}
		b = append(b, encoded...)
	}
	_, _ = p.w.Write(append(b, "}\n"...))
}

func quoteJSON(s string) []byte {
	b, _ := json.Marshal(s) // a string always can be
	return b
}
