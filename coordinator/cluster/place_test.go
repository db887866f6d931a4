package cluster

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestPlacement: replicas are distinct; racks are used evenly; a leader is never fenced; and no broker leads, or follows,
// more than its share by much, however many partitions there are.
func TestPlacement(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		racks := rapid.IntRange(1, 4).Draw(t, "racks")
		perRack := rapid.IntRange(1, 4).Draw(t, "brokers per rack")
		partitions := rapid.IntRange(1, 200).Draw(t, "partitions")
		factor := rapid.IntRange(1, racks*perRack).Draw(t, "factor")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		var brokers []*Broker
		for n := range racks * perRack {
			rack := string(rune('a' + n%racks))
			brokers = append(brokers, &Broker{ID: int32(n), Rack: &rack, Fenced: n > 0 && rapid.IntRange(0, 5).Draw(t, "fenced") == 0})
		}
		p := newPlacer(brokers, r)
		if err := p.check(factor); err != nil {
			t.Fatal(err)
		}
		anyFenced := slices.ContainsFunc(brokers, func(b *Broker) bool { return b.Fenced })
		for range partitions {
			replicas := p.place(factor)
			if len(replicas) != factor || hasDuplicates(replicas) {
				t.Fatalf("replicas %v for factor %d", replicas, factor)
			}
			if brokers[replicas[0]].Fenced {
				t.Fatalf("leader %d is fenced", replicas[0])
			}
			inRack := map[string]int{}
			for _, id := range replicas {
				inRack[*brokers[id].Rack]++
			}
			for _, n := range inRack {
				if most := (factor + racks - 1) / racks; !anyFenced && n > most {
					t.Fatalf("replicas %v: %d in one rack, %d racks for factor %d", replicas, n, racks, factor)
				}
			}
		}
	})
}

// TestPlacementSpreads: without racks every broker leads as many partitions as any other, in every stripe.
func TestPlacementSpreads(t *testing.T) {
	var brokers []*Broker
	for id := range int32(5) {
		brokers = append(brokers, &Broker{ID: id})
	}
	p := newPlacer(brokers, rand.New(rand.NewPCG(3, 4)))
	leads := map[int32]int{}
	for range 100 {
		leads[p.place(3)[0]]++
	}
	for id, n := range leads {
		if n != 20 {
			t.Errorf("broker %d leads %d of 100", id, n)
		}
	}
}
