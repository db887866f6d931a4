package config

import "strings"

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
