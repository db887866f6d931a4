package config

import "slices"

// Entry is one key as DescribeConfigs shows it.
type Entry struct {
	Key      Key
	Value    *string // nil where there is none, and where it is a secret
	Source   Source
	ReadOnly bool
	// Sensitive values are never shown.
	Sensitive bool
	Type      Type // 0 for a name that is no key of ours
	Doc       string
	Synonyms  []Synonym
}

// Synonym is a value that an entry has or would have if those before it were not there.
type Synonym struct {
	Key    Key
	Value  *string
	Source Source
}

// Entries are the broker's keys. Kafka's internal keys are among them where they are set, as in Kafka.
func (b *Broker) Entries() []Entry {
	var entries []Entry
	for _, d := range BrokerDefs {
		set := b.Source(d.Key) != DefaultValue
		if (d.Internal || d.DynamicOnly) && !set {
			continue
		}
		entries = append(entries, b.brokerEntry(d.Key))
	}
	return append(entries, b.unknownEntries(b.perBroker, b.clusterDefault)...)
}

// ClusterDefaultEntries are what was set on all brokers while they ran.
func (b *Broker) ClusterDefaultEntries() []Entry {
	var entries []Entry
	for _, k := range sortedKeys(b.clusterDefault) {
		e := b.brokerEntry(k)
		e.Synonyms = slices.DeleteFunc(e.Synonyms, func(s Synonym) bool { return s.Source != DynamicDefaultBroker })
		e.Source = DynamicDefaultBroker
		if !e.Sensitive {
			e.Value = ptr(b.clusterDefault[k])
		}
		entries = append(entries, e)
	}
	return entries
}

// unknownEntries are names that are no keys of ours, which Kafka keeps for plug-ins.
func (b *Broker) unknownEntries(layers ...map[Key]string) []Entry {
	unknown := map[Key]string{}
	for _, layer := range layers {
		for k, v := range layer {
			if BrokerDef(k) == nil {
				unknown[k] = v
			}
		}
	}
	var entries []Entry
	for _, k := range sortedKeys(unknown) {
		entries = append(entries, b.brokerEntry(k))
	}
	return entries
}

func (b *Broker) brokerEntry(k Key) Entry {
	d := BrokerDef(k)
	if d == nil { // what nobody knows may be a secret
		e := Entry{Key: k, Sensitive: true, ReadOnly: true, Synonyms: b.synonyms(k, true)}
		e.Source = sourceOf(e.Synonyms)
		return e
	}
	e := Entry{
		Key: k, Type: d.Type, Doc: d.Documentation(), Sensitive: d.Sensitive(), ReadOnly: d.Mode == ReadOnly,
		Synonyms: b.synonyms(k, d.Sensitive()),
	}
	if v, ok := b.values[k]; ok && !e.Sensitive {
		e.Value = ptr(d.Format(v))
	}
	e.Source = sourceOf(e.Synonyms)
	return e
}

// synonyms are the values given to a broker key and to those that stand in for it, best first, from the key itself on.
// Source: kafka.server.ConfigHelper.configSynonyms.
func (b *Broker) synonyms(k Key, secret bool) []Synonym {
	family := from(k)
	if d := BrokerDef(k); d != nil && len(d.Fallbacks) > 0 {
		family = d.Fallbacks
	}
	var all []Synonym
	for _, layer := range []struct {
		source Source
		value  func(Key) (string, bool)
	}{
		{DynamicBroker, lookup(b.perBroker)},
		{DynamicDefaultBroker, lookup(b.clusterDefault)},
		{StaticBroker, b.staticValue},
		{DefaultValue, defaultValue},
	} {
		for _, f := range family {
			text, ok := layer.value(f.Key)
			if !ok {
				continue
			}
			s := Synonym{Key: f.Key, Source: layer.source}
			if !secret {
				s.Value = ptr(text)
			}
			all = append(all, s)
		}
	}
	first := slices.IndexFunc(all, func(s Synonym) bool { return s.Key == k })
	if first < 0 {
		return nil
	}
	return all[first:]
}

func lookup(m map[Key]string) func(Key) (string, bool) {
	return func(k Key) (string, bool) { text, ok := m[k]; return text, ok }
}

// staticValue is what a key was started with. node.id and broker.id are set by either name.
func (b *Broker) staticValue(k Key) (string, bool) {
	if k == NodeID && !b.isSet(NodeID) {
		k = BrokerID
	} else if k == BrokerID && !b.isSet(BrokerID) {
		k = NodeID
	}
	text, ok := b.static[k]
	return text, ok
}

func defaultValue(k Key) (string, bool) {
	d := BrokerDef(k)
	if d == nil || !d.HasDefault() || d.DynamicOnly {
		return "", false
	}
	return d.Default, true
}

func sourceOf(synonyms []Synonym) Source {
	if len(synonyms) == 0 {
		return DefaultValue
	}
	return synonyms[0].Source
}

func ptr(s string) *string { return &s }

// Documentation is what the key is for, with what this build makes of it.
func (d *Def) Documentation() string {
	text := d.Doc
	if d.Ours {
		text += " Not a key of Kafka's."
	}
	switch d.Effect {
	case NoEffect:
		text += " Accepted, no effect in this build."
	case Refused:
		text += " Not in this build: a value other than the default is refused."
	}
	return text
}

// TopicEntries are the keys of a topic on which overrides were set.
// Source: kafka.server.ConfigHelper.createTopicConfigEntry.
func (b *Broker) TopicEntries(overrides map[string]string) []Entry {
	v, _ := b.topicValues(overrides)
	var entries []Entry
	for _, d := range TopicDefs {
		text, set := overrides[string(d.Key)]
		if d.Internal && !set {
			continue
		}
		e := Entry{Key: d.Key, Type: d.Type, Doc: d.Documentation()}
		if value, ok := v[d.Key]; ok {
			text = d.Format(value)
			e.Value = &text
		}
		if set {
			e.Synonyms = []Synonym{{d.Key, e.Value, DynamicTopic}}
		}
		if len(d.Fallbacks) > 0 {
			e.Synonyms = append(e.Synonyms, b.synonyms(d.Fallbacks[0].Key, false)...)
		}
		e.Source = sourceOf(e.Synonyms)
		entries = append(entries, e)
	}
	return entries
}

// GroupEntries are the keys of a group on which overrides were set.
// Source: kafka.server.ConfigHelper.createGroupConfigEntry.
func (b *Broker) GroupEntries(overrides map[string]string) []Entry {
	v := b.groupValues(overrides)
	entries := make([]Entry, len(GroupDefs))
	for i, d := range GroupDefs {
		e := Entry{Key: d.Key, Type: d.Type, Doc: d.Documentation(), Value: ptr(d.Format(v[d.Key]))}
		if _, set := overrides[string(d.Key)]; set {
			e.Synonyms = []Synonym{{d.Key, e.Value, DynamicGroup}}
		}
		if len(d.Fallbacks) > 0 {
			e.Synonyms = append(e.Synonyms, b.synonyms(d.Fallbacks[0].Key, false)...)
		} else {
			e.Synonyms = append(e.Synonyms, Synonym{d.Key, ptr(d.Default), DefaultValue})
		}
		e.Source = sourceOf(e.Synonyms)
		entries[i] = e
	}
	return entries
}

// ClientMetricsEntries are the keys of a client metrics subscription.
func ClientMetricsEntries(set map[string]string) []Entry {
	entries := make([]Entry, len(ClientMetricsDefs))
	for i, d := range ClientMetricsDefs {
		e := Entry{Key: d.Key, Type: d.Type, Doc: d.Documentation(), Value: ptr(d.Default), Source: DefaultValue}
		if text, ok := set[string(d.Key)]; ok {
			e.Value, e.Source = &text, DynamicClientMetrics
			e.Synonyms = []Synonym{{d.Key, &text, DynamicClientMetrics}}
		}
		entries[i] = e
	}
	return entries
}
