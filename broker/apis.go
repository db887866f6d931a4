package broker

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ottla/ottla/broker/api"
	"github.com/ottla/ottla/protocol"
)

// row is what the broker knows of an API before it looks at a body.
type row struct {
	key protocol.Key
	// min is the lowest version that is served. The highest is the protocol package's ceiling.
	min     int16
	handler api.Handler
	// shownMin is the lowest version that ApiVersions names, where that differs: librdkafka decides by Produce v0 whether
	// it may compress (KAFKA-18659).
	shownMin int16

	requests prometheus.Counter
	seconds  prometheus.Observer
}

func (r *row) max() int16 { return protocol.MaxVersion(r.key) }

// THE API table: every API that is served, and so advertised. What is not here is not.
func newTable() map[protocol.Key]*row {
	table := make(map[protocol.Key]*row)
	for _, r := range []row{
		{key: protocol.ApiVersionsKey, handler: api.ApiVersions},
		{key: protocol.MetadataKey, handler: api.Metadata},
		{key: protocol.DescribeClusterKey, handler: api.DescribeCluster},
	} {
		r.min = protocol.MinVersion(r.key)
		r.shownMin = r.min
		if r.key == protocol.ProduceKey {
			r.shownMin = 0
		}
		table[r.key] = &r
	}
	return table
}

// served is the table as ApiVersions shows it.
func served(table map[protocol.Key]*row) []api.Served {
	var list []api.Served
	for key := range protocol.Key(protocol.KeyLimit) {
		if r, ok := table[key]; ok {
			list = append(list, api.Served{Key: key, Min: r.shownMin, Max: r.max()})
		}
	}
	return list
}
