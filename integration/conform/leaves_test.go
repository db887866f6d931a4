package conform

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A leaf is one value of an answer and where it stands in it.
type leaf struct{ path, value string }

// namer gives what differs from run to run a name: the same thing has the same name within one script.
type namer struct {
	topics  map[[16]byte]string // topic ids by the topic's name
	uuids   map[string]int
	pids    map[int64]int
	replace *strings.Replacer // the broker's address and directory
}

func newNamer(bootstrap, dataDir string) *namer {
	return &namer{
		topics:  map[[16]byte]string{},
		uuids:   map[string]int{},
		pids:    map[int64]int{},
		replace: strings.NewReplacer(bootstrap, "<address>", dataDir, "<dir>"),
	}
}

// leaves flattens an answer. What has its default value is left out.
func (n *namer) leaves(resp kmsg.Response) []leaf {
	var out []leaf
	n.walk("", reflect.ValueOf(resp).Elem(), &out)
	return out
}

// hidden are fields that say nothing of the answer.
var hidden = map[string]bool{"Version": true, "UnknownTags": true, "ThrottleMillis": true}

func (n *namer) walk(path string, v reflect.Value, out *[]leaf) {
	if v.Kind() != reflect.Struct {
		*out = append(*out, leaf{path, n.text(lastField(path), v)})
		return
	}
	fresh := reflect.New(v.Type())
	if d, ok := fresh.Interface().(interface{ Default() }); ok {
		d.Default()
	}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if hidden[field.Name] {
			continue
		}
		at, value, usual := under(path, field.Name), v.Field(i), fresh.Elem().Field(i)
		switch {
		case value.Kind() == reflect.Pointer && value.Type().Elem().Kind() == reflect.Struct:
			if !value.IsNil() {
				n.walk(at, value.Elem(), out)
			}
		case value.Kind() == reflect.Struct:
			n.walk(at, value, out)
		case value.Kind() == reflect.Slice && value.Type().Elem().Kind() != reflect.Uint8:
			n.walkSlice(at, value, usual, out)
		case !reflect.DeepEqual(value.Interface(), usual.Interface()):
			*out = append(*out, leaf{at, n.text(field.Name, value)})
		}
	}
}

func (n *namer) walkSlice(path string, v, usual reflect.Value, out *[]leaf) {
	if v.Len() == 0 && v.IsNil() != usual.IsNil() {
		*out = append(*out, leaf{path, map[bool]string{true: "null", false: "[]"}[v.IsNil()]})
	}
	if kind := v.Type().Elem().Kind(); kind != reflect.Struct && v.Len() > 0 {
		var items []string
		for i := range v.Len() {
			items = append(items, n.text(lastField(path), v.Index(i)))
		}
		*out = append(*out, leaf{path, "[" + strings.Join(items, " ") + "]"})
		return
	}
	type element struct {
		name  string
		value reflect.Value
	}
	var elements []element
	taken := map[string]bool{}
	defaults := 0
	for i := range v.Len() {
		if c, ok := v.Index(i).Interface().(kmsg.CreateTopicsResponseTopicConfig); ok && c.Source == 5 {
			defaults++ // DescribeConfigs tells them all
			continue
		}
		name := strconv.Itoa(i)
		if key, sorted := n.keyOf(v.Index(i)); sorted {
			name = strings.Trim(strconv.Quote(key), `"`) // on one line, whatever a client made of it
		}
		for same := 2; taken[name]; same++ { // asked twice, answered twice
			name = fmt.Sprintf("%s #%d", strings.TrimSuffix(name, fmt.Sprintf(" #%d", same-1)), same)
		}
		taken[name] = true
		elements = append(elements, element{name, v.Index(i)})
	}
	if defaults > 0 {
		*out = append(*out, leaf{path, fmt.Sprintf("%d defaults", defaults)})
	}
	sort.SliceStable(elements, func(i, j int) bool {
		a, errA := strconv.Atoi(elements[i].name)
		b, errB := strconv.Atoi(elements[j].name)
		if errA == nil && errB == nil {
			return a < b
		}
		return elements[i].name < elements[j].name
	})
	for _, e := range elements {
		at, before := path+"["+e.name+"]", len(*out)
		n.walk(at, e.value, out)
		if len(*out) == before {
			*out = append(*out, leaf{at, "{}"})
		}
	}
}

// keyOf names an element of a list that is a set: its order is nobody's promise.
func (n *namer) keyOf(v reflect.Value) (string, bool) {
	switch e := v.Interface().(type) {
	case kmsg.ApiVersionsResponseApiKey:
		return fmt.Sprintf("%d", e.ApiKey), true
	case kmsg.ApiVersionsResponseSupportedFeature:
		return e.Name, true
	case kmsg.ApiVersionsResponseFinalizedFeature:
		return e.Name, true
	case kmsg.CreateTopicsResponseTopicConfig:
		return e.Name, true
	case kmsg.CreateTopicsResponseTopic:
		return e.Topic, true
	case kmsg.DescribeConfigsResponseResourceConfig:
		return e.Name, true
	case kmsg.DescribeConfigsResponseResource:
		return fmt.Sprintf("%d %s", e.ResourceType, e.ResourceName), true
	case kmsg.IncrementalAlterConfigsResponseResource:
		return fmt.Sprintf("%d %s", e.ResourceType, e.ResourceName), true
	case kmsg.AlterConfigsResponseResource:
		return fmt.Sprintf("%d %s", e.ResourceType, e.ResourceName), true
	case kmsg.ListConfigResourcesResponseConfigResource:
		return fmt.Sprintf("%d %s", e.Type, e.Name), true
	case kmsg.ListGroupsResponseGroup:
		return e.Group, true
	case kmsg.DescribeLogDirsResponseDirTopic:
		return e.Topic, true
	case kmsg.MetadataResponseTopic:
		if e.Topic != nil {
			return *e.Topic, true
		}
	case kmsg.OffsetFetchResponseTopic:
		return e.Topic, true
	case kmsg.OffsetFetchResponseTopicPartition:
		return fmt.Sprint(e.Partition), true
	case kmsg.OffsetFetchResponseGroupTopicPartition:
		return fmt.Sprint(e.Partition), true
	case kmsg.FetchResponseTopicPartition:
		return fmt.Sprint(e.Partition), true
	case kmsg.ProduceResponseTopicPartition:
		return fmt.Sprint(e.Partition), true
	case kmsg.OffsetFetchResponseGroup:
		return e.Group, true
	case kmsg.DescribeGroupsResponseGroupMember:
		return strings.Trim(n.string("MemberID", e.MemberID), `"`), true
	case kmsg.JoinGroupResponseMember:
		return strings.Trim(n.string("MemberID", e.MemberID), `"`), true
	case kmsg.DeleteRecordsResponseTopic:
		return e.Topic, true
	case kmsg.ListOffsetsResponseTopic:
		return e.Topic, true
	case kmsg.OffsetForLeaderEpochResponseTopic:
		return e.Topic, true
	case kmsg.ProduceResponseTopic:
		return e.Topic, e.Topic != ""
	}
	return "", false
}

var (
	uuid  = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	other = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	short = regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`)
)

// aTimeAgo is a time stamp that only a clock can have given: scripts use smaller ones. In ms.
const aTimeAgo = 1_600_000_000_000

// text is a value as it is compared and read: named where it has no fixed value.
func (n *namer) text(field string, v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return "null"
		}
		v = v.Elem()
	}
	switch x := v.Interface().(type) {
	case [16]byte:
		return n.topicID(x)
	case []byte:
		if x == nil {
			return "null"
		}
		if field == "RecordBatches" {
			return n.batches(x)
		}
		return "0x" + hex.EncodeToString(x)
	case string:
		return n.string(field, x)
	case int16:
		if field == "ErrorCode" || field == "ConfigErrorCode" {
			return codeText(x)
		}
	case int32:
		if field == "Port" && x > 0 || field == "SessionID" && x != 0 {
			return "<" + strings.ToLower(field) + ">"
		}
	case uint16:
		if field == "Port" {
			return "<port>"
		}
	case int64:
		switch {
		case field == "ProducerID" && x >= 0:
			return fmt.Sprintf("<producer %d>", number(n.pids, x))
		case field == "FinalizedFeaturesEpoch" && x >= 0, (field == "TotalBytes" || field == "UsableBytes") && x > 0:
			return "<some>"
		case x > aTimeAgo && x < 10*aTimeAgo:
			return "<now>"
		}
	}
	return fmt.Sprint(v.Interface())
}

func (n *namer) string(field, s string) string {
	switch {
	case field == "Host":
		return "<host>"
	case field == "Documentation" && s != "":
		return "(text)"
	case field == "ClusterID" && short.MatchString(s):
		return "<cluster>"
	}
	s = n.replace.Replace(s)
	s = other.ReplaceAllString(s, "<another address>")
	s = uuid.ReplaceAllStringFunc(s, func(id string) string { return fmt.Sprintf("<uuid %d>", number(n.uuids, id)) })
	for id, topic := range n.topics {
		s = strings.ReplaceAll(s, base64.RawURLEncoding.EncodeToString(id[:]), "<id of "+topic+">")
	}
	return strconv.Quote(s)
}

func (n *namer) topicID(id [16]byte) string {
	if topic, ok := n.topics[id]; ok {
		return "<id of " + topic + ">"
	}
	if id[0] == 0 && id[14] == 0 { // zero, or one that a script made up
		return hex.EncodeToString(id[:])
	}
	return "<id>"
}

// number counts things by their first appearance.
func number[T comparable](seen map[T]int, x T) int {
	if _, ok := seen[x]; !ok {
		seen[x] = len(seen) + 1
	}
	return seen[x]
}

func codeText(code int16) string {
	if err := kerr.TypedErrorForCode(code); err != nil {
		return fmt.Sprintf("%d %s", code, err.Message)
	}
	return fmt.Sprint(code)
}

// batches shows record batches, with their header and a checksum of their records.
func (n *namer) batches(b []byte) string {
	if len(b) == 0 {
		return "empty"
	}
	var shown []string
	for len(b) >= 61 {
		length := int(binary.BigEndian.Uint32(b[8:])) + 12
		if length < 61 || length > len(b) {
			break
		}
		var rb kmsg.RecordBatch
		if err := rb.ReadFrom(b[:length]); err != nil {
			return "undecodable: " + err.Error()
		}
		crc := "good"
		if uint32(rb.CRC) != crc32.Checksum(b[21:length], crc32.MakeTable(crc32.Castagnoli)) {
			crc = "BAD"
		}
		last := fmt.Sprint(rb.MaxTimestamp)
		if rb.MaxTimestamp > aTimeAgo {
			last = "<now>"
		}
		pid := "-1"
		if rb.ProducerID >= 0 {
			pid = fmt.Sprintf("<producer %d>", number(n.pids, rb.ProducerID))
		}
		shown = append(shown, fmt.Sprintf(
			"{offset %d +%d, epoch %d, attributes %#x, time %d to %s, producer %s epoch %d sequence %d, %d records %08x, crc %s}",
			rb.FirstOffset, rb.LastOffsetDelta, rb.PartitionLeaderEpoch, rb.Attributes, rb.FirstTimestamp, last,
			pid, rb.ProducerEpoch, rb.FirstSequence, rb.NumRecords, crc32.ChecksumIEEE(rb.Records), crc))
		b = b[length:]
	}
	if len(b) > 0 {
		shown = append(shown, fmt.Sprintf("and %d bytes of another", len(b)))
	}
	return strings.Join(slices.Clip(shown), " ")
}

func under(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}

func lastField(path string) string {
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		path = path[i+1:]
	}
	field, _, _ := strings.Cut(path, "[")
	return field
}
