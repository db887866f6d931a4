package results

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Range is the seeds from First to Last, both included.
type Range struct{ First, Last uint64 }

// Ranges are seeds, as text "0-41 50 60-61".
type Ranges []Range

func rangesOf(seeds []uint64) Ranges {
	var all Ranges
	for _, s := range seeds {
		all = append(all, Range{s, s})
	}
	return merge(all, nil)
}

// merge joins what overlaps or adjoins.
func merge(a, b Ranges) (out Ranges) {
	all := slices.Concat(a, b)
	slices.SortFunc(all, func(a, b Range) int { return cmp.Compare(a.First, b.First) })
	for _, r := range all {
		if n := len(out); n > 0 && r.First <= out[n-1].Last+1 {
			out[n-1].Last = max(out[n-1].Last, r.Last)
			continue
		}
		out = append(out, r)
	}
	return out
}

func (r Ranges) String() string {
	var words []string
	for _, s := range r {
		if s.First == s.Last {
			words = append(words, strconv.FormatUint(s.First, 10))
		} else {
			words = append(words, fmt.Sprintf("%d-%d", s.First, s.Last))
		}
	}
	return strings.Join(words, " ")
}

// MarshalJSON writes the text.
func (r Ranges) MarshalJSON() ([]byte, error) { return json.Marshal(r.String()) }

// UnmarshalJSON reads the text.
func (r *Ranges) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	*r = nil
	for word := range strings.FieldsSeq(text) {
		first, last, isRange := strings.Cut(word, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.ParseUint(first, 10, 64)
		if err != nil {
			return err
		}
		to, err := strconv.ParseUint(last, 10, 64)
		if err != nil || to < from {
			return fmt.Errorf("seeds %q", word)
		}
		*r = append(*r, Range{from, to})
	}
	return nil
}
