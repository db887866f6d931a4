package broker

import (
	"slices"
	"strconv"

	"github.com/ottla/ottla/coordinator/cluster"
)

// follow opens what the metadata says that this broker has, and from then on follows every change of it, in order. When
// the metadata log calls a change applied, this broker has acted on it.
func (b *Broker) follow() error {
	b.quorum.Subscribe(b.applied)
	return nil
}

// applied acts on one change: configs first, since what is created inherits them; then partitions; then the coordinators
// that live in them.
func (b *Broker) applied(image *cluster.Image, d *cluster.Delta) {
	if b.brokerConfigChanged(d) {
		b.reconfigure(image)
	}
	b.partitions.Apply(image, d)
	b.groups.Apply(d)
}

func (b *Broker) brokerConfigChanged(d *cluster.Delta) bool {
	id := b.name()
	return slices.ContainsFunc(d.Configs, func(r cluster.Resource) bool {
		return r.Type == cluster.BrokerResource && (r.Name == "" || r.Name == id)
	})
}

// reconfigure makes dynamic broker configs take effect.
func (b *Broker) reconfigure(image *cluster.Image) {
	b.config.Store(b.static.WithDynamic(image.Configs(cluster.BrokerResource, ""), image.Configs(cluster.BrokerResource, b.name())))
	b.partitions.Reconfigure(image)
	b.cleaner.SetConfig(cleanerConfig(b.config.Load()))
	b.configureDirs(b.config.Load())
	b.front.setConnectionLimits(connectionLimitsOf(b.config.Load()))
}

// name is the name of this broker's config resource.
func (b *Broker) name() string { return strconv.Itoa(int(b.static.NodeID())) }
