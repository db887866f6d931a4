package cluster

import (
	"fmt"
	"maps"

	"github.com/ottla/ottla/coordinator/record"
)

func (e *editor) setBroker(id int32, b *Broker) {
	if !e.ownBrokers {
		e.ownBrokers = true
		e.next.brokers = maps.Clone(e.base.brokers)
		if e.next.brokers == nil {
			e.next.brokers = map[int32]*Broker{}
		}
	}
	if b == nil {
		delete(e.next.brokers, id)
	} else {
		e.next.brokers[id] = b
	}
	e.brokerOrder = append(e.brokerOrder, id)
}

func (e *editor) registerBroker(r *record.RegisterBrokerRecord) {
	b := &Broker{ID: r.BrokerID, Epoch: r.BrokerEpoch, Incarnation: r.IncarnationID, Rack: r.Rack,
		Fenced: r.Fenced, InControlledShutdown: r.InControlledShutdown, LogDirs: r.LogDirs,
		Features: make(map[string]VersionRange, len(r.Features))}
	for _, p := range r.EndPoints {
		b.Endpoints = append(b.Endpoints, Endpoint{p.Name, p.Host, p.Port, p.SecurityProtocol})
	}
	for _, f := range r.Features {
		b.Features[f.Name] = VersionRange{f.MinSupportedVersion, f.MaxSupportedVersion}
	}
	e.setBroker(r.BrokerID, b)
}

// registered is the broker that a record is about; a record of another epoch is about another life of it.
func (e *editor) registered(id int32, epoch int64) (*Broker, error) {
	b := e.next.brokers[id]
	if b == nil {
		return nil, fmt.Errorf("broker %d is not registered", id)
	}
	if b.Epoch != epoch {
		return nil, fmt.Errorf("broker %d has epoch %d, not %d", id, b.Epoch, epoch)
	}
	return b, nil
}

func (e *editor) changeBroker(r *record.BrokerRegistrationChangeRecord) error {
	before, err := e.registered(r.BrokerID, r.BrokerEpoch)
	if err != nil {
		return err
	}
	b := *before
	switch r.Fenced {
	case 1:
		b.Fenced = true
	case -1:
		b.Fenced = false
	}
	if r.InControlledShutdown == 1 {
		b.InControlledShutdown = true
	}
	if len(r.LogDirs) > 0 {
		b.LogDirs = r.LogDirs
	}
	e.setBroker(r.BrokerID, &b)
	return nil
}

func (e *editor) unregisterBroker(r *record.UnregisterBrokerRecord) error {
	if _, err := e.registered(r.BrokerID, r.BrokerEpoch); err != nil {
		return err
	}
	e.setBroker(r.BrokerID, nil)
	return nil
}
