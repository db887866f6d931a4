package config

import (
	"fmt"
	"strings"
	"testing"
)

func pairs(settings []setting) string {
	var out []string
	for _, s := range settings {
		out = append(out, fmt.Sprintf("%s=%s@%d", s.key, s.value, s.origin.Line))
	}
	return strings.Join(out, " ")
}

// TestProperties: what java.util.Properties reads, which decided in every case of doubt.
func TestProperties(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "",
		"a=b":                      "a=b@1",
		"  a = b  ":                "a=b  @1",
		"a:b\na2 b2\na3\tb3":       "a=b@1 a2=b2@2 a3=b3@3",
		"a":                        "a=@1",
		"a==b":                     "a==b@1",
		"a = :b":                   "a=:b@1",
		"# c\n! c\n\n \t\na=b":     "a=b@5",
		"a=b\\\n   c\nd=e":         "a=bc@1 d=e@3",
		"a=b\\\\\nd=e":             `a=b\@1 d=e@2`,
		"a=1,\\\r\n  2\r\nb=3":     "a=1,2@1 b=3@3",
		"a=b\\\n# c":               "a=b# c@1",
		"a=b\\":                    "a=b@1",
		"\\\n# c\na=b":             "a=b@3",
		"a\\=b=c\na\\ b=c":         "a=b=c@1 a b=c@2",
		`a=\t\n\r\f\q\u0041\\`:     "a=\t\n\r\fqA\\@1",
		"a=1\nb=2\na=3":            "a=3@3 b=2@2",
		"listeners=PLAINTEXT://:1": "listeners=PLAINTEXT://:1@1",
		"a=é":                      "a=é@1",
	} {
		settings, err := parseProperties("f", in)
		if got := pairs(settings); err != nil || got != want {
			t.Errorf("%q is read %q, want %q, %v", in, got, want, err)
		}
	}
	for _, in := range []string{`a=\u00`, `a=\u12g4`, `\u=b`, `a=\u`} {
		if _, err := parseProperties("f", "\n"+in); err == nil || !strings.HasPrefix(err.Error(), "f:2: ") {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestYAML(t *testing.T) {
	for in, want := range map[string]string{
		"":                        "",
		"# only":                  "",
		"a.b: c":                  "a.b=c@1",
		"a: {b: {c: 1}}\na.d: -1": "a.b.c=1@1 a.d=-1@2",
		"log:\n  retention:\n    ms: 5\n  dirs: [/d]": "log.retention.ms=5@3 log.dirs=/d@4",
		"a:\n- x\n- y": "a=x,y@1",
		"a: []":        "a=@1",
		`a: ""`:        "a=@1",
		"a: true\nb: 0.5\nc: 9223372036854775807": "a=true@1 b=0.5@2 c=9223372036854775807@3",
		"Num.Partitions: 3":                       "num.partitions=3@1",
		"a: |\n  x\n  y\n":                        "a=x\ny\n@1",
	} {
		settings, err := parseYAML("f.yaml", []byte(in))
		if got := pairs(settings); err != nil || got != want {
			t.Errorf("%q is read %q, want %q, %v", in, got, want, err)
		}
	}
	for in, want := range map[string]string{
		"a:":                       "f.yaml:1: a has no value",
		"a: ~":                     "no value",
		"- a":                      "a mapping",
		"a":                        "a mapping",
		"a.b: 1\na: {b: 2}":        "f.yaml:2: a.b stands on line 1 already",
		"a: [b, [c]]":              "plain values",
		"a: ['b,c']":               "plain values",
		"x: &x 1\ny: *x":           "aliases",
		"a: b\n---\nc: d":          "more than one document",
		"a: b: c":                  "f.yaml",
		strings.Repeat("{a: ", 20): "f.yaml",
		"a: {b: {c: {d: {e: {f: {g: {h: {i: {j: {k: {l: 1}}}}}}}}}}}": "nested too deep",
	} {
		if _, err := parseYAML("f.yaml", []byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
	}
}

// FuzzFiles: any file is read or refused; what is read has keys and lines of the file, and reading it twice is the same.
func FuzzFiles(f *testing.F) {
	for _, seed := range []string{"a=b\\\n c", "a: {b: [c, d]}", `\u0041`, "a:\n- &x b\n- *x", "\\", "\x00", "? - a\n: b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Count(text, "\n") + strings.Count(text, "\r") + 1
		for _, file := range []string{"f.yaml", "f.properties"} {
			settings, err := parseFile(file, []byte(text))
			if err != nil {
				continue
			}
			again, _ := parseFile(file, []byte(text))
			if pairs(settings) != pairs(again) {
				t.Errorf("%s: read differently the second time", file)
			}
			seen := map[Key]bool{}
			for _, s := range settings {
				if seen[s.key] {
					t.Errorf("%s: %q twice", file, s.key)
				}
				seen[s.key] = true
				if s.origin.Line < 1 || s.origin.Line > lines+1 {
					t.Errorf("%s: %q on line %d of %d", file, s.key, s.origin.Line, lines)
				}
			}
			Load(Input{File: file, ReadFile: func(string) ([]byte, error) { return []byte(text), nil }})
		}
	})
}
