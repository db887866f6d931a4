package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// appendMethod writes the method that encodes a struct.
func (w *recordWriter) appendMethod(name string, fields []*field, valid versions) error {
	fmt.Fprintf(w.out, "func (r *%s) append(dst []byte, version int16) []byte {\n", name)
	for _, f := range fields {
		if err := checkField(f, valid); err != nil {
			return err
		}
		if f.TaggedVersions != "" {
			continue
		}
		code := w.appendField(f, "dst", "r."+goName(f.Name))
		w.inVersions(f, parseVersions(f.Versions), valid, code)
	}
	switch from := w.d.flexibleFrom(); {
	case from <= valid.min:
		w.appendTags(fields, valid)
	case from <= valid.max:
		fmt.Fprintf(w.out, "if version >= %d {\n", from)
		w.appendTags(fields, valid)
		fmt.Fprintf(w.out, "}\n")
		w.refuseTags(fields, from)
	}
	fmt.Fprintf(w.out, "return dst\n}\n\n")
	return nil
}

// inVersions writes code for the versions that a field is in. In the others a value that would be lost is a panic, as in
// Kafka, unless the definition says that it may be.
func (w *recordWriter) inVersions(f *field, v, valid versions, code string) {
	condition := within(v, valid)
	if condition == "" {
		fmt.Fprint(w.out, code)
		return
	}
	fmt.Fprintf(w.out, "if %s {\n%s}", condition, code)
	if !f.Ignorable {
		fmt.Fprintf(w.out, " else if %s {\npanic(lost(%q, version, %q))\n}", w.isSet(f), w.d.Name, f.Name)
	}
	fmt.Fprintln(w.out)
}

// within is the condition that version is in v, "" where all valid ones are.
func within(v, valid versions) string {
	switch {
	case v.min <= valid.min && v.max >= valid.max:
		return ""
	case v.max >= valid.max:
		return fmt.Sprintf("version >= %d", v.min)
	case v.min <= valid.min:
		return fmt.Sprintf("version <= %d", v.max)
	}
	return fmt.Sprintf("version >= %d && version <= %d", v.min, v.max)
}

// isSet is the condition that a field differs from its default.
func (w *recordWriter) isSet(f *field) string {
	name := "r." + goName(f.Name)
	element, isArray := f.element()
	switch {
	case w.emptyWhenAbsent(f) && isArray:
		return name + " == nil || len(" + name + ") > 0"
	case w.emptyWhenAbsent(f):
		return "true" // Kafka leaves out an empty struct, and reads one
	case isArray && f.NullableVersions != "" || element == "bytes" && f.NullableVersions != "":
		return name + " != nil"
	case isArray || element == "bytes":
		return "len(" + name + ") > 0"
	case element == "bool" && w.defaultValue(f) == "true":
		return "!" + name
	case element == "bool":
		return name
	}
	return name + " != " + w.defaultValue(f)
}

// appendTags writes the tagged fields that are set, by number.
func (w *recordWriter) appendTags(fields []*field, valid versions) {
	tagged := taggedFields(fields)
	if len(tagged) == 0 {
		fmt.Fprintf(w.out, "dst = append(dst, 0)\n")
		return
	}
	fmt.Fprintf(w.out, "var tags tagged\n")
	for _, f := range tagged {
		code := fmt.Sprintf("if %s {\ntags.begin(%d)\n%stags.end()\n}\n", w.isSet(f), f.Tag, w.appendField(f, "tags.bytes", "r."+goName(f.Name)))
		w.inVersions(f, parseVersions(f.TaggedVersions), versions{max(valid.min, w.d.flexibleFrom()), valid.max}, code)
	}
	fmt.Fprintf(w.out, "dst = tags.append(dst)\n")
}

// refuseTags writes what stops a tagged field from being lost in versions before the first flexible one.
func (w *recordWriter) refuseTags(fields []*field, flexibleFrom int16) {
	for _, f := range taggedFields(fields) {
		if !f.Ignorable {
			fmt.Fprintf(w.out, "if version < %d && %s {\npanic(lost(%q, version, %q))\n}\n", flexibleFrom, w.isSet(f), w.d.Name, f.Name)
		}
	}
}

// taggedFields are those that have a tag in some version, by tag.
func taggedFields(fields []*field) []*field {
	tagged := slices.DeleteFunc(slices.Clone(fields), func(f *field) bool { return f.TaggedVersions == "" })
	slices.SortFunc(tagged, func(a, b *field) int { return cmp.Compare(a.Tag, b.Tag) })
	return tagged
}

// appendField is the code that appends a field, or all its elements, to dst.
func (w *recordWriter) appendField(f *field, dst, value string) string {
	element, isArray := f.element()
	if !isArray {
		code := w.appendValue(element, f.NullableVersions != "", dst, value)
		if f.TaggedVersions != "" { // the mark before a struct that may be null is a varint there
			code = strings.Replace(code, "appendPresent(", "appendPresentTag(", 1)
		}
		return code
	}
	null := "false"
	if f.NullableVersions != "" {
		null = value + " == nil"
	}
	item := "v"
	if isStruct(element) {
		return fmt.Sprintf("%s = appendCount(%s, %s, len(%s), %s)\nfor i := range %s {\n%s = %s[i].append(%s, version)\n}\n",
			dst, dst, w.flexible(), value, null, value, dst, value, dst)
	}
	return fmt.Sprintf("%s = appendCount(%s, %s, len(%s), %s)\nfor _, %s := range %s {\n%s}\n",
		dst, dst, w.flexible(), value, null, item, value, w.appendValue(element, false, dst, item))
}

func (w *recordWriter) appendValue(element string, null bool, dst, value string) string {
	switch {
	case element == "string" && null:
		return fmt.Sprintf("%s = appendNullableString(%s, %s, %s)\n", dst, dst, w.flexible(), value)
	case element == "string":
		return fmt.Sprintf("%s = appendString(%s, %s, %s)\n", dst, dst, w.flexible(), value)
	case element == "bytes" && null:
		return fmt.Sprintf("%s = appendNullableBytes(%s, %s, %s)\n", dst, dst, w.flexible(), value)
	case element == "bytes":
		return fmt.Sprintf("%s = appendBytes(%s, %s, %s)\n", dst, dst, w.flexible(), value)
	case element == "uuid":
		return fmt.Sprintf("%s = append(%s, %s[:]...)\n", dst, dst, value)
	case isStruct(element) && null:
		return fmt.Sprintf("%s = appendPresent(%s, %s != nil)\nif %s != nil {\n%s = %s.append(%s, version)\n}\n", dst, dst, value, value, dst, value, dst)
	case isStruct(element):
		return fmt.Sprintf("%s = %s.append(%s, version)\n", dst, value, dst)
	}
	return fmt.Sprintf("%s = append%s(%s, %s)\n", dst, goName(element), dst, value)
}

// flexible is the condition that lengths are compact.
func (w *recordWriter) flexible() string {
	valid := w.d.valid()
	switch from := w.d.flexibleFrom(); {
	case from <= valid.min:
		return "true"
	case from > valid.max:
		return "false"
	default:
		return fmt.Sprintf("version >= %d", from)
	}
}

// checkField refuses a definition that the code would not do justice: a field that is null, or tagged, in some of its
// versions only.
func checkField(f *field, valid versions) error {
	v := cut(f.Versions, valid)
	if f.Versions == "" {
		v = cut(f.TaggedVersions, valid)
	}
	if f.NullableVersions != "" && cut(f.NullableVersions, valid) != v || f.TaggedVersions != "" && cut(f.TaggedVersions, valid) != v {
		return fmt.Errorf("%s is nullable or tagged in some of its versions only", f.Name)
	}
	if element, isArray := f.element(); f.TaggedVersions != "" && f.NullableVersions != "" && !isArray && !isStruct(element) && string(f.Default) != `"null"` {
		return fmt.Errorf("%s is tagged, may be null, and is not null by default", f.Name)
	}
	return nil
}

// cut is what a range has in common with the valid one.
func cut(text string, valid versions) versions {
	v := parseVersions(text)
	return versions{max(v.min, valid.min), min(v.max, valid.max)}
}
