package config

import (
	"regexp"
	"strings"
)

// Group is the effective configuration of one group: what was set on it, over the broker's values, kept between the
// broker's bounds. Times are in milliseconds.
type Group struct {
	ConsumerSessionTimeoutMs     int
	ConsumerHeartbeatIntervalMs  int
	ConsumerAssignmentIntervalMs int

	ShareSessionTimeoutMs        int
	ShareHeartbeatIntervalMs     int
	ShareAssignmentIntervalMs    int
	ShareRecordLockDurationMs    int
	ShareDeliveryCountLimit      int
	SharePartitionMaxRecordLocks int
	ShareAutoOffsetReset         string
	ShareReadCommitted           bool
	ShareRenewAcknowledge        bool

	StreamsSessionTimeoutMs        int
	StreamsHeartbeatIntervalMs     int
	StreamsAssignmentIntervalMs    int
	StreamsNumStandbyReplicas      int
	StreamsInitialRebalanceDelayMs int
}

// NewGroup is the configuration of a group on which overrides were set. An override that cannot be read is passed over,
// and one outside of the broker's bounds, which may have moved since it was set, is moved inside.
func NewGroup(b *Broker, overrides map[string]string) Group {
	v := b.groupValues(overrides)
	number := func(k Key) int { return int(v.long(k)) }
	return Group{
		ConsumerSessionTimeoutMs:     number(ConsumerSessionTimeoutMs),
		ConsumerHeartbeatIntervalMs:  number(ConsumerHeartbeatIntervalMs),
		ConsumerAssignmentIntervalMs: number(ConsumerAssignmentIntervalMs),

		ShareSessionTimeoutMs:        number(ShareSessionTimeoutMs),
		ShareHeartbeatIntervalMs:     number(ShareHeartbeatIntervalMs),
		ShareAssignmentIntervalMs:    number(ShareAssignmentIntervalMs),
		ShareRecordLockDurationMs:    number(ShareRecordLockDurationMs),
		ShareDeliveryCountLimit:      number(ShareDeliveryCountLimit),
		SharePartitionMaxRecordLocks: number(SharePartitionMaxRecordLocks),
		ShareAutoOffsetReset:         v.text(ShareAutoOffsetReset),
		ShareReadCommitted:           v.text(ShareIsolationLevel) == "read_committed",
		ShareRenewAcknowledge:        v.bool(ShareRenewAcknowledgeEnable),

		StreamsSessionTimeoutMs:        number(StreamsSessionTimeoutMs),
		StreamsHeartbeatIntervalMs:     number(StreamsHeartbeatIntervalMs),
		StreamsAssignmentIntervalMs:    number(StreamsAssignmentIntervalMs),
		StreamsNumStandbyReplicas:      number(StreamsNumStandbyReplicas),
		StreamsInitialRebalanceDelayMs: number(StreamsInitialRebalanceDelayMs),
	}
}

func (b *Broker) groupValues(overrides map[string]string) values {
	v := make(values, len(groupRows))
	for i, d := range GroupDefs {
		text, ok := overrides[string(d.Key)]
		parsed, err := d.Parse(text)
		switch inherited, inherits := b.inherit(d); {
		case ok && err == nil:
			v[d.Key] = b.clamp(groupRows[i], parsed)
		case inherits:
			v[d.Key] = inherited
		default:
			v[d.Key], _ = d.Parse(d.Default)
		}
	}
	return v
}

// clamp moves a group's value between the broker's bounds.
func (b *Broker) clamp(r groupRow, v any) any {
	n, ok := v.(int64)
	if !ok {
		return v
	}
	if r.Min != "" {
		n = max(n, b.Int64(r.Min))
	}
	if r.Max != "" {
		n = min(n, b.Int64(r.Max))
	}
	return n
}

// ValidateGroup checks what somebody wants to set on a group. The errors are for the client.
// Source: org.apache.kafka.coordinator.group.GroupConfig.validate.
func ValidateGroup(b *Broker, overrides map[string]string) error {
	for _, k := range sortedKeys(byKey(overrides)) {
		if GroupDef(k) == nil {
			return invalidf("Unknown group config name: %s", k)
		}
	}
	for i, r := range groupRows {
		text, ok := overrides[string(r.Key)]
		if !ok {
			continue
		}
		parsed, err := GroupDefs[i].Parse(text)
		if err != nil {
			return invalidf("%v", err)
		}
		n, _ := parsed.(int64)
		if r.Min != "" && n < b.Int64(r.Min) {
			return invalidf("%s must be greater than or equal to %s", r.Key, r.Min)
		}
		if r.Max != "" && n > b.Int64(r.Max) {
			return invalidf("%s must be less than or equal to %s", r.Key, r.Max)
		}
	}
	v := b.groupValues(overrides)
	for _, pair := range [][2]Key{
		{ConsumerSessionTimeoutMs, ConsumerHeartbeatIntervalMs},
		{ShareSessionTimeoutMs, ShareHeartbeatIntervalMs},
		{StreamsSessionTimeoutMs, StreamsHeartbeatIntervalMs},
	} {
		if v.long(pair[0]) <= v.long(pair[1]) {
			return invalidf("%s must be greater than %s", pair[0], pair[1])
		}
	}
	return nil
}

// clientMatches are what a client metrics subscription can choose clients by. Source: KIP-714.
var clientMatches = map[string]bool{
	"client_instance_id": true, "client_id": true, "client_software_name": true,
	"client_software_version": true, "client_source_address": true, "client_source_port": true,
}

// ValidateClientMetrics checks what somebody wants to set on a client metrics subscription. The errors are for the
// client, with the codes that Kafka mixes here.
// Source: org.apache.kafka.server.metrics.ClientMetricsConfigs.
func ValidateClientMetrics(name string, set map[string]string) error {
	if name == "" {
		return badRequestf("Subscription name can't be empty")
	}
	for _, k := range sortedKeys(byKey(set)) {
		d := clientMetricsIndex[k]
		if d == nil {
			return badRequestf("Unknown client metrics configuration: %s", k)
		}
		parsed, err := d.Parse(set[string(k)])
		if n, ok := parsed.(int64); ok && k == IntervalMs && (n < 100 || n > 3_600_000) {
			return badRequestf("Invalid value %d for interval.ms, interval must be between 100 and 3600000 (1 hour)", n)
		}
		if err != nil {
			return invalidf("%v", err)
		}
		if k != Match {
			continue
		}
		for _, entry := range parsed.([]string) {
			by, pattern, ok := strings.Cut(entry, "=")
			_, err := regexp.Compile(strings.TrimSpace(pattern))
			if !ok || !clientMatches[strings.TrimSpace(by)] || err != nil {
				return invalidf("Illegal client matching pattern: %s", entry)
			}
		}
	}
	return nil
}
