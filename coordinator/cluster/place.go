package cluster

import (
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/ottla/ottla/protocol"
)

// placer chooses replicas for new partitions in stripes, as Apache Kafka's StripedReplicaPlacer does:
//
//   - a leader is an unfenced broker; the other replicas prefer unfenced brokers but may be fenced ones;
//   - the replicas of a partition are spread over the racks, one rack after the other;
//   - leaders are spread evenly: each partition starts one rack, and within a rack one broker, further;
//   - after as many partitions as there are unfenced brokers the order is shuffled, so that the same brokers are not
//     each other's followers all the time. The starting points are random, so that topics of one partition spread too.
type placer struct {
	rand     *rand.Rand
	racks    []*rack
	first    int // the rack that the next partition starts at
	stripe   int // partitions placed since the last shuffle
	total    int
	unfenced int
}

type rack struct{ unfenced, fenced ring }

// ring hands out its brokers one by one, each once per partition, starting one further with every partition.
type ring struct {
	brokers []int32
	start   int
	given   int
	stripe  int
}

func newPlacer(brokers []*Broker, r *rand.Rand) *placer {
	p := &placer{rand: r, total: len(brokers)}
	byName := map[string]*rack{} // brokers without a rack share one
	for _, b := range brokers {
		name := ""
		if b.Rack != nil {
			name = "r" + *b.Rack
		}
		if byName[name] == nil {
			byName[name] = &rack{}
		}
		if b.Fenced {
			byName[name].fenced.brokers = append(byName[name].fenced.brokers, b.ID)
		} else {
			byName[name].unfenced.brokers = append(byName[name].unfenced.brokers, b.ID)
			p.unfenced++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		p.racks = append(p.racks, byName[name])
		byName[name].unfenced.begin(r)
		byName[name].fenced.begin(r)
	}
	if len(p.racks) > 0 {
		p.first = r.IntN(len(p.racks))
	}
	return p
}

func (r *ring) begin(random *rand.Rand) {
	if len(r.brokers) > 0 {
		r.start = random.IntN(len(r.brokers))
	}
}

func (r *ring) next(stripe int) (int32, bool) {
	if len(r.brokers) == 0 {
		return 0, false
	}
	if r.stripe != stripe {
		r.stripe, r.given, r.start = stripe, 0, (r.start+1)%len(r.brokers)
	}
	if r.given == len(r.brokers) {
		return 0, false
	}
	r.given++
	return r.brokers[(r.start+r.given-1)%len(r.brokers)], true
}

// check says whether factor replicas can be placed at all. It counts before anything is placed.
func (p *placer) check(factor int) error {
	switch {
	case factor <= 0:
		return protocol.Errorf(protocol.InvalidReplicationFactor, "A replication factor of %d is not possible: it must be positive.", factor)
	case p.unfenced == 0:
		return protocol.Errorf(protocol.InvalidReplicationFactor, "No broker is alive to place %d replica(s) on.", factor)
	case factor > p.total:
		return protocol.Errorf(protocol.InvalidReplicationFactor,
			"A replication factor of %d needs as many brokers, but %d broker(s) are registered. Ask for at most %d, or for -1 to take the default.",
			factor, p.total, p.total)
	}
	return nil
}

// place is the replicas of one more partition. check must have passed.
func (p *placer) place(factor int) []int32 {
	if p.stripe == p.unfenced && p.unfenced > 1 {
		p.shuffle()
		p.stripe = 0
	}
	p.first %= len(p.racks)
	replicas := make([]int32, 0, factor)
	leaderRack := p.first
	for {
		if id, ok := p.racks[leaderRack].unfenced.next(p.stripe); ok {
			replicas = append(replicas, id)
			break
		}
		leaderRack = (leaderRack + 1) % len(p.racks)
	}
	// The other replicas go round the racks; the leader's has had its turn in the first round.
	for at := p.first; len(replicas) < factor; at = (at + 1) % len(p.racks) {
		if at == leaderRack {
			leaderRack = -1
			continue
		}
		if id, ok := p.racks[at].unfenced.next(p.stripe); ok {
			replicas = append(replicas, id)
		} else if id, ok := p.racks[at].fenced.next(p.stripe); ok {
			replicas = append(replicas, id)
		}
	}
	p.stripe++
	p.first++
	return replicas
}

func (p *placer) shuffle() {
	shuffle(p.rand, p.racks)
	for _, r := range p.racks {
		shuffle(p.rand, r.unfenced.brokers)
		shuffle(p.rand, r.fenced.brokers)
	}
}

func shuffle[T any](r *rand.Rand, list []T) {
	r.Shuffle(len(list), func(a, b int) { list[a], list[b] = list[b], list[a] })
}
