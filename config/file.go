package config

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// parseFile reads our YAML or Kafka's server.properties, as the file's name says.
func parseFile(path string, text []byte) ([]setting, error) {
	switch filepath.Ext(path) {
	case ".yaml", ".yml":
		return parseYAML(path, text)
	case ".properties":
		return parseProperties(path, string(text))
	}
	return nil, fmt.Errorf("configuration file %s: its name must end in .yaml, .yml or .properties, which says how to read it", path)
}

// parseYAML reads keys as they are, or nested, each level giving a part between dots; a list's entries are joined with
// commas.
func parseYAML(path string, text []byte) ([]setting, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var doc yaml.Node
	switch err := decoder.Decode(&doc); {
	case err == io.EOF: // nothing in it
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("configuration file %s: %w", path, err)
	}
	f := yamlFile{path: path, lines: map[Key]int{}}
	if err := f.read("", doc.Content[0], 0); err != nil {
		return nil, err
	}
	if decoder.Decode(&doc) != io.EOF {
		return nil, fmt.Errorf("configuration file %s: more than one document", path)
	}
	return f.settings, nil
}

type yamlFile struct {
	path     string
	settings []setting
	lines    map[Key]int // where each key was first
}

func (f *yamlFile) errorf(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", f.path, n.Line, fmt.Sprintf(format, args...))
}

func (f *yamlFile) read(prefix string, n *yaml.Node, depth int) error {
	if n.Kind != yaml.MappingNode {
		return f.errorf(n, "a mapping of keys to values is expected")
	}
	if depth > 10 {
		return f.errorf(n, "nested too deep: no key has so many parts")
	}
	for i := 0; i < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		key := strings.ToLower(prefix + name.Value)
		if value.Kind == yaml.MappingNode {
			if err := f.read(key+".", value, depth+1); err != nil {
				return err
			}
			continue
		}
		text, err := f.scalar(key, value)
		if err != nil {
			return err
		}
		if line := f.lines[Key(key)]; line != 0 {
			return f.errorf(name, "%s stands on line %d already", key, line)
		}
		f.lines[Key(key)] = name.Line
		f.settings = append(f.settings, setting{key: Key(key), value: text, origin: Origin{Kind: FromFile, Name: f.path, Line: name.Line}})
	}
	return nil
}

// scalar is a value as text: what stands in the file, without quotes; a list joined with commas.
func (f *yamlFile) scalar(key string, n *yaml.Node) (string, error) {
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return "", f.errorf(n, "%s has no value; write \"\" for an empty one, or leave the key out", key)
	case n.Kind == yaml.ScalarNode:
		return n.Value, nil
	case n.Kind != yaml.SequenceNode:
		return "", f.errorf(n, "%s: YAML's aliases are not read", key)
	}
	entries := make([]string, len(n.Content))
	for i, e := range n.Content {
		if e.Kind != yaml.ScalarNode || e.Tag == "!!null" || strings.Contains(e.Value, ",") {
			return "", f.errorf(e, "%s: a list's entries are plain values", key)
		}
		entries[i] = e.Value
	}
	return strings.Join(entries, ","), nil
}

// parseProperties reads the format of java.util.Properties. Of two lines for one key the later holds.
func parseProperties(path, text string) ([]setting, error) {
	var settings []setting
	at := map[Key]int{}
	lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\n")
	for i := 0; i < len(lines); i++ {
		first := i
		line := trimBlanks(lines[i])
		if line == "" || line[0] == '#' || line[0] == '!' || line == `\` { // a backslash alone continues nothing
			continue
		}
		for continues(line) {
			line = line[:len(line)-1]
			if i++; i == len(lines) {
				break
			}
			line += trimBlanks(lines[i])
		}
		key, value, err := splitProperty(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, first+1, err)
		}
		s := setting{key: Key(key), value: value, origin: Origin{Kind: FromFile, Name: path, Line: first + 1, Properties: true}}
		if j, seen := at[s.key]; seen {
			settings[j] = s
			continue
		}
		at[s.key] = len(settings)
		settings = append(settings, s)
	}
	return settings, nil
}

// trimBlanks drops the blanks that Java drops at the beginning of a line.
func trimBlanks(s string) string { return strings.TrimLeft(s, " \t\f") }

// continues reports whether a line goes on in the next: it ends in an odd number of backslashes.
func continues(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

// splitProperty takes a line apart: the key ends at the first = or : or blank that no backslash precedes.
func splitProperty(line string) (key, value string, err error) {
	end := 0
	for end < len(line) && !strings.ContainsRune("=: \t\f", rune(line[end])) {
		if line[end] == '\\' {
			end++
		}
		end++
	}
	end = min(end, len(line))
	rest := trimBlanks(line[end:])
	if rest != "" && (rest[0] == '=' || rest[0] == ':') {
		rest = trimBlanks(rest[1:])
	}
	if key, err = unescape(line[:end]); err != nil {
		return "", "", err
	}
	value, err = unescape(rest)
	return key, value, err
}

func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out.WriteByte(s[i])
			continue
		}
		i++
		switch c := s[i]; c {
		case 't':
			out.WriteByte('\t')
		case 'n':
			out.WriteByte('\n')
		case 'r':
			out.WriteByte('\r')
		case 'f':
			out.WriteByte('\f')
		case 'u':
			if i+5 > len(s) {
				return "", fmt.Errorf(`\u without four hexadecimal digits`)
			}
			n, err := strconv.ParseUint(s[i+1:i+5], 16, 16)
			if err != nil {
				return "", fmt.Errorf(`\u without four hexadecimal digits`)
			}
			r := rune(n)
			if !utf8.ValidRune(r) {
				r = utf8.RuneError
			}
			out.WriteRune(r)
			i += 4
		default:
			out.WriteByte(c)
		}
	}
	return out.String(), nil
}
