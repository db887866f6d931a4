package config

import (
	"cmp"
	"slices"
	"strings"
)

// suggest names the known keys nearest to an unknown one.
func suggest(k Key) string {
	type candidate struct {
		key  Key
		away int
	}
	var near []candidate
	for _, d := range BrokerDefs {
		if d.Internal || d.DynamicOnly {
			continue
		}
		away := distance(string(k), string(d.Key))
		if away <= max(2, len(k)/4) || len(k) > 5 && strings.Contains(string(d.Key), string(k)) {
			near = append(near, candidate{d.Key, away})
		}
	}
	for _, d := range TopicDefs {
		if d.Key == k && len(d.Fallbacks) > 0 {
			return "that is a topic's key; the broker's is " + string(d.Fallbacks[0].Key)
		}
	}
	if len(near) == 0 {
		return "`ottla config` lists the keys"
	}
	slices.SortFunc(near, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.away, b.away), strings.Compare(string(a.key), string(b.key)))
	})
	names := make([]string, 0, 3)
	for _, c := range near[:min(3, len(near))] {
		names = append(names, string(c.key))
	}
	return "did you mean " + strings.Join(names, " or ") + "?"
}

// distance is how many letters must be put in, left out or changed to get from a to b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// sortedKeys lists the keys of a map, sorted.
func sortedKeys[V any](m map[Key]V) []Key {
	keys := make([]Key, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
