package arrows

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/ottla/ottla/"

// A room is a package, or a package and all below it, with what it may import of ours and why no more.
type room struct {
	path string   // relative to the module; the longest that matches a package is its room
	may  []string // packages of ours; a trailing /... takes those below too
	not  []string // packages of the standard library that would break what the room promises
	why  string
}

var rooms = []room{
	{path: "protocol", why: "the wire stands on nothing of ours, so that tools and tests can speak it alone"},
	{path: "protocol/gen", may: []string{"protocol"}, why: "the generator reads definitions and writes tables; it knows no broker"},
	{path: "protocol/record", may: []string{"protocol"}, why: "a batch is bytes: who stores or sends it is not its business"},
	{path: "config", why: "a key is a value with a range: whoever it configures imports it, never the reverse"},
	{path: "logstore/vfs", why: "the file system is handed in; it knows nothing of what is stored"},
	{path: "logstore/vfs/errorfs", may: []string{"logstore/vfs"}, why: "a file system that fails on purpose is a file system"},
	{path: "logstore", may: []string{"protocol", "protocol/record", "logstore/vfs", "logstore/mutant", "logstore/compact"},
		why: "bytes at rest outlive every decision made about them, so they depend on none but their own"},
	{path: "logstore/compact", may: []string{"protocol/record"}, not: impure, why: pure},
	{path: "cmd/ottla/dump", may: []string{"protocol/record", "logstore", "logstore/vfs", "coordinator/record", "coordinator/quorum"},
		why: "a tool that prints every file asks each file's own parser; nothing but the command line stands above it"},
	{path: "coordinator", may: []string{"protocol", "protocol/record", "coordinator/record"},
		why: "the runtime of deciders takes a log as an interface; what implements it stands above"},
	{path: "coordinator/record", may: []string{"protocol", "protocol/record"},
		why: "schemas are shared by every decider and by tools: they may pull in neither"},
	{path: "coordinator/group", may: []string{"protocol", "coordinator", "coordinator/record"}, not: impure, why: pure},
	{path: "coordinator/share", may: []string{"protocol", "coordinator", "coordinator/record"}, not: impure, why: pure},
	{path: "coordinator/txn", may: []string{"protocol", "coordinator", "coordinator/record"}, not: impure, why: pure},
	{path: "coordinator/cluster", may: []string{"protocol", "coordinator", "coordinator/record", "config"}, not: impure, why: pure},
	{path: "coordinator/quorum", may: []string{"protocol", "protocol/record", "coordinator", "coordinator/record", "coordinator/cluster", "logstore", "logstore/vfs"},
		why: "the metadata log is a log of the store; consensus must not know partitions, which are its consequence"},
	{path: "broker/partition", may: []string{"protocol", "protocol/record", "config", "logstore", "logstore/vfs", "coordinator/cluster", "coordinator/record"},
		why: "a replica follows the image; it does not ask a coordinator"},
	{path: "broker/replica", may: []string{"protocol", "protocol/record", "config", "logstore", "coordinator/cluster", "broker/partition"},
		why: "followers fetch; they serve nobody"},
	{path: "broker/security", may: []string{"protocol", "coordinator/cluster"}, why: "who may do what is decided without knowing how it is done"},
	{path: "broker/quota", may: []string{"protocol", "coordinator/cluster"}, why: "as broker/security"},
	{path: "broker/api", may: []string{"protocol/...", "config", "logstore", "coordinator/...", "broker/partition", "broker/security", "broker/quota"},
		why: "a handler answers a request; sockets, listeners and wiring stand above it"},
	{path: "broker", may: []string{"protocol/...", "config", "logstore/...", "coordinator/...", "broker/...", "console"},
		why: "the broker wires everything below; the command line stands above"},
	{path: "console", may: []string{"protocol", "config"}, why: "the HTTP side is handed what it shows; it must not reach into the broker"},
	{path: "cmd", may: []string{"..."}, why: "the top"},
	{path: "integration/crash/failbroker", may: []string{"broker", "config", "logstore/vfs", "logstore/vfs/errorfs"},
		why: "the broker on a file system that kills it: a main of its own, so that the one that is shipped knows nothing of it"},
	{path: "integration/bench", may: []string{"integration/...", "protocol/...", "logstore", "logstore/vfs"},
		why: "as integration; but the log's own figures are taken from the log, on a disk that may leave out zeros, beside the same work without it"},
	{path: "integration", may: []string{"integration/...", "protocol/..."},
		why: "integration tests see what a client sees: the binary, its wire and its files"},
}

const pure = "a machine decides from what it is given: no goroutine, lock, file, socket, clock or randomness of its own inside"

// math/rand/v2 is not among them: a generator is handed in, as the time is.
var impure = []string{"os", "net", "sync", "context", "math/rand", "crypto/rand", "log/slog"}

// libraries that only one room may import: the seam stays narrow and the library can be replaced.
var libraries = []struct{ path, room, why string }{
	{"github.com/hashicorp/raft", "coordinator/quorum", "consensus is bought once"},
	{"github.com/spf13/viper", "config", "sources of keys are merged in one place"},
	{"github.com/spf13/cobra", "cmd", "commands are words of the binary only"},
	{"github.com/klauspost/compress", "protocol/record", "compression happens to batches, under their caps"},
	{"github.com/pierrec/lz4", "protocol/record", "compression happens to batches, under their caps"},
}

func TestImportsPointDown(t *testing.T) {
	for _, complaint := range complaints(list(t)) {
		t.Error(complaint)
	}
}

// TestAnUpwardImportIsSeen gives the rules imports that they forbid.
func TestAnUpwardImportIsSeen(t *testing.T) {
	for _, bad := range []imports{
		{"protocol", []string{module + "config"}},
		{"logstore", []string{module + "broker/partition"}},
		{"broker/api", []string{module + "broker"}},
		{"coordinator/group", []string{"sync"}},
		{"broker/partition", []string{"github.com/hashicorp/raft"}},
		{"unheard/of", nil},
	} {
		if len(complaints([]imports{bad})) == 0 {
			t.Errorf("%s importing %v went unseen", bad.pkg, bad.of)
		}
	}
}

// imports is what one package of ours imports outside its tests.
type imports struct {
	pkg string // relative to the module
	of  []string
}

func list(t *testing.T) []imports {
	out, err := exec.Command("go", "list", "-e", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []imports
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		all = append(all, imports{strings.TrimPrefix(words[0], module), words[1:]})
	}
	if len(all) < 5 {
		t.Fatalf("only %d packages listed", len(all))
	}
	return all
}

func complaints(all []imports) []string {
	var out []string
	for _, p := range all {
		in := roomOf(p.pkg)
		if in == nil {
			out = append(out, fmt.Sprintf("%s stands in no room: give it a row in rooms, and the reason for its arrows", p.pkg))
			continue
		}
		for _, path := range p.of {
			out = append(out, judge(p.pkg, in, path)...)
		}
	}
	return out
}

func judge(pkg string, in *room, path string) []string {
	if ours, ok := strings.CutPrefix(path, module); ok {
		if ours == pkg || matchesAny(in.may, ours) {
			return nil
		}
		return []string{fmt.Sprintf("%s imports %s: %s", pkg, ours, in.why)}
	}
	for _, bad := range in.not {
		if path == bad {
			return []string{fmt.Sprintf("%s imports %s: %s", pkg, path, in.why)}
		}
	}
	for _, l := range libraries {
		if strings.HasPrefix(path, l.path) && !within(pkg, l.room) && !within(pkg, "integration") {
			return []string{fmt.Sprintf("%s imports %s, which is for %s alone: %s", pkg, path, l.room, l.why)}
		}
	}
	return nil
}

func roomOf(pkg string) *room {
	var best *room
	for i := range rooms {
		if within(pkg, rooms[i].path) && (best == nil || len(rooms[i].path) > len(best.path)) {
			best = &rooms[i]
		}
	}
	return best
}

func within(pkg, room string) bool { return pkg == room || strings.HasPrefix(pkg, room+"/") }

func matchesAny(patterns []string, pkg string) bool {
	for _, p := range patterns {
		below, wild := strings.CutSuffix(p, "...")
		if p == pkg || wild && (below == "" || within(pkg, strings.TrimSuffix(below, "/"))) {
			return true
		}
	}
	return false
}
