package config

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// WithDynamic is the configuration with what was set while the broker ran: on all brokers, and on this one.
// Values that this build cannot take are passed over: ValidateDynamic kept them out, or another version wrote them.
func (b *Broker) WithDynamic(clusterDefault, perBroker map[string]string) *Broker {
	next := &Broker{static: b.static, origins: b.origins, clusterDefault: byKey(clusterDefault), perBroker: byKey(perBroker)}
	next.resolve()
	return next
}

// ValidateDynamic checks what would be set on this broker, or on all of them: set is everything set there after the
// change. The errors are for the client.
// Source: org.apache.kafka.server.config.DynamicBrokerConfig.validateConfigs.
func (b *Broker) ValidateDynamic(set map[string]string, perBroker bool) error {
	var fixed, single, refused []Key
	keys := sortedKeys(byKey(set))
	for _, k := range keys {
		d := BrokerDef(listenerKey(k))
		switch {
		case d == nil: // Kafka keeps a name that it does not know for plug-ins
		case d.Effect == Refused || d.Key != k:
			refused = append(refused, k)
		case d.Mode == ReadOnly:
			fixed = append(fixed, k)
		case d.Mode == PerBroker && !perBroker:
			single = append(single, k)
		}
	}
	if len(fixed) > 0 {
		return badRequestf("Cannot update these configs dynamically: %s", bracketed(fixed))
	}
	if len(refused) > 0 {
		return badRequestf("This build does not have what these configs ask for: %s", bracketed(refused))
	}
	for _, k := range keys {
		if d := BrokerDef(k); d != nil {
			if _, err := d.Parse(set[string(k)]); err != nil {
				return badRequestf("%v", err)
			}
		}
	}
	if len(single) > 0 {
		return badRequestf("Cannot update these configs at default cluster level, broker id must be specified: %s", bracketed(single))
	}
	return b.checkChange(set, perBroker)
}

// checkChange checks what must hold between values, with set in its place.
func (b *Broker) checkChange(set map[string]string, perBroker bool) error {
	next := &Broker{static: b.static, origins: b.origins, clusterDefault: b.clusterDefault, perBroker: b.perBroker}
	if perBroker {
		next.perBroker = byKey(set)
	} else {
		next.clusterDefault = byKey(set)
	}
	next.resolve()
	if err := next.checkRules(); err != nil {
		return badRequestf("%v", err)
	}
	return nil
}

// listenerKey is the key behind listener.name.NAME.KEY and listener.name.NAME.MECHANISM.KEY, k itself if it is neither.
func listenerKey(k Key) Key {
	rest, ok := strings.CutPrefix(string(k), "listener.name.")
	if !ok {
		return k
	}
	for {
		_, after, ok := strings.Cut(rest, ".")
		if !ok {
			return k
		}
		if rest = after; BrokerDef(Key(rest)) != nil {
			return Key(rest)
		}
	}
}

func bracketed(keys []Key) string {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = string(k)
	}
	return "[" + strings.Join(names, ", ") + "]"
}

// Live is the broker's configuration now, changed by what is set while it runs. Safe for use by many goroutines.
type Live struct {
	current atomic.Pointer[Broker]

	mu struct { // guards the fields below; held while subscribers are called
		sync.Mutex
		subscribers []func(*Broker)
	}
}

// NewLive begins with what the broker was started with.
func NewLive(b *Broker) *Live {
	l := &Live{}
	l.current.Store(b)
	return l
}

// Now is the configuration at this moment.
func (l *Live) Now() *Broker { return l.current.Load() }

// Update takes over what is set on all brokers and on this one, and calls the subscribers if that changed anything.
func (l *Live) Update(clusterDefault, perBroker map[string]string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.current.Load()
	if sameSettings(now.clusterDefault, clusterDefault) && sameSettings(now.perBroker, perBroker) {
		return
	}
	next := now.WithDynamic(clusterDefault, perBroker)
	l.current.Store(next)
	for _, f := range l.mu.subscribers {
		f(next)
	}
}

// Subscribe calls f with the configuration now, and with every later one. f must not call Update or Subscribe.
func (l *Live) Subscribe(f func(*Broker)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.subscribers = append(l.mu.subscribers, f)
	f(l.current.Load())
}

func sameSettings(keys map[Key]string, names map[string]string) bool {
	if len(keys) != len(names) {
		return false
	}
	for k, v := range keys {
		if other, ok := names[string(k)]; !ok || other != v {
			return false
		}
	}
	return true
}

// Op is what an incremental change does with one key.
type Op int8

// The operations. Source: org.apache.kafka.clients.admin.AlterConfigOp.OpType.
const (
	Set Op = iota
	Delete
	Append
	Subtract
)

func (o Op) String() string {
	if names := [...]string{"SET", "DELETE", "APPEND", "SUBTRACT"}; o >= Set && o <= Subtract {
		return names[o]
	}
	return fmt.Sprintf("Op(%d)", int8(o))
}

// Combine is a list's new value after entries were appended to it or taken from it.
func Combine(op Op, current, entries string) string {
	list := splitList(current)
	for _, e := range splitList(entries) {
		i := slices.Index(list, e)
		switch {
		case op == Append && i < 0:
			list = append(list, e)
		case op == Subtract && i >= 0:
			list = slices.Delete(list, i, i+1)
		}
	}
	return strings.Join(list, ",")
}
