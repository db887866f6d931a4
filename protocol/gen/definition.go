package main

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// definition is one message, as a JSON file of Kafka defines it.
type definition struct {
	APIKey                *int16   `json:"apiKey"`
	Type                  string   `json:"type"`
	Name                  string   `json:"name"`
	ValidVersions         string   `json:"validVersions"`
	FlexibleVersions      string   `json:"flexibleVersions"`
	LatestVersionUnstable bool     `json:"latestVersionUnstable"`
	Fields                []*field `json:"fields"`
	CommonStructs         []*field `json:"commonStructs"`
}

// field is one field of a message or of a struct in it.
type field struct {
	Name             string          `json:"name"`
	Type             string          `json:"type"`
	Versions         string          `json:"versions"`
	NullableVersions string          `json:"nullableVersions"`
	TaggedVersions   string          `json:"taggedVersions"`
	Tag              int             `json:"tag"`
	Default          json.RawMessage `json:"default"`
	Ignorable        bool            `json:"ignorable"`
	FlexibleVersions string          `json:"flexibleVersions"`
	Fields           []*field        `json:"fields"`
}

// versions is a range, both ends included; it is empty where max < min.
type versions struct{ min, max int16 }

const noEnd = math.MaxInt16

func (v versions) has(version int16) bool { return v.min <= version && version <= v.max }

// parseVersions reads "3", "0-4", "2+", "none" and "".
func parseVersions(s string) versions {
	number := func(s string) int16 {
		n, err := strconv.ParseInt(s, 10, 16)
		if err != nil {
			panic(fmt.Sprintf("versions %q: %v", s, err))
		}
		return int16(n)
	}
	if s == "" || s == "none" {
		return versions{0, -1}
	}
	if first, ok := strings.CutSuffix(s, "+"); ok {
		return versions{number(first), noEnd}
	}
	first, last, isRange := strings.Cut(s, "-")
	if !isRange {
		last = first
	}
	return versions{number(first), number(last)}
}

// valid are the stable versions of the message.
func (d *definition) valid() versions {
	v := parseVersions(d.ValidVersions)
	if d.LatestVersionUnstable {
		v.max--
	}
	return v
}

// flexibleFrom is the first version with compact lengths and tags, noEnd where there is none.
func (d *definition) flexibleFrom() int16 {
	if v := parseVersions(d.FlexibleVersions); v.max >= v.min {
		return v.min
	}
	return noEnd
}

// present reports whether the field is in a version, tagged or not.
func (f *field) present(version int16) bool {
	if f.Versions == "" {
		return f.tagged(version)
	}
	return parseVersions(f.Versions).has(version)
}

func (f *field) tagged(version int16) bool   { return parseVersions(f.TaggedVersions).has(version) }
func (f *field) nullable(version int16) bool { return parseVersions(f.NullableVersions).has(version) }

// element is the type of a field's elements, and whether it is an array.
func (f *field) element() (name string, isArray bool) { return strings.CutPrefix(f.Type, "[]") }

// wireBytes are the primitives of fixed length.
var wireBytes = map[string]int{
	"bool": 1, "int8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "int64": 8, "float64": 8, "uuid": 16,
}

// isStruct reports whether a type name is a struct's.
func isStruct(name string) bool {
	return wireBytes[name] == 0 && !slices.Contains([]string{"string", "bytes", "records"}, name)
}

// fieldsOf are the fields of a struct that a field of the message names.
func (d *definition) fieldsOf(f *field) []*field {
	if len(f.Fields) > 0 {
		return f.Fields
	}
	name, _ := f.element()
	if s := d.findStruct(name); s != nil {
		return s.Fields
	}
	panic(d.Name + ": no struct " + name)
}

func (d *definition) findStruct(name string) *field {
	for _, s := range d.CommonStructs {
		if s.Name == name {
			return s
		}
	}
	var search func([]*field) *field
	search = func(fields []*field) *field {
		for _, f := range fields {
			if e, _ := f.element(); e == name && len(f.Fields) > 0 {
				return f
			}
			if s := search(f.Fields); s != nil {
				return s
			}
		}
		return nil
	}
	return search(d.Fields)
}

// jar is what one jar of a release defines.
type jar struct {
	release  string
	messages []*definition
}

// readJar reads the definitions in DIR/name-RELEASE.jar.
func readJar(dir, name string) (*jar, error) {
	pattern := regexp.MustCompile("^" + name + `-(\d[\d.]*)\.jar$`)
	paths, _ := filepath.Glob(filepath.Join(dir, name+"-*.jar"))
	for _, path := range paths {
		if m := pattern.FindStringSubmatch(filepath.Base(path)); m != nil {
			messages, err := readDefinitions(path)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			return &jar{m[1], messages}, nil
		}
	}
	return nil, fmt.Errorf("no %s-RELEASE.jar in %q: name the directory with -kafka or OTTLA_KAFKA_LIBS", name, dir)
}

func readDefinitions(path string) ([]*definition, error) {
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	var all []*definition
	for _, f := range z.File {
		if !strings.HasSuffix(f.Name, ".json") {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			return nil, err
		}
		d := new(definition)
		if err := json.Unmarshal(withoutComments(text), d); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b *definition) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// withoutComments blanks what follows // outside of strings.
func withoutComments(text []byte) []byte {
	inString, inComment := false, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inComment && c != '\n':
			text[i] = ' '
		case inComment:
			inComment = false
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case !inString && c == '/' && i+1 < len(text) && text[i+1] == '/':
			inComment = true
			text[i] = ' '
		}
	}
	return text
}

// requests are the definitions of requests by API key.
func (j *jar) requests() map[int16]*definition {
	byKey := make(map[int16]*definition)
	for _, d := range j.messages {
		if d.Type == "request" {
			byKey[*d.APIKey] = d
		}
	}
	return byKey
}
