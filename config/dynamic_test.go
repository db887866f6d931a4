package config

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestValidateDynamic(t *testing.T) {
	b := Default()
	for _, c := range []struct {
		set  map[string]string
		one  bool
		want string // part of the refusal, empty for none
	}{
		{map[string]string{"log.cleaner.threads": "2", "log.retention.ms": "-1"}, false, ""},
		{map[string]string{"no.such.key": "2"}, true, ""}, // for a plug-in, as in Kafka
		{map[string]string{"node.id": "2", "num.partitions": "3"}, true, "Cannot update these configs dynamically: [node.id, num.partitions]"},
		{map[string]string{"listeners": "PLAINTEXT://:1"}, true, "Cannot update these configs dynamically: [listeners]"},
		{map[string]string{"log.retention.hours": "5"}, true, "[log.retention.hours]"},
		{map[string]string{"log.segment.bytes": "5"}, true, "Value must be at least 1048576"},
		{map[string]string{"log.retention.ms": "0"}, true, "-1 for never"},
		{map[string]string{"group.consumer.assignment.interval.ms": "100000"}, true, "group.consumer.max.assignment.interval.ms"},
		{map[string]string{"cordoned.log.dirs": "/a"}, false, "broker id must be specified: [cordoned.log.dirs]"},
		{map[string]string{"cordoned.log.dirs": "./data"}, true, ""},
		{map[string]string{"cordoned.log.dirs": "*"}, true, ""},
		{map[string]string{"max.connections.per.ip.overrides": "x"}, false, "ADDRESS:COUNT"},
		{map[string]string{"leader.replication.throttled.rate": "-1"}, true, "Value must be at least 0"},
		{map[string]string{"ssl.keystore.location": "/x"}, true, "[ssl.keystore.location]"},
		{map[string]string{"listener.name.a.ssl.keystore.location": "/x"}, true, "[listener.name.a.ssl.keystore.location]"},
		{map[string]string{"listener.name.a.plain.sasl.jaas.config": "hunter2"}, true, "[listener.name.a.plain.sasl.jaas.config]"},
	} {
		err := b.ValidateDynamic(c.set, c.one)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, ErrRequest)) {
			t.Errorf("%v: %v, want %q", c.set, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("a secret is shown: %v", err)
		}
	}
}

func TestDynamicValuesBeatStaticOnes(t *testing.T) {
	b, err := New(map[Key]string{MessageMaxBytes: "5"})
	if err != nil {
		t.Fatal(err)
	}
	check := func(b *Broker, want int, source Source) {
		t.Helper()
		if got := b.Int(MessageMaxBytes); got != want || b.Source(MessageMaxBytes) != source {
			t.Errorf("%d from %d, want %d from %d", got, b.Source(MessageMaxBytes), want, source)
		}
	}
	all := b.WithDynamic(map[string]string{"message.max.bytes": "6"}, nil)
	one := all.WithDynamic(map[string]string{"message.max.bytes": "6"}, map[string]string{"message.max.bytes": "7"})
	check(Default(), 1048588, DefaultValue)
	check(b, 5, StaticBroker)
	check(all, 6, DynamicDefaultBroker)
	check(one, 7, DynamicBroker)
	check(one.WithDynamic(nil, nil), 5, StaticBroker)
	check(b, 5, StaticBroker) // the snapshot that others hold has not changed
}

func TestAuto(t *testing.T) {
	b := Default()
	for brokers, want := range map[int][2]int{0: {1, 1}, 1: {1, 1}, 2: {2, 2}, 3: {3, 2}, 9: {3, 2}} {
		rf := b.ReplicationFactor(OffsetsTopicReplicationFactor, brokers)
		if got := [2]int{rf, b.MinISR(TransactionStateLogMinISR, rf)}; got != want {
			t.Errorf("%d brokers: %v, want %v", brokers, got, want)
		}
	}
	b, err := New(map[Key]string{OffsetsTopicReplicationFactor: "2"})
	if err != nil || b.ReplicationFactor(OffsetsTopicReplicationFactor, 1) != 2 {
		t.Error("a number that was set is not kept", err)
	}
	for _, bad := range []string{"-1", "0", "automatic"} {
		if _, err := New(map[Key]string{OffsetsTopicReplicationFactor: bad}); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

func TestGettersPanicForDefectsOfTheCaller(t *testing.T) {
	b := Default()
	for name, get := range map[string]func(){
		"unknown":    func() { b.Int("no.such.key") },
		"wrong type": func() { b.Bool(NumPartitions) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			get()
		}()
	}
	if b.Int(LogRetentionMs) != 0 || b.Has(LogRetentionMs) || b.String(BrokerRack) != "" || b.List(LogDirs) != nil {
		t.Error("a key without a value is not its type's zero")
	}
}

func TestListeners(t *testing.T) {
	b, err := New(map[Key]string{
		Listeners:                   "in://127.0.0.1:1,OUT://[::1]:0,CTL://:9",
		ListenerSecurityProtocolMap: "IN:PLAINTEXT,out:plaintext,CTL:SSL", ControllerListenerNames: "ctl", InterBrokerListenerName: "in",
		AdvertisedListeners: "OUT://broker.example:0,IN://[2001:db8::1]:7",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []Listener{{"IN", "PLAINTEXT", "127.0.0.1", 1}, {"OUT", "PLAINTEXT", "::1", 0}}
	if got := b.Listeners(); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if a := b.Advertised(); a["IN"].Addr() != "[2001:db8::1]:7" || a["OUT"].Addr() != "broker.example:0" || b.AdvertisedAuto() {
		t.Errorf("advertised %v", a)
	}
	if b.InterBrokerListener() != "IN" || Default().InterBrokerListener() != "PLAINTEXT" || !Default().AdvertisedAuto() {
		t.Error("inter-broker listener", b.InterBrokerListener())
	}
	for host, loopback := range map[string]bool{"localhost": true, "LOCALHOST": true, "127.0.0.1": true, "127.9.9.9": true, "::1": true,
		"": false, "0.0.0.0": false, "::": false, "10.0.0.1": false, "localhost.example": false, "myhost": false} {
		if (Listener{Host: host}).Loopback() != loopback {
			t.Errorf("%q is taken for %v", host, !loopback)
		}
	}
}

func TestGroup(t *testing.T) {
	b := Default()
	g := NewGroup(b, map[string]string{"consumer.session.timeout.ms": "50000", "streams.num.standby.replicas": "1", "share.isolation.level": "read_committed",
		"consumer.heartbeat.interval.ms": "junk", "share.session.timeout.ms": "1", "streams.session.timeout.ms": "99999"})
	if g.ConsumerSessionTimeoutMs != 50000 || g.StreamsNumStandbyReplicas != 1 || !g.ShareReadCommitted {
		t.Errorf("%+v", g)
	}
	if g.ConsumerHeartbeatIntervalMs != 5000 || g.ShareSessionTimeoutMs != 45000 || g.StreamsSessionTimeoutMs != 60000 {
		t.Errorf("what cannot be read or lies outside of the broker's bounds is not put right: %+v", g)
	}
	wider, err := New(map[Key]string{GroupConsumerMaxSessionTimeoutMs: "90000", GroupConsumerSessionTimeoutMs: "70000"})
	if err != nil {
		t.Fatal(err)
	}
	if g := NewGroup(wider, nil); g.ConsumerSessionTimeoutMs != 70000 {
		t.Errorf("the broker's value is not taken: %+v", g)
	}
	for _, c := range []struct{ key, value, want string }{
		{"consumer.session.timeout.ms", "44999", "must be greater than or equal to group.consumer.min.session.timeout.ms"},
		{"consumer.session.timeout.ms", "60001", "must be less than or equal to group.consumer.max.session.timeout.ms"},
		{"consumer.session.timeout.ms", "x", "Not a number of type INT"},
		{"streams.num.standby.replicas", "3", "group.streams.max.standby.replicas"},
		{"share.auto.offset.reset", "by_duration:-PT1H", "by_duration"},
		{"share.auto.offset.reset", "by_duration:P", "by_duration"},
		{"share.auto.offset.reset", "by_duration:P1DT2H3M4.5S", ""},
		{"streams.initial.rebalance.delay.ms", "50000", ""},
		{"no.such", "1", "Unknown group config name: no.such"},
	} {
		err := ValidateGroup(b, map[string]string{c.key: c.value})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s=%s: %v, want %q", c.key, c.value, err, c.want)
		}
	}
	tight, err := New(map[Key]string{GroupShareMinSessionTimeoutMs: "1", GroupShareMaxHeartbeatIntervalMs: "45000"})
	if err != nil {
		t.Fatal(err)
	}
	if err := ValidateGroup(tight, map[string]string{"share.heartbeat.interval.ms": "45000"}); err == nil {
		t.Error("a heartbeat as long as the session is accepted")
	}
}
