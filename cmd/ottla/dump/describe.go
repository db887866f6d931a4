package dump

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"unicode"
)

// describe is a record of the internal topics as JSON: Kafka's field names, ids as 22 characters, bytes as text where they
// are text and else in base64 under the name with "Base64" behind it.
func describe(record any) object { return appendValue(nil, reflect.ValueOf(record)) }

// appendNamed is describe with the record's type as the first field.
func appendNamed(b []byte, record any) []byte {
	b = append(append(b, `{"type":`...), quoteJSON(nameOf(record))...)
	if fields := describe(record); len(fields) > 2 {
		return append(append(b, ','), fields[1:]...)
	}
	return append(b, '}')
}

// nameOf is Kafka's name of a record's type.
func nameOf(record any) string { return reflect.TypeOf(record).Elem().Name() }

func appendValue(b []byte, v reflect.Value) []byte {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return append(b, "null"...)
		}
		return appendValue(b, v.Elem())
	case reflect.Struct:
		return appendStruct(b, v)
	case reflect.Array: // of bytes: an id
		id := make([]byte, v.Len())
		reflect.Copy(reflect.ValueOf(id), v)
		return append(b, quoteJSON(base64.RawURLEncoding.EncodeToString(id))...)
	case reflect.Slice:
		if v.IsNil() {
			return append(b, "null"...)
		}
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, v.Index(i))
		}
		return append(b, ']')
	}
	encoded, err := json.Marshal(v.Interface())
	if err != nil {
		panic("dump: a record with a field that is no JSON: " + err.Error()) // the schemas have none
	}
	return append(b, encoded...)
}

func appendStruct(b []byte, v reflect.Value) []byte {
	b = append(b, '{')
	for i := range v.NumField() {
		if i > 0 {
			b = append(b, ',')
		}
		name := fieldName(v.Type().Field(i).Name)
		if bytes, ok := v.Field(i).Interface().([]byte); ok {
			b = appendBytes(b, name, bytes)
			continue
		}
		b = append(append(b, quoteJSON(name)...), ':')
		b = appendValue(b, v.Field(i))
	}
	return append(b, '}')
}

func appendBytes(b []byte, name string, bytes []byte) []byte {
	var value []byte
	switch {
	case bytes == nil:
		value = []byte("null")
	case isText(bytes):
		value = quoteJSON(string(bytes))
	default:
		name += "Base64"
		value = quoteJSON(base64.StdEncoding.EncodeToString(bytes))
	}
	return append(append(append(b, quoteJSON(name)...), ':'), value...)
}

// fieldName is Kafka's name of a field: TopicID is topicId there.
func fieldName(name string) string {
	name = strings.ReplaceAll(name, "ID", "Id")
	return string(unicode.ToLower(rune(name[0]))) + name[1:]
}
