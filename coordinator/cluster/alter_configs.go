package cluster

import (
	"maps"
	"slices"
	"strings"

	"github.com/ottla/ottla/coordinator/record"
	"github.com/ottla/ottla/protocol"
)

// ConfigOp is what IncrementalAlterConfigs does to one config.
// Source: org.apache.kafka.clients.admin.AlterConfigOp.OpType.
type ConfigOp int8

// The operations, with the codes they travel by.
const (
	SetConfig      ConfigOp = 0
	DeleteConfig   ConfigOp = 1
	AppendConfig   ConfigOp = 2
	SubtractConfig ConfigOp = 3
)

// ConfigChange is one operation on one config. Value is nil for DeleteConfig.
type ConfigChange struct {
	Op    ConfigOp
	Name  string
	Value *string
}

// ConfigRules is what the cluster needs to know of configs, which package config defines.
type ConfigRules struct {
	// IsList reports whether a config is a list of values: only a list can be appended to.
	IsList func(t ResourceType, name string) bool
	// Default is the value of a config that is not set on the resource.
	Default func(t ResourceType, name string) string
	// Validate refuses configs that a resource cannot have, looking at all that would be set on it.
	Validate func(r Resource, configs map[string]string) error
}

// IncrementalAlterConfigs decides on changes to some configs of one resource; the others stay.
func (i *Image) IncrementalAlterConfigs(r Resource, changes []ConfigChange, rules ConfigRules) ([]Record, error) {
	after := maps.Clone(i.Configs(r.Type, r.Name))
	if after == nil {
		after = Configs{}
	}
	seen := map[string]bool{}
	for _, c := range changes {
		if seen[c.Name] {
			return nil, protocol.Errorf(protocol.InvalidRequest, "Config '%s' is changed twice in one request.", c.Name)
		}
		seen[c.Name] = true
		if err := change(after, r, c, rules); err != nil {
			return nil, err
		}
	}
	return i.replaceConfigs(r, after, rules)
}

// change applies one operation to configs.
func change(configs Configs, r Resource, c ConfigChange, rules ConfigRules) error {
	if c.Op != DeleteConfig && c.Value == nil {
		return protocol.Errorf(protocol.InvalidRequest, "Config '%s' needs a value; to remove it, use DELETE.", c.Name)
	}
	switch c.Op {
	case SetConfig:
		configs[c.Name] = *c.Value
	case DeleteConfig:
		delete(configs, c.Name)
	case AppendConfig, SubtractConfig:
		if !rules.IsList(r.Type, c.Name) {
			return protocol.Errorf(protocol.InvalidConfig, "Config '%s' is not a list: it can be set, not appended to or subtracted from.", c.Name)
		}
		before, ok := configs[c.Name]
		if !ok {
			before = rules.Default(r.Type, c.Name)
		}
		list := splitList(before)
		for _, v := range splitList(*c.Value) {
			at := slices.Index(list, v)
			switch {
			case c.Op == AppendConfig && at < 0:
				list = append(list, v)
			case c.Op == SubtractConfig && at >= 0:
				list = slices.Delete(list, at, at+1)
			}
		}
		configs[c.Name] = strings.Join(list, ",")
	default:
		return protocol.Errorf(protocol.InvalidRequest, "There is no operation %d on a config: 0 sets, 1 deletes, 2 appends, 3 subtracts.", c.Op)
	}
	return nil
}

func splitList(value string) []string {
	var list []string
	for v := range strings.SplitSeq(value, ",") {
		if v = strings.TrimSpace(v); v != "" {
			list = append(list, v)
		}
	}
	return list
}

// AlterConfigs decides on all configs of one resource: those not given are removed.
func (i *Image) AlterConfigs(r Resource, given []ConfigValue, rules ConfigRules) ([]Record, error) {
	after := Configs{}
	for _, c := range given {
		if c.Value == nil {
			return nil, protocol.Errorf(protocol.InvalidRequest, "Config '%s' needs a value; to remove it, leave it out.", c.Name)
		}
		if _, twice := after[c.Name]; twice {
			return nil, protocol.Errorf(protocol.InvalidRequest, "Config '%s' is given twice.", c.Name)
		}
		after[c.Name] = *c.Value
	}
	return i.replaceConfigs(r, after, rules)
}

// replaceConfigs is the records that make after the configs of a resource.
func (i *Image) replaceConfigs(r Resource, after Configs, rules ConfigRules) ([]Record, error) {
	if r.Type == TopicResource && i.Topic(r.Name) == nil {
		return nil, protocol.Errorf(protocol.UnknownTopicOrPartition, "There is no topic '%s'.", r.Name)
	}
	if err := rules.Validate(r, after); err != nil {
		return nil, invalidConfig(err)
	}
	before := i.Configs(r.Type, r.Name)
	changed := Configs{}
	for name, value := range after {
		if old, ok := before[name]; !ok || old != value {
			changed[name] = value
		}
	}
	records := setConfigs(r, changed)
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, kept := after[name]; !kept {
			records = append(records, &record.ConfigRecord{ResourceType: int8(r.Type), ResourceName: r.Name, Name: name})
		}
	}
	return records, nil
}

// setConfigs is the records that set configs, in the order of their names.
func setConfigs(r Resource, configs map[string]string) []Record {
	var records []Record
	for _, name := range slices.Sorted(maps.Keys(configs)) {
		value := configs[name]
		records = append(records, &record.ConfigRecord{ResourceType: int8(r.Type), ResourceName: r.Name, Name: name, Value: &value})
	}
	return records
}
