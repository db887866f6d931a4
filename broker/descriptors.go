package broker

// What the descriptors of the process are for, beside segments and clients: listeners, the metadata log, the HTTP side, and
// files that are open for a moment, of which each sync, each start of a segment and each recovery has one or two.
const (
	descriptorsKept    = 96
	segmentDescriptors = 4096 // as many as are ever of use
)

// splitDescriptors says how many segments may be open at once, in all data directories, and how many clients' connections.
// They share evenly where there are few.
func splitDescriptors(all int) (segments, sockets int) {
	rest := max(all-min(descriptorsKept, all/2), 2)
	segments = min(rest/2, segmentDescriptors)
	return segments, rest - segments
}

// openSegmentsMax is for each of so many data directories, 0 where nobody knows how many files the process may have open.
func openSegmentsMax(directories int) int {
	all := descriptorMax()
	if all <= 0 {
		return 0
	}
	segments, _ := splitDescriptors(all)
	return max(segments/max(directories, 1), 1)
}
