package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// recordFile is a file of coordinator/record: the messages of one jar, or some of them.
type recordFile struct {
	jar, file string
	types     []string // of definitions, such as metadata
	names     []string // or names of definitions
}

var recordFiles = []recordFile{
	{jar: "kafka-metadata", file: "metadata_gen.go", types: []string{"metadata"}},
	{jar: "kafka-group-coordinator", file: "group_gen.go", types: []string{"coordinator-key", "coordinator-value"}},
	{jar: "kafka-transaction-coordinator", file: "transaction_gen.go", types: []string{"coordinator-key", "coordinator-value"}},
	{jar: "kafka-share-coordinator", file: "share_gen.go", types: []string{"coordinator-key", "coordinator-value"}},
	{jar: "kafka-clients", file: "consumer_gen.go", names: []string{"ConsumerProtocolSubscription", "ConsumerProtocolAssignment"}},
	{jar: "kafka-clients", file: "control_gen.go", names: []string{"LeaderChangeMessage", "SnapshotHeaderRecord", "SnapshotFooterRecord", "KRaftVersionRecord", "VotersRecord"}},
}

// recordCode is the code of one file.
func recordCode(j *jar, f recordFile) ([]byte, error) {
	var out bytes.Buffer
	var chosen []*definition
	for _, d := range j.messages {
		if slices.Contains(f.types, d.Type) || slices.Contains(f.names, d.Name) {
			chosen = append(chosen, d)
			w := recordWriter{out: &out, d: d}
			if err := w.message(); err != nil {
				return nil, fmt.Errorf("%s: %w", d.Name, err)
			}
		}
	}
	for _, t := range f.types {
		if t != "coordinator-value" {
			registry(&out, chosen, t, f.jar)
		}
	}
	return out.Bytes(), nil
}

// registry writes the function that finds a record by the number that stands before it.
func registry(out *bytes.Buffer, all []*definition, kind, jar string) {
	name, result := "newMetadata", "Metadata"
	if kind == "coordinator-key" {
		log := strings.TrimSuffix(strings.TrimPrefix(jar, "kafka-"), "-coordinator")
		name, result = "new"+strings.ToUpper(log[:1])+log[1:]+"Key", "Key"
	}
	fmt.Fprintf(out, "// %s is an empty record of that number, nil where there is none.\n", name)
	fmt.Fprintf(out, "func %s(number int16) %s {\nswitch number {\n", name, result)
	numbered := slices.DeleteFunc(slices.Clone(all), func(d *definition) bool { return d.Type != kind })
	slices.SortFunc(numbered, func(a, b *definition) int { return int(*a.APIKey - *b.APIKey) })
	for _, d := range numbered {
		fmt.Fprintf(out, "case %d:\nreturn new(%s)\n", *d.APIKey, d.Name)
	}
	fmt.Fprintf(out, "}\nreturn nil\n}\n\n")
}

// recordWriter writes the struct of one message, and those inside it, with their code.
type recordWriter struct {
	out *bytes.Buffer
	d   *definition
	// written are the structs of the message that are done: some are used twice.
	written []string
}

func (w *recordWriter) message() error {
	d := w.d
	v := d.valid()
	if v.max < 0 {
		return nil
	}
	fmt.Fprintf(w.out, "// %s is %s, versions %d to %d.\n", d.Name, w.describe(), v.min, v.max)
	if err := w.structure(d.Name, d.Fields, v); err != nil {
		return err
	}
	if d.APIKey != nil && d.Type != "coordinator-value" {
		fmt.Fprintf(w.out, "// Number is %d.\nfunc (*%s) Number() int16 { return %d }\n\n", *d.APIKey, d.Name, *d.APIKey)
	}
	if d.Type == "coordinator-key" {
		value := strings.TrimSuffix(d.Name, "Key") + "Value"
		fmt.Fprintf(w.out, "// NewValue is an empty %s.\nfunc (*%s) NewValue() Message { return new(%s) }\n\n", value, d.Name, value)
	}
	fmt.Fprintf(w.out, "// MaxVersion is %d.\nfunc (*%s) MaxVersion() int16 { return %d }\n\n", v.max, d.Name, v.max)
	fmt.Fprintf(w.out, `// Append appends the message in a version that it has; another one is a panic, as is a field that the version lacks.
func (r *%[1]s) Append(dst []byte, version int16) []byte {
mustVersion(%[1]q, version, %[2]d, %[3]d)
return r.append(dst, version)
}

// Decode reads the message, whole. What it lacks has its default; nothing of it aliases src.
func (r *%[1]s) Decode(src []byte, version int16) error {
if err := checkVersion(%[1]q, version, %[2]d, %[3]d); err != nil {
return err
}
d := decoder{rest: src}
r.decode(&d, version)
return d.end(%[1]q)
}

`, d.Name, v.min, v.max)
	return nil
}

// describe says what kind of message it is.
func (w *recordWriter) describe() string {
	switch w.d.Type {
	case "metadata":
		return fmt.Sprintf("record %d of the metadata log", *w.d.APIKey)
	case "coordinator-key":
		return fmt.Sprintf("the key of records of type %d", *w.d.APIKey)
	case "coordinator-value":
		return fmt.Sprintf("the value of records of type %d", *w.d.APIKey)
	}
	return "Kafka's message of that name"
}

// structure writes a struct and its code, and after that the structs inside it.
func (w *recordWriter) structure(name string, fields []*field, valid versions) error {
	fmt.Fprintf(w.out, "type %s struct {\n", name)
	for _, f := range fields {
		fmt.Fprintf(w.out, "%s %s%s\n", goName(f.Name), w.goType(f), since(f, valid))
	}
	fmt.Fprintf(w.out, "}\n\n")
	w.defaults(name, fields)
	if err := w.appendMethod(name, fields, valid); err != nil {
		return err
	}
	if err := w.decodeMethod(name, fields, valid); err != nil {
		return err
	}
	for _, f := range fields {
		element, _ := f.element()
		inner := w.structName(element)
		if !isStruct(element) || slices.Contains(w.written, inner) {
			continue
		}
		w.written = append(w.written, inner)
		fmt.Fprintf(w.out, "// %s is part of %s.\n", inner, name)
		if err := w.structure(inner, w.d.fieldsOf(f), valid); err != nil {
			return err
		}
	}
	return nil
}

// since says in which versions a field is, where that is not all.
func since(f *field, valid versions) string {
	v := parseVersions(f.Versions)
	if f.Versions == "" {
		v = parseVersions(f.TaggedVersions)
	}
	switch {
	case v.min > valid.min && v.max >= valid.max:
		return fmt.Sprintf(" // from version %d", v.min)
	case v.max < valid.max:
		return fmt.Sprintf(" // versions %d to %d", v.min, v.max)
	}
	return ""
}

// defaults writes the function that makes a struct with the defaults that are not Go's.
func (w *recordWriter) defaults(name string, fields []*field) {
	var sets []string
	for _, f := range fields {
		element, isArray := f.element()
		if v := w.defaultValue(f); v != zero(f) {
			sets = append(sets, fmt.Sprintf("%s: %s,", goName(f.Name), v))
		} else if isStruct(element) && !isArray && f.NullableVersions == "" {
			sets = append(sets, fmt.Sprintf("%s: New%s(),", goName(f.Name), w.structName(element)))
		}
	}
	body := strings.Join(sets, "\n")
	if body != "" {
		body = "\n" + body + "\n"
	}
	fmt.Fprintf(w.out, "// New%[1]s is one with Kafka's defaults.\nfunc New%[1]s() %[1]s {\nreturn %[1]s{%[2]s}\n}\n\n", name, body)
}

// defaultValue is a field's default as Go writes it. A nullable field is null, whatever Kafka says, unless its being absent
// means something else.
func (w *recordWriter) defaultValue(f *field) string {
	element, isArray := f.element()
	text := strings.Trim(string(f.Default), `"`)
	switch {
	case w.emptyWhenAbsent(f) && isArray:
		return w.goType(f) + "{}"
	case w.emptyWhenAbsent(f):
		return "pointer(New" + w.structName(element) + "())"
	case text == "" || text == "null":
		return zero(f)
	}
	return text
}

// emptyWhenAbsent reports that a field may be null, yet is empty where its tag is absent: its default is not the text
// "null". A bare null in the definition is no default to Kafka.
func (w *recordWriter) emptyWhenAbsent(f *field) bool {
	return f.TaggedVersions != "" && f.NullableVersions != "" && string(f.Default) != `"null"`
}

// zero is Go's zero of the field, as code.
func zero(f *field) string {
	element, isArray := f.element()
	switch {
	case isArray || f.NullableVersions != "" || element == "bytes":
		return "nil"
	case element == "bool":
		return "false"
	case element == "string":
		return `""`
	case element == "uuid":
		return "[16]byte{}"
	case isStruct(element):
		return "struct{}"
	}
	return "0"
}

func (w *recordWriter) goType(f *field) string {
	element, isArray := f.element()
	t := element
	switch {
	case element == "uuid":
		t = "[16]byte"
	case element == "bytes", element == "records":
		t = "[]byte"
	case isStruct(element):
		t = w.structName(element)
	}
	switch {
	case isArray:
		return "[]" + t
	case f.NullableVersions != "" && (element == "string" || isStruct(element)):
		return "*" + t
	}
	return t
}

// structName is the Go name of a struct inside the message.
func (w *recordWriter) structName(element string) string {
	message := w.d.Name
	for _, suffix := range []string{"Record", "Value", "Key"} {
		message = strings.TrimSuffix(message, suffix)
	}
	return message + element
}

// goName is the name of a field: exported, and with initialisms as Go writes them.
func goName(name string) string {
	var words []string
	word := ""
	for i, c := range name {
		if unicode.IsUpper(c) && i > 0 {
			words = append(words, word)
			word = ""
		}
		word += string(c)
	}
	words = append(words, word)
	for i, word := range words {
		switch word = strings.ToUpper(word[:1]) + word[1:]; word {
		case "Id", "Isr", "Elr":
			word = strings.ToUpper(word)
		case "Ids":
			word = "IDs"
		}
		if i == 0 || words[i] != "" {
			words[i] = strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return strings.Join(words, "")
}
