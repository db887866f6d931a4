package main

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// op is protocol's op; see there.
type op struct {
	kind string
	null bool
	n    int
	mem  int
	body []op // the table has their number
	name string
}

// walkTable is protocol's table of ops, and where in it the ops of each request's versions stand. Versions that differ
// in nothing share them.
func walkTable(clients *jar) ([]byte, error) {
	var ops, spans bytes.Buffer
	seen := make(map[string]string) // rendered ops → span
	next := 0
	requests := clients.requests()
	for _, key := range slices.Sorted(maps.Keys(requests)) {
		d := requests[key]
		request := kmsg.RequestForKey(key)
		if request == nil || d.valid().max < 0 {
			continue
		}
		fmt.Fprintf(&spans, "%d: {", key)
		for v := d.valid().min; v <= d.valid().max; v++ {
			w := walkWriter{definition: d, version: v, flexible: v >= d.flexibleFrom()}
			list, err := w.fields(d.Fields, reflect.TypeOf(request).Elem())
			if err != nil {
				return nil, fmt.Errorf("%s version %d: %w", d.Name, v, err)
			}
			text := render(list)
			span, ok := seen[text]
			if !ok {
				n := count(list)
				span = fmt.Sprintf("{%d, %d}", next, next+n)
				seen[text] = span
				fmt.Fprintf(&ops, "// %s %d: %s\n%s", d.Name, v, span, text)
				next += n
			}
			fmt.Fprintf(&spans, "%s, ", span)
		}
		fmt.Fprintf(&spans, "}, // %s\n", d.Name)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "// walkSpans are the ops of each request, by version from its lowest on: [from, to) in walkOps.\n")
	fmt.Fprintf(&out, "var walkSpans = [...][][2]uint16{\n%s}\n\n", &spans)
	fmt.Fprintf(&out, "// walkOps are the fields of all requests. Memory is of kmsg's structs on a 64-bit machine.\n")
	fmt.Fprintf(&out, "var walkOps = [...]op{\n%s}\n", &ops)
	return out.Bytes(), nil
}

// walkWriter makes the ops of one version of one request.
type walkWriter struct {
	definition *definition
	version    int16
	flexible   bool
}

// fields are the ops of a struct; t is what kmsg decodes it to.
func (w *walkWriter) fields(fields []*field, t reflect.Type) ([]op, error) {
	structs, err := matchStructs(w.definition, fields, t)
	if err != nil {
		return nil, err
	}
	var list, known []op
	for _, f := range fields {
		if !f.present(w.version) {
			if f.TaggedVersions != "" { // kmsg would read it nevertheless, and Kafka refuses it
				known = append(known, op{kind: "tag", null: true, n: f.Tag, name: f.Name})
			}
			continue
		}
		if f.FlexibleVersions != "" {
			return nil, fmt.Errorf("%s: flexible versions of its own", f.Name)
		}
		ops, err := w.field(f, structs[f])
		if err != nil {
			return nil, err
		}
		if f.tagged(w.version) {
			if len(ops) == 1 && ops[0].kind == "optional" {
				return nil, fmt.Errorf("%s: a tagged struct that may be null has another mark", f.Name)
			}
			known = append(known, op{kind: "tag", n: f.Tag, body: ops, name: f.Name})
		} else {
			list = append(list, ops...)
		}
	}
	list = joinFixed(list)
	if w.flexible {
		list = append(list, op{kind: "tags", n: len(known)})
		list = append(list, known...)
	}
	return list, nil
}

// field are the ops of one field; t is kmsg's type of its struct, or of its elements.
func (w *walkWriter) field(f *field, t reflect.Type) ([]op, error) {
	name, isArray := f.element()
	null := f.nullable(w.version)
	if !isArray {
		return w.value(f, name, null, t)
	}
	element, err := w.value(f, name, false, t)
	if err != nil {
		return nil, err
	}
	o := op{kind: w.compact("array"), null: null, n: minBytes(element), mem: elementBytes(name, t), body: element, name: f.Name}
	if o.n == 0 {
		return nil, fmt.Errorf("%s: its elements take no bytes", f.Name)
	}
	if len(element) == 1 && element[0].kind == "fixed" {
		o.body = nil
	}
	return []op{o}, nil
}

func (w *walkWriter) value(f *field, name string, null bool, t reflect.Type) ([]op, error) {
	switch {
	case wireBytes[name] > 0:
		return []op{{kind: "fixed", n: wireBytes[name], name: f.Name}}, nil
	case name == "string":
		o := op{kind: w.compact("str"), null: null, name: f.Name}
		if f.NullableVersions != "" {
			o.mem = 16 // kmsg has a *string then, in every version
		}
		return []op{o}, nil
	case name == "bytes" || name == "records":
		return []op{{kind: w.compact("blob"), null: null, name: f.Name}}, nil
	}
	ops, err := w.fields(w.definition.fieldsOf(f), t)
	if err != nil || !null {
		return ops, err
	}
	return []op{{kind: "optional", mem: int(t.Size()), body: ops, name: f.Name}}, nil
}

func (w *walkWriter) compact(kind string) string {
	if w.flexible {
		return "compact" + strings.ToUpper(kind[:1]) + kind[1:]
	}
	return kind
}

// joinFixed makes one op of neighbours of fixed length.
func joinFixed(ops []op) []op {
	var joined []op
	for _, o := range ops {
		if last := len(joined) - 1; last >= 0 && o.kind == "fixed" && joined[last].kind == "fixed" {
			joined[last].n += o.n
			joined[last].name += ", " + o.name
			continue
		}
		joined = append(joined, o)
	}
	return joined
}

// minBytes is the least that ops take on the wire.
func minBytes(ops []op) (n int) {
	for _, o := range ops {
		switch o.kind {
		case "fixed":
			n += o.n
		case "str":
			n += 2
		case "blob", "array":
			n += 4
		case "compactStr", "compactBlob", "compactArray", "optional", "tags":
			n++
		}
	}
	return n
}

// elementBytes is the memory of an array's element.
func elementBytes(name string, t reflect.Type) int {
	switch {
	case name == "string":
		return 16
	case wireBytes[name] > 0:
		return wireBytes[name]
	}
	return int(t.Size())
}

// matchStructs finds kmsg's types of the structs among fields.
func matchStructs(d *definition, fields []*field, t reflect.Type) (map[*field]reflect.Type, error) {
	var theirs []reflect.Type
	var names []string
	for i := range t.NumField() {
		if s := structIn(t.Field(i).Type); s != nil {
			theirs = append(theirs, s)
			names = append(names, t.Field(i).Name)
		}
	}
	matched := make(map[*field]reflect.Type)
	for _, f := range fields {
		name, _ := f.element()
		if !isStruct(name) {
			continue
		}
		i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, kmsgName(d, f)) })
		if i < 0 {
			return nil, fmt.Errorf("%s has none of %s's structs for %s", t, d.Name, f.Name)
		}
		matched[f] = theirs[i]
	}
	return matched, nil
}

// kmsgNames are the fields that kmsg names otherwise than Kafka.
var kmsgNames = map[string]string{
	"AddPartitionsToTxnRequest.V3AndBelowTopics":    "Topics",
	"AlterPartitionRequest.NewIsrWithEpochs":        "NewEpochISR",
	"ConsumerGroupHeartbeatRequest.TopicPartitions": "Topics",
	"CreatePartitionsRequest.Assignments":           "Assignment",
	"CreateTopicsRequest.Assignments":               "ReplicaAssignment",
	"ElectLeadersRequest.TopicPartitions":           "Topics",
	"FetchRequest.ForgottenTopicsData":              "ForgottenTopics",
	"ProduceRequest.PartitionData":                  "Partitions",
	"ProduceRequest.TopicData":                      "Topics",
	"StreamsGroupHeartbeatRequest.TopicConfigs":     "Configs",
	"SyncGroupRequest.Assignments":                  "GroupAssignment",
}

func kmsgName(d *definition, f *field) string {
	if n, ok := kmsgNames[d.Name+"."+f.Name]; ok {
		return n
	}
	return f.Name
}

// structIn is the struct that a field of kmsg's holds, if any: itself, by pointer, or as elements.
func structIn(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[kmsg.Tags]() {
		return nil
	}
	return t
}

// count is the number of table rows that ops take.
func count(ops []op) (n int) {
	for _, o := range ops {
		n += 1 + count(o.body)
	}
	return n
}

// render writes ops as rows of the table.
func render(ops []op) string {
	var out strings.Builder
	for _, o := range ops {
		fmt.Fprintf(&out, "{%s, %v, %d, %d, %d},", o.kind, o.null, o.n, o.mem, count(o.body))
		if o.name != "" {
			fmt.Fprintf(&out, " // %s", o.name)
		}
		out.WriteString("\n" + render(o.body))
	}
	return out.String()
}
