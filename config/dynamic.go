package config

// WithDynamic is the configuration with what was set while the broker ran: on all brokers, and on this one.
func (b *Broker) WithDynamic(clusterDefault, perBroker map[string]string) *Broker {
	next := &Broker{static: b.static, origins: b.origins, clusterDefault: byKey(clusterDefault), perBroker: byKey(perBroker)}
	next.resolve()
	return next
}
