package config

import (
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"time"
)

// Broker is one set of effective broker values. It never changes: WithDynamic makes another.
//
// Its getters panic for a key that does not exist or is of another type: that is a defect of the caller.
type Broker struct {
	// static holds what flags, environment and file set, and origins where each came from.
	static  map[Key]string
	origins map[Key]Origin
	// What was set while the broker ran, on this broker and on all. Names that are no key of ours may be among them:
	// Kafka keeps those for plug-ins, and shows them.
	perBroker, clusterDefault map[Key]string
	// values holds the effective value of every key that has one.
	values map[Key]any
}

// Default is the configuration of a broker that nobody configured.
func Default() *Broker {
	b, err := New(nil)
	if err != nil {
		panic("config: the defaults do not stand: " + err.Error())
	}
	return b
}

// New is the configuration of a broker started with these values and nothing else.
func New(static map[Key]string) (*Broker, error) {
	b := &Broker{static: maps.Clone(static), origins: make(map[Key]Origin, len(static))}
	for k := range static {
		b.origins[k] = Origin{Kind: FromFlag, Name: "--set"}
	}
	if err := b.checkStatic(); err != nil {
		return nil, err
	}
	b.resolve()
	if err := b.checkRules(); err != nil {
		return nil, err
	}
	return b, nil
}

// resolve computes the effective values: per broker, cluster-wide, static, default.
// A dynamic value that this build cannot take is passed over, as Kafka does with one that it can no longer read.
func (b *Broker) resolve() {
	b.values = make(map[Key]any, len(BrokerDefs))
	for _, d := range BrokerDefs {
		for _, layer := range []map[Key]string{b.perBroker, b.clusterDefault, b.static} {
			text, ok := layer[d.Key]
			if !ok {
				continue
			}
			if v, err := d.Parse(text); err == nil {
				b.values[d.Key] = v
				break
			}
		}
		if _, ok := b.values[d.Key]; !ok && d.HasDefault() {
			b.values[d.Key], _ = d.Parse(d.Default) // index has parsed every default
		}
	}
	// node.id and broker.id are two names of one value.
	if _, ok := b.static[NodeID]; !ok && b.isSet(BrokerID) {
		b.values[NodeID] = b.values[BrokerID]
	}
	b.values[BrokerID] = b.values[NodeID]
}

// isSet reports whether a key was given a value by flag, environment or file.
func (b *Broker) isSet(k Key) bool { _, ok := b.static[k]; return ok }

// Has reports whether a key has a value at all.
func (b *Broker) Has(k Key) bool { _, ok := b.values[k]; return ok }

func get[T any](b *Broker, k Key, getter string) T {
	v, ok := b.values[k]
	if !ok && BrokerDef(k) != nil {
		var unset T
		return unset
	}
	typed, ok := v.(T)
	if !ok {
		panic(fmt.Sprintf("config: %s of %q, which is no such broker key", getter, k))
	}
	return typed
}

// Int is a whole number: INT, SHORT or LONG, 0 where it is unset, Auto where it is auto.
// A LONG that no int holds is the nearest that does.
func (b *Broker) Int(k Key) int {
	return int(min(max(get[int64](b, k, "Int"), math.MinInt), math.MaxInt))
}

// Int64 is a whole number: INT, SHORT or LONG, 0 where it is unset.
func (b *Broker) Int64(k Key) int64 { return get[int64](b, k, "Int64") }

// Bool is a BOOLEAN.
func (b *Broker) Bool(k Key) bool { return get[bool](b, k, "Bool") }

// Float is a DOUBLE.
func (b *Broker) Float(k Key) float64 { return get[float64](b, k, "Float") }

// String is a STRING, CLASS or PASSWORD, empty where it is unset.
func (b *Broker) String(k Key) string { return get[string](b, k, "String") }

// List is a LIST. The caller must not change it.
func (b *Broker) List(k Key) []string { return get[[]string](b, k, "List") }

// Millis is a whole number of milliseconds. It is cut to what a time.Duration holds: 292 years.
func (b *Broker) Millis(k Key) time.Duration { return Millis(b.Int64(k)) }

// Millis turns milliseconds, as Kafka counts time, into a time.Duration, cut to what that holds.
func Millis(ms int64) time.Duration {
	const limit = math.MaxInt64 / int64(time.Millisecond)
	return time.Duration(min(max(ms, -limit), limit)) * time.Millisecond
}

// first is the value of the first fallback that has one.
func (b *Broker) first(fallbacks []Fallback) (int64, bool) {
	for _, f := range fallbacks {
		if v, ok := b.values[f.Key].(int64); ok {
			return times(v, f.Factor), true
		}
	}
	return 0, false
}

// times multiplies and stops at the ends of int64. A negative number is a word (-1: without bound) and stays itself.
func times(n, factor int64) int64 {
	switch {
	case n < 0:
		return n
	case n > math.MaxInt64/factor:
		return math.MaxInt64
	}
	return n * factor
}

// NodeID is the node's id. Source: node.id, broker.id.
func (b *Broker) NodeID() int32 { return int32(b.Int64(NodeID)) }

// DataDirs are the data directories, cleaned. Source: log.dirs, log.dir.
func (b *Broker) DataDirs() (dirs []string) {
	all := b.List(LogDirs)
	if len(all) == 0 {
		all = b.List(LogDir)
	}
	for _, dir := range all {
		dirs = append(dirs, cleanDir(dir))
	}
	return dirs
}

// MetadataDir is where the metadata log lies. Source: metadata.log.dir; else the first of DataDirs.
func (b *Broker) MetadataDir() string {
	if dir := b.String(MetadataLogDir); dir != "" {
		return cleanDir(dir)
	}
	return b.DataDirs()[0]
}

// CordonedDirs are the data directories that take no new partitions. Source: cordoned.log.dirs.
func (b *Broker) CordonedDirs() (dirs []string) {
	for _, dir := range b.List(CordonedLogDirs) {
		if dir == "*" {
			return b.DataDirs()
		}
		dirs = append(dirs, cleanDir(dir))
	}
	return dirs
}

// cleanDir is the absolute path of a directory, which is how clients name it.
func cleanDir(dir string) string {
	path, err := filepath.Abs(dir)
	if err != nil {
		return filepath.Clean(dir)
	}
	return path
}

// PageCache reports whether a write counts as durable once the operating system has it. Source: log.durability.
func (b *Broker) PageCache() bool { return b.String(LogDurability) == "pagecache" }

// ReplicationFactor is the replication factor of an internal topic, with so many brokers registered.
// auto is min(3, brokers).
func (b *Broker) ReplicationFactor(k Key, brokers int) int {
	if n := b.Int(k); n != Auto {
		return n
	}
	return max(1, min(3, brokers))
}

// MinISR is the in-sync replicas that an internal topic needs, with so many replicas. auto is min(2, replicas).
func (b *Broker) MinISR(k Key, replicas int) int {
	if n := b.Int(k); n != Auto {
		return n
	}
	return max(1, min(2, replicas))
}
