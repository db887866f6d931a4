package cluster

import (
	"iter"

	"github.com/ottla/ottla/protocol"
)

// QuotaMatch is how one part of an entity is compared. Source: DescribeClientQuotasRequest, MatchType.
type QuotaMatch int8

// The ways to match.
const (
	MatchExact   QuotaMatch = 0
	MatchDefault QuotaMatch = 1
	MatchAny     QuotaMatch = 2
)

// QuotaFilter is a part that the entities looked for have.
type QuotaFilter struct {
	EntityType string
	Match      QuotaMatch
	Name       *string // for MatchExact only
}

// FindQuotas walks the quotas of entities that have every part of the filter and, if strict, no other part.
func (i *Image) FindQuotas(filter []QuotaFilter, strict bool) (iter.Seq[*Quota], error) {
	seen := map[string]bool{}
	for _, f := range filter {
		if err := f.check(); err != nil {
			return nil, err
		}
		if seen[f.EntityType] {
			return nil, protocol.Errorf(protocol.InvalidRequest, "The entity type %s is asked for twice.", f.EntityType)
		}
		seen[f.EntityType] = true
	}
	if seen[IPEntity] && len(seen) > 1 {
		return nil, protocol.Errorf(protocol.InvalidRequest, "A quota is for an ip, or for a user and client-id, not for both.")
	}
	return func(yield func(*Quota) bool) {
		for q := range i.Quotas() {
			if q.matches(filter, strict) && !yield(q) {
				return
			}
		}
	}, nil
}

func (f QuotaFilter) check() error {
	invalid := func(format string, args ...any) error {
		return protocol.Errorf(protocol.InvalidRequest, format, args...)
	}
	switch {
	case f.EntityType == "":
		return invalid("An entity type is empty.")
	case f.EntityType != UserEntity && f.EntityType != ClientIDEntity && f.EntityType != IPEntity:
		return protocol.Errorf(protocol.UnsupportedVersion, "There are no quotas for the entity type %q: it is user, client-id or ip.", f.EntityType)
	case f.Match < MatchExact || f.Match > MatchAny:
		return invalid("There is no match type %d: 0 is the exact name, 1 the default, 2 any.", f.Match)
	case f.Match == MatchExact && f.Name == nil:
		return invalid("An exact match needs a name.")
	case f.Match != MatchExact && f.Name != nil:
		return invalid("Match type %d takes no name.", f.Match)
	}
	return nil
}

func (q *Quota) matches(filter []QuotaFilter, strict bool) bool {
	if strict && len(q.Entity) != len(filter) {
		return false
	}
	for _, f := range filter {
		name, ok := q.Entity[f.EntityType]
		switch {
		case !ok,
			f.Match == MatchExact && (name == nil || *name != *f.Name),
			f.Match == MatchDefault && name != nil:
			return false
		}
	}
	return true
}
