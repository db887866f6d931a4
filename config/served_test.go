package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// sources is the text of the module's Go files, without tests: of this package without its tables, and of the others.
func sources(t *testing.T) (here, others string) {
	t.Helper()
	var own, rest strings.Builder
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if inside := filepath.Base(filepath.Dir(path)) == "config"; !inside {
			rest.Write(text)
		} else if !strings.Contains(name, "keys") && name != "def.go" {
			own.Write(text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return own.String(), rest.String()
}

// fieldOf are the fields of Topic whose names are not those of their keys.
var fieldOf = map[Key]string{CleanupPolicy: "Compact", Durability: "PageCache", MessageTimestampType: "LogAppendTime"}

// notYet are keys that something names on behalf of what this build does not serve.
var notYet = map[Key]bool{
	UncleanLeaderElectionEnable: true, // set on internal topics; one node has nobody else to elect
	// Internal topics that nothing creates before transactions and share groups come.
	TransactionStateLogNumPartitions: true, TransactionStateLogReplicationFactor: true, TransactionStateLogMinISR: true,
	TransactionStateLogSegmentBytes: true, ShareCoordinatorStateTopicNumPartitions: true,
	ShareCoordinatorStateTopicReplicationFactor: true, ShareCoordinatorStateTopicMinISR: true, ShareCoordinatorStateTopicSegmentBytes: true,
}

// TestServedKeysAreRead keeps the tables honest: a key that is marked as served is read by somebody, and one that somebody
// reads is not marked as without effect.
func TestServedKeysAreRead(t *testing.T) {
	here, others := sources(t)
	constants := constantNames(t)
	throughTopics := map[Key]bool{} // broker keys that a served topic key is taken from
	for _, d := range TopicDefs {
		field := fieldOf[d.Key]
		if field == "" {
			field = constants[d.Key]
		}
		read := regexp.MustCompile(`\.` + field + `\b`).MatchString(others)
		if d.Effect == Served && !read {
			t.Errorf("topic key %s is marked as served, and nothing reads Topic.%s", d.Key, field)
		}
		for _, f := range d.Fallbacks {
			throughTopics[f.Key] = throughTopics[f.Key] || d.Effect == Served
		}
	}
	for _, d := range BrokerDefs {
		name := constants[d.Key]
		read := regexp.MustCompile(`config\.` + name + `\b`).MatchString(others)
		switch {
		case d.Effect == Served && !read && !throughTopics[d.Key] && !regexp.MustCompile(`\b`+name+`\b`).MatchString(here):
			t.Errorf("%s is marked as served, and nothing reads it", d.Key)
		case d.Effect != Served && read && !notYet[d.Key]:
			t.Errorf("%s is marked as without effect, and something reads it", d.Key)
		}
	}
}

// constantNames are the Go names of keys.
func constantNames(t *testing.T) map[Key]string {
	t.Helper()
	names := map[Key]string{}
	files, err := filepath.Glob("*keys*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range declaredKey.FindAllStringSubmatch(string(text), -1) {
			names[Key(m[2])] = m[1]
		}
	}
	return names
}

var declaredKey = regexp.MustCompile(`(?m)^\t(\w+)\s+Key = "([^"]+)"$`)
