package group

import (
	"maps"
	"slices"
	"time"
)

// expireOffsets forgets offsets whose time is over, and groups that hold nothing more. It runs every
// offsets.retention.check.interval.ms. Source: GroupCoordinatorShard.cleanupGroupMetadata.
func (m *Machine) expireOffsets(now time.Time, s *step) {
	m.timers.start(&m.expiry, now.Add(m.config.RetentionCheckInterval))
	if m.config.RetentionNow != nil {
		now = m.config.RetentionNow()
	}
	s.Split = true
	for _, id := range slices.Sorted(maps.Keys(m.groups)) {
		g := m.groups[id]
		gone, all := m.expired(g, now.UnixMilli())
		m.dropOffsets(s, gone)
		if all && g.state == empty && len(g.pending) == 0 {
			s.Records = append(s.Records, g.tombstone())
		}
	}
}

// expired are the group's offsets whose retention has passed, and whether that is all it has.
func (m *Machine) expired(g *group, nowMs int64) (gone []spot, all bool) {
	since, expires := g.retentionBase()
	if !expires {
		return nil, false
	}
	all = len(m.offsets.openIn[g.id]) == 0
	eachOf(g.id, m.offsets.stable[g.id], func(at spot, o committed) {
		if g.subscribed(at.topic) || m.offsets.unstable(at) || !m.outlived(o, since(o), nowMs) {
			all = false
			return
		}
		gone = append(gone, at)
	})
	return gone, all
}

func (m *Machine) outlived(o committed, sinceMs, nowMs int64) bool {
	if o.expireMs != -1 {
		return nowMs >= o.expireMs
	}
	return nowMs-sinceMs >= m.config.OffsetsRetention.Milliseconds()
}

// retentionBase is from when the retention of an offset counts, and false while the group's offsets do not expire:
//
//	no protocol type (simple)     since the commit
//	Empty                         since the group became Empty, for all its offsets
//	Stable, a consumer group      since the commit, for topics that no member subscribes to
//	else                          never
func (g *group) retentionBase() (sinceMs func(committed) int64, expires bool) {
	sinceCommit := func(o committed) int64 { return o.commitMs }
	switch {
	case g.protocolType == "":
		return sinceCommit, true
	case g.state == empty && g.since == -1:
		return sinceCommit, true
	case g.state == empty:
		return func(committed) int64 { return g.since }, true
	case g.state == stable && g.protocolType == consumerType && g.topics != nil:
		return sinceCommit, true
	}
	return nil, false
}
