package cluster

import (
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/ottla/ottla/coordinator/record"
	"github.com/ottla/ottla/protocol"
)

// Registration is a broker that starts.
type Registration struct {
	ID int32
	// Incarnation is a random id of this run of the process.
	Incarnation [16]byte
	Endpoints   []Endpoint
	Rack        *string
	LogDirs     [][16]byte
}

// StartBroker decides on the start of a broker: it is registered, alive, and the partitions that it leads begin a new
// leader epoch, so that nothing said in its last life counts for this one. Partitions that wait for it get it as leader.
// The first broker of a new cluster also begins its metadata (Bootstrap).
func (i *Image) StartBroker(r Registration) ([]Record, error) {
	if err := i.checkDirectories(r); err != nil {
		return nil, err
	}
	var records []Record
	if len(i.features) == 0 {
		records = Bootstrap()
	}
	register := &record.RegisterBrokerRecord{BrokerID: r.ID, IncarnationID: r.Incarnation, Rack: r.Rack, LogDirs: r.LogDirs,
		// Entries only ever add to the offset: no earlier registration had this epoch.
		BrokerEpoch: i.offset + 1}
	for _, e := range r.Endpoints {
		register.EndPoints = append(register.EndPoints, record.RegisterBrokerBrokerEndpoint{
			Name: e.Name, Host: e.Host, Port: e.Port, SecurityProtocol: e.SecurityProtocol})
	}
	features := SupportedFeatures()
	for _, name := range slices.Sorted(maps.Keys(features)) {
		register.Features = append(register.Features, record.RegisterBrokerBrokerFeature{
			Name: name, MinSupportedVersion: features[name].Min, MaxSupportedVersion: features[name].Max})
	}
	return append(append(records, register), i.leadAgain(r.ID)...), nil
}

func (i *Image) checkDirectories(r Registration) error {
	refuse := func(format string, args ...any) error {
		return protocol.Errorf(protocol.InvalidRegistration, format, args...)
	}
	if len(r.LogDirs) == 0 {
		return refuse("Broker %d has no log directory.", r.ID)
	}
	for n, dir := range r.LogDirs {
		// The zero id stands for "not assigned".
		if dir == ([16]byte{}) || slices.Contains(r.LogDirs[:n], dir) {
			return refuse("Broker %d gives a log directory no id or one of another.", r.ID)
		}
		for _, other := range i.brokers {
			if other.ID != r.ID && slices.Contains(other.LogDirs, dir) {
				return refuse("Broker %d has a log directory of broker %d: is it a copy of its data?", r.ID, other.ID)
			}
		}
	}
	return nil
}

// leadAgain is a new leader epoch for every partition that a broker leads or, being in sync, can lead now.
func (i *Image) leadAgain(id int32) []Record {
	var records []Record
	for t := range i.Topics() {
		for index, p := range t.Partitions {
			if p.Leader == id || p.Leader == NoLeader && slices.Contains(p.ISR, id) {
				change := newChange(t.ID, int32(index))
				change.Leader = id
				records = append(records, change)
			}
		}
	}
	return records
}

// UnregisterBroker decides to forget a broker. What it led gets other leaders, where there is one in sync.
func (i *Image) UnregisterBroker(id int32) ([]Record, error) {
	b := i.brokers[id]
	if b == nil {
		return nil, protocol.Errorf(protocol.BrokerIDNotRegistered, "Broker %d is not registered.", id)
	}
	return append(i.leave(id), &record.UnregisterBrokerRecord{BrokerID: id, BrokerEpoch: b.Epoch}), nil
}

// leave takes a broker out of the ISRs, but for the last one, and out of leadership.
func (i *Image) leave(id int32) []Record {
	var records []Record
	for t := range i.Topics() {
		for index, p := range t.Partitions {
			if !slices.Contains(p.ISR, id) {
				continue
			}
			change := newChange(t.ID, int32(index))
			rest := slices.DeleteFunc(slices.Clone(p.ISR), func(other int32) bool { return other == id })
			if len(rest) > 0 {
				change.ISR = rest
			}
			if p.Leader == id {
				after := *p
				after.ISR, after.Leader = rest, NoLeader
				change.Leader = i.electable(&after, onlineElection)
			}
			if change.ISR != nil || change.Leader != leaderAsBefore {
				records = append(records, change)
			}
		}
	}
	return records
}

// ProducerIDBlock is how many producer ids a broker gets at a time.
const ProducerIDBlock = 1000

// AllocateProducerIDs decides on the next block of producer ids, which begins at first, for a broker in its present life.
func (i *Image) AllocateProducerIDs(broker int32, brokerEpoch int64) (records []Record, first int64, err error) {
	b := i.brokers[broker]
	if b == nil || b.Epoch != brokerEpoch {
		return nil, 0, protocol.Errorf(protocol.StaleBrokerEpoch, "Broker %d is not registered with epoch %d.", broker, brokerEpoch)
	}
	if i.nextProducerID > math.MaxInt64-ProducerIDBlock {
		return nil, 0, protocol.Errorf(protocol.UnknownServerError, "All producer ids have been given out.")
	}
	return []Record{&record.ProducerIdsRecord{BrokerID: broker, BrokerEpoch: brokerEpoch,
		NextProducerID: i.nextProducerID + ProducerIDBlock}}, i.nextProducerID, nil
}

func itoa(n int32) string { return strconv.Itoa(int(n)) }
