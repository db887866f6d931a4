package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// SettingError is a value that stops the start: which, where it came from, what is wrong and what would be right.
type SettingError struct {
	Key     Key
	Value   string
	Origin  Origin
	Problem string
	// Fix says what to do, or what is allowed.
	Fix string
}

func (e *SettingError) Error() string {
	value := e.Value
	if secret(e.Key) {
		value = hidden
	}
	text := fmt.Sprintf("%s=%s (%s): %s", e.Key, value, e.Origin, e.Problem)
	if e.Fix != "" {
		text += "; " + e.Fix
	}
	return text
}

// secret reports whether a key's value must not be shown. What is no key of ours is judged by its name.
func secret(k Key) bool {
	if d := BrokerDef(listenerKey(k)); d != nil {
		return d.Sensitive()
	}
	name := strings.ToLower(string(k))
	return slices.ContainsFunc([]string{"password", "passphrase", "secret", "jaas", "credential", "token", "key"}, func(word string) bool {
		return strings.Contains(name, word)
	})
}

// bad is a SettingError for the value that a key has now.
func (b *Broker) bad(k Key, fix, problem string, args ...any) *SettingError {
	value := ""
	if v, ok := b.values[k]; ok {
		value = BrokerDef(k).Format(v)
	}
	return &SettingError{Key: k, Value: value, Origin: b.Origin(k), Problem: fmt.Sprintf(problem, args...), Fix: fix}
}

// checkStatic checks every static value by itself.
func (b *Broker) checkStatic() error {
	var errs []error
	for _, k := range sortedKeys(b.static) {
		text := b.static[k]
		fail := func(fix, problem string) {
			errs = append(errs, &SettingError{k, text, b.origins[k], problem, fix})
		}
		d := BrokerDef(k)
		switch {
		case d == nil:
			fail(suggest(k), "there is no such key")
			continue
		case d.DynamicOnly:
			fail("set it on the running broker with kafka-configs", "it can only be set while the broker runs")
			continue
		}
		v, err := d.Parse(text)
		if err != nil {
			var bad *ValueError
			errors.As(err, &bad)
			fail("allowed: "+d.Allowed(), bad.Problem)
			continue
		}
		if d.Effect == Refused && d.Format(v) != strings.TrimSuffix(d.Default, None) {
			fail("remove it, or leave it at its default", "this build does not have what it asks for, and will not start as if it had")
		}
	}
	return errors.Join(errs...)
}

// checkRules checks what must hold between values.
func (b *Broker) checkRules() error {
	var errs []error
	for _, check := range []func(*Broker) error{
		checkIdentity, checkQuorum, checkDirectories, checkListeners, checkAges, checkBounds,
	} {
		if err := check(b); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func checkIdentity(b *Broker) error {
	if b.isSet(NodeID) && b.isSet(BrokerID) && strings.TrimSpace(b.static[NodeID]) != strings.TrimSpace(b.static[BrokerID]) {
		return b.bad(NodeID, "set one of them", "broker.id says %s, and both name the same thing", b.static[BrokerID])
	}
	if b.Int(NodeID) < 0 {
		return b.bad(NodeID, "allowed: at least 0", "an id cannot be negative")
	}
	for _, role := range []string{"broker", "controller"} {
		if !slices.Contains(b.List(ProcessRoles), role) {
			return b.bad(ProcessRoles, "allowed: broker,controller", "one node must be a %s too", role)
		}
	}
	return nil
}

// checkQuorum refuses to be a cluster of one where several nodes were meant: each would believe that it is the cluster.
func checkQuorum(b *Broker) error {
	for _, k := range []Key{ControllerQuorumVoters, ControllerQuorumBootstrapServers} {
		if len(b.List(k)) > 1 {
			return b.bad(k, "name this node only, or leave it out", "this build is a cluster of one node")
		}
	}
	for _, voter := range b.List(ControllerQuorumVoters) {
		id, _, ok := strings.Cut(voter, "@")
		if !ok || strings.TrimLeft(id, "0123456789") != "" {
			return b.bad(ControllerQuorumVoters, "such as 1@localhost:9093", "%q is not ID@HOST:PORT", voter)
		}
		if id != strconv.Itoa(b.Int(NodeID)) {
			return b.bad(ControllerQuorumVoters, "name this node, or leave it out", "the only voter is node %s, and this is node %d", id, b.Int(NodeID))
		}
	}
	return nil
}

func checkDirectories(b *Broker) error {
	key, dirs := LogDirs, b.DataDirs()
	if len(b.List(LogDirs)) == 0 {
		key = LogDir
	}
	for i, dir := range dirs {
		if slices.Contains(dirs[:i], dir) {
			return b.bad(key, "name each directory once", "%s is named twice", dir)
		}
	}
	if all := b.List(CordonedLogDirs); len(all) > 1 && slices.Contains(all, "*") {
		return b.bad(CordonedLogDirs, "name * alone, or directories", "* is all directories")
	}
	for _, dir := range b.CordonedDirs() {
		if !slices.Contains(dirs, dir) {
			return b.bad(CordonedLogDirs, "name some of "+strings.Join(dirs, ", ")+", or * for all", "%s is not among the data directories", dir)
		}
	}
	return nil
}

// checkListeners refuses what would leave a listener less safe than its configuration says.
func checkListeners(b *Broker) error {
	all, err := parseListeners(b.List(Listeners))
	if err != nil {
		return b.bad(Listeners, "such as PLAINTEXT://localhost:9092", "%v", err)
	}
	protocols, err := parseProtocolMap(b.String(ListenerSecurityProtocolMap))
	if err != nil {
		return b.bad(ListenerSecurityProtocolMap, "such as INTERNAL:PLAINTEXT,EXTERNAL:PLAINTEXT", "%v", err)
	}
	controller := b.controllerListeners()
	open := map[string]Listener{}
	for i, l := range all {
		if controller[l.Name] {
			continue
		}
		open[l.Name] = l
		switch protocol := protocols[l.Name]; {
		case protocol == "":
			return b.bad(Listeners, "add "+l.Name+":PLAINTEXT to listener.security.protocol.map", "listener %s has no protocol", l.Name)
		case protocol != "PLAINTEXT":
			return b.bad(Listeners, "allowed: PLAINTEXT", "listener %s asks for %s, which this build does not have", l.Name, protocol)
		case !l.Loopback() && !b.Bool(AllowAnonymous):
			return b.bad(Listeners, "if that is meant, add the line: allow.anonymous=true",
				"anyone who reaches listener %s could read and write everything, because no authentication is configured", l)
		}
		for _, other := range all[:i] {
			if !controller[other.Name] && other.Port == l.Port && l.Port != 0 && other.Host == l.Host {
				return b.bad(Listeners, "give each its own port", "listeners %s and %s are at one address", other.Name, l.Name)
			}
		}
	}
	if len(open) == 0 {
		return b.bad(Listeners, "add one, such as PLAINTEXT://localhost:9092", "none of them is for clients: all are in controller.listener.names")
	}
	if _, ok := open[b.InterBrokerListener()]; b.isSet(InterBrokerListenerName) && !ok {
		return b.bad(InterBrokerListenerName, "name one of listeners", "there is no such listener")
	}
	return checkAdvertised(b, open, controller)
}

func checkAdvertised(b *Broker, open map[string]Listener, controller map[string]bool) error {
	if b.AdvertisedAuto() {
		return nil
	}
	all, err := parseListeners(b.List(AdvertisedListeners))
	if err != nil {
		return b.bad(AdvertisedListeners, "auto, or such as PLAINTEXT://broker.example:9092", "%v", err)
	}
	for _, l := range all {
		listener, ok := open[l.Name]
		switch {
		case !ok && !controller[l.Name]:
			return b.bad(AdvertisedListeners, "name those of listeners", "there is no listener %s", l.Name)
		case l.Host == "" || l.Host == "0.0.0.0" || l.Host == "::":
			return b.bad(AdvertisedListeners, "name an address that clients can reach", "clients cannot connect to %s", l)
		case l.Port == 0 && listener.Port != 0: // where the listener's own port is picked at start, that is advertised
			return b.bad(AdvertisedListeners, "name a port that clients can reach", "clients cannot connect to port 0 of %s", l)
		}
	}
	return nil
}

// checkAges checks times whose keys come in several units.
func checkAges(b *Broker) error {
	for _, k := range []Key{LogRollMs, LogRollHours} {
		if b.Has(k) && b.Int64(k) < 1 {
			return b.bad(k, "allowed: at least 1", "a segment must live a while")
		}
	}
	if b.Has(LogRollJitterMs) && b.Int64(LogRollJitterMs) < 0 {
		return b.bad(LogRollJitterMs, "allowed: at least 0", "it cannot be negative")
	}
	for _, k := range []Key{LogRetentionMs, LogRetentionMinutes, LogRetentionHours} {
		if n := b.Int64(k); b.Has(k) && n < 1 && n != -1 {
			return b.bad(k, "allowed: at least 1, or -1 for never", "records must live a while")
		}
	}
	return nil
}

// bounds are keys of which the first must not be above the second.
var bounds = [][2]Key{
	{GroupMinSessionTimeoutMs, GroupMaxSessionTimeoutMs},
	{LogCleanerMinCompactionLagMs, LogCleanerMaxCompactionLagMs},
	{ReplicaFetchWaitMaxMs, ReplicaSocketTimeoutMs}, {ReplicaFetchWaitMaxMs, ReplicaLagTimeMaxMs},
	{GroupConsumerMinSessionTimeoutMs, GroupConsumerSessionTimeoutMs}, {GroupConsumerSessionTimeoutMs, GroupConsumerMaxSessionTimeoutMs},
	{GroupConsumerMinHeartbeatIntervalMs, GroupConsumerHeartbeatIntervalMs}, {GroupConsumerHeartbeatIntervalMs, GroupConsumerMaxHeartbeatIntervalMs},
	{GroupConsumerMinAssignmentIntervalMs, GroupConsumerAssignmentIntervalMs}, {GroupConsumerAssignmentIntervalMs, GroupConsumerMaxAssignmentIntervalMs},
	{GroupShareMinSessionTimeoutMs, GroupShareSessionTimeoutMs}, {GroupShareSessionTimeoutMs, GroupShareMaxSessionTimeoutMs},
	{GroupShareMinHeartbeatIntervalMs, GroupShareHeartbeatIntervalMs}, {GroupShareHeartbeatIntervalMs, GroupShareMaxHeartbeatIntervalMs},
	{GroupShareMinAssignmentIntervalMs, GroupShareAssignmentIntervalMs}, {GroupShareAssignmentIntervalMs, GroupShareMaxAssignmentIntervalMs},
	{GroupShareMinDeliveryCountLimit, GroupShareDeliveryCountLimit}, {GroupShareDeliveryCountLimit, GroupShareMaxDeliveryCountLimit},
	{GroupShareMinRecordLockDurationMs, GroupShareRecordLockDurationMs}, {GroupShareRecordLockDurationMs, GroupShareMaxRecordLockDurationMs},
	{GroupShareMinPartitionMaxRecordLocks, GroupSharePartitionMaxRecordLocks}, {GroupSharePartitionMaxRecordLocks, GroupShareMaxPartitionMaxRecordLocks},
	{GroupStreamsMinSessionTimeoutMs, GroupStreamsSessionTimeoutMs}, {GroupStreamsSessionTimeoutMs, GroupStreamsMaxSessionTimeoutMs},
	{GroupStreamsMinHeartbeatIntervalMs, GroupStreamsHeartbeatIntervalMs}, {GroupStreamsHeartbeatIntervalMs, GroupStreamsMaxHeartbeatIntervalMs},
	{GroupStreamsMinAssignmentIntervalMs, GroupStreamsAssignmentIntervalMs}, {GroupStreamsAssignmentIntervalMs, GroupStreamsMaxAssignmentIntervalMs},
	{GroupStreamsNumStandbyReplicas, GroupStreamsMaxStandbyReplicas},
}

func checkBounds(b *Broker) error {
	for _, pair := range bounds {
		low, high := b.Int64(pair[0]), b.Int64(pair[1])
		if low <= high {
			continue
		}
		// Blame the one that somebody set: the other is its default.
		if b.Source(pair[0]) != DefaultValue {
			return b.bad(pair[0], fmt.Sprintf("allowed: at most %d", high), "it is above %s=%d", pair[1], high)
		}
		return b.bad(pair[1], fmt.Sprintf("allowed: at least %d", low), "it is below %s=%d", pair[0], low)
	}
	if n := b.Int64(QueuedMaxRequestBytes); n >= 0 && n < b.Int64(SocketRequestMaxBytes) {
		return b.bad(QueuedMaxRequestBytes, "allowed: -1, or at least socket.request.max.bytes", "no request of socket.request.max.bytes would ever fit")
	}
	if _, err := b.ConnectionsPerIPOverrides(); err != nil {
		return b.bad(MaxConnectionsPerIPOverrides, "such as 10.0.0.7:100,localhost:20", "%v", err)
	}
	return nil
}
