package main

import (
	"fmt"
	"strings"
)

// decodeMethod writes the method that decodes a struct.
func (w *recordWriter) decodeMethod(name string, fields []*field, valid versions) error {
	fmt.Fprintf(w.out, "func (r *%s) decode(d *decoder, version int16) {\n*r = New%s()\n", name, name)
	for _, f := range fields {
		if f.TaggedVersions != "" {
			continue
		}
		code := w.decodeField(f, "d", valid)
		if condition := within(parseVersions(f.Versions), valid); condition != "" {
			code = fmt.Sprintf("if %s {\n%s}\n", condition, code)
		}
		fmt.Fprint(w.out, code)
	}
	switch from := w.d.flexibleFrom(); {
	case from <= valid.min:
		w.decodeTags(fields, valid)
	case from <= valid.max:
		fmt.Fprintf(w.out, "if version >= %d {\n", from)
		w.decodeTags(fields, valid)
		fmt.Fprintf(w.out, "}\n")
	}
	fmt.Fprintf(w.out, "}\n\n")
	return nil
}

// decodeTags writes the reading of the tagged fields. Those of unknown number are skipped.
func (w *recordWriter) decodeTags(fields []*field, valid versions) {
	tagged := taggedFields(fields)
	if len(tagged) == 0 {
		fmt.Fprintf(w.out, "d.skipTags()\n")
		return
	}
	fmt.Fprintf(w.out, "for n := d.tagCount(); n > 0; n-- {\nnumber, t := d.tag()\nswitch {\n")
	for _, f := range tagged {
		condition := fmt.Sprintf("number == %d", f.Tag)
		if in := within(parseVersions(f.TaggedVersions), versions{max(valid.min, w.d.flexibleFrom()), valid.max}); in != "" {
			condition += " && " + in
		}
		fmt.Fprintf(w.out, "case %s:\n%s", condition, w.decodeField(f, "t", valid))
	}
	fmt.Fprintf(w.out, "}\nd.endTag(&t)\n}\n")
}

// decodeField is the code that reads a field from the decoder of that name.
func (w *recordWriter) decodeField(f *field, from string, valid versions) string {
	element, isArray := f.element()
	value := "r." + goName(f.Name)
	null := f.NullableVersions != ""
	if !isArray {
		return w.decodeValue(element, null, from, value)
	}
	suffix := ""
	if null {
		suffix = "Nullable"
	}
	reset := ""
	if w.emptyWhenAbsent(f) {
		reset = value + " = nil\n"
	}
	item := strings.TrimPrefix(w.goType(f), "[]")
	if isStruct(element) {
		return reset + fmt.Sprintf("if n, ok := %s.count%s(%s, %d); ok {\n%s = make([]%s, n)\nfor i := range %s {\n%s[i].decode(%s, version)\n}\n}\n",
			from, suffix, w.flexible(), w.leastBytes(element, f, valid), value, item, value, value, pointer(from))
	}
	return reset + fmt.Sprintf("if n, ok := %s.count%s(%s, %d); ok {\n%s = make([]%s, n)\nfor i := range %s {\n%s}\n}\n",
		from, suffix, w.flexible(), w.leastBytes(element, f, valid), value, item, value, w.decodeValue(element, false, from, value+"[i]"))
}

func (w *recordWriter) decodeValue(element string, null bool, from, value string) string {
	nullable := ""
	if null {
		nullable = "Nullable"
	}
	switch {
	case element == "string":
		return fmt.Sprintf("%s = %s.string%s(%s)\n", value, from, nullable, w.flexible())
	case element == "bytes":
		return fmt.Sprintf("%s = %s.bytes%s(%s)\n", value, from, nullable, w.flexible())
	case isStruct(element) && null && from == "t":
		return fmt.Sprintf("%s = nil\nif t.presentTag() {\n%s = new(%s)\n%s.decode(&t, version)\n}\n", value, value, w.structName(element), value)
	case isStruct(element) && null:
		return fmt.Sprintf("if d.present() {\n%s = new(%s)\n%s.decode(d, version)\n}\n", value, w.structName(element), value)
	case isStruct(element):
		return fmt.Sprintf("%s.decode(%s, version)\n", value, pointer(from))
	}
	return fmt.Sprintf("%s = %s.%s()\n", value, from, element)
}

// pointer is the decoder of that name as an argument: d is a pointer, and t, a tagged field's, is not.
func pointer(from string) string {
	if from == "t" {
		return "&t"
	}
	return from
}

// leastBytes is what an element takes at least, in any version that the field is in.
func (w *recordWriter) leastBytes(element string, f *field, valid versions) int {
	if n := wireBytes[element]; n > 0 {
		return n
	}
	if !isStruct(element) {
		return 1
	}
	least := 1 << 20
	for v := valid.min; v <= valid.max; v++ {
		if !f.present(v) {
			continue
		}
		ww := walkWriter{definition: w.d, version: v, flexible: v >= w.d.flexibleFrom()}
		n := 0
		if ww.flexible {
			n = 1
		}
		for _, inner := range w.d.fieldsOf(f) {
			if inner.present(v) && !inner.tagged(v) {
				n += w.leastOf(ww, inner)
			}
		}
		least = min(least, n)
	}
	return least
}

// leastOf is what a field takes at least.
func (w *recordWriter) leastOf(ww walkWriter, f *field) int {
	element, isArray := f.element()
	switch {
	case isArray:
		return minBytes([]op{{kind: ww.compact("array")}})
	case wireBytes[element] > 0:
		return wireBytes[element]
	case element == "string":
		return minBytes([]op{{kind: ww.compact("str")}})
	case element == "bytes":
		return minBytes([]op{{kind: ww.compact("blob")}})
	}
	return 1 // a struct, or the mark of a null one
}
