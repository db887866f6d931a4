package hostile

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// latencies are how long n requests of an ordinary client took, sorted: metadata and small produces in turn. All are
// answered, whatever else goes on.
func latencies(t testing.TB, p *peer, topic string, n int) []time.Duration {
	t.Helper()
	var took []time.Duration
	for i := range n {
		began := time.Now()
		if i%2 == 0 {
			mustAsk[*kmsg.MetadataResponse](t, p, metadataOf(topic))
		} else {
			produced(t, p, topic, 100)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// compare tells what an attack did to others' latency.
func compare(before, during []time.Duration) string {
	round := func(d time.Duration) time.Duration { return d.Round(time.Microsecond) }
	a, b := quantile(before, 0.99), quantile(during, 0.99)
	return fmt.Sprintf("median %v, before %v; p99 %v, before %v (×%.1f); worst %v", round(quantile(during, 0.5)), round(quantile(before, 0.5)),
		round(b), round(a), float64(b)/float64(a), round(during[len(during)-1]))
}
