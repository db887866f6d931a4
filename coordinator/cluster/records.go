package cluster

import (
	"iter"
	"maps"
	"slices"

	"github.com/ottla/ottla/coordinator/record"
)

// Bootstrap is the first entry of a new cluster's metadata log: the format, and the one config that a new Kafka 4.3
// cluster has from its first day.
func Bootstrap() []Record {
	one := "1"
	return []Record{
		&record.FeatureLevelRecord{Name: MetadataVersion, FeatureLevel: MetadataVersionLevel},
		&record.ConfigRecord{ResourceType: int8(BrokerResource), Name: "min.insync.replicas", Value: &one},
	}
}

// Records walks records that, applied to Empty, make this Image: a snapshot of the metadata log.
func (i *Image) Records() iter.Seq[Record] {
	return func(yield func(Record) bool) {
		for _, part := range []iter.Seq[Record]{i.featureRecords, i.brokerRecords, i.topicRecords, i.configRecords, i.identityRecords} {
			for r := range part {
				if !yield(r) {
					return
				}
			}
		}
	}
}

func (i *Image) featureRecords(yield func(Record) bool) {
	for _, name := range slices.Sorted(maps.Keys(i.features)) {
		if !yield(&record.FeatureLevelRecord{Name: name, FeatureLevel: i.features[name]}) {
			return
		}
	}
	if i.nextProducerID > 0 {
		yield(&record.ProducerIdsRecord{BrokerID: -1, BrokerEpoch: -1, NextProducerID: i.nextProducerID})
	}
}

func (i *Image) brokerRecords(yield func(Record) bool) {
	for _, b := range i.Brokers() {
		r := &record.RegisterBrokerRecord{BrokerID: b.ID, IncarnationID: b.Incarnation, BrokerEpoch: b.Epoch, Rack: b.Rack,
			Fenced: b.Fenced, InControlledShutdown: b.InControlledShutdown, LogDirs: b.LogDirs}
		for _, e := range b.Endpoints {
			r.EndPoints = append(r.EndPoints, record.RegisterBrokerBrokerEndpoint{
				Name: e.Name, Host: e.Host, Port: e.Port, SecurityProtocol: e.SecurityProtocol})
		}
		for _, name := range slices.Sorted(maps.Keys(b.Features)) {
			f := b.Features[name]
			r.Features = append(r.Features, record.RegisterBrokerBrokerFeature{
				Name: name, MinSupportedVersion: f.Min, MaxSupportedVersion: f.Max})
		}
		if !yield(r) {
			return
		}
	}
}

func (i *Image) topicRecords(yield func(Record) bool) {
	for t := range i.Topics() {
		if !yield(&record.TopicRecord{Name: t.Name, TopicID: t.ID}) {
			return
		}
		for index, p := range t.Partitions {
			r := &record.PartitionRecord{PartitionID: int32(index), TopicID: t.ID,
				Leader: p.Leader, LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch,
				Replicas: p.Replicas, ISR: p.ISR, AddingReplicas: p.Adding, RemovingReplicas: p.Removing,
				EligibleLeaderReplicas: orNil(p.ELR), LastKnownELR: orNil(p.LastKnownELR), Directories: p.Directories}
			if p.Recovering {
				r.LeaderRecoveryState = recovering
			}
			if !yield(r) {
				return
			}
		}
	}
}

// orNil is nil for an empty list, which a record need not hold.
func orNil(list []int32) []int32 {
	if len(list) == 0 {
		return nil
	}
	return list
}

func (i *Image) configRecords(yield func(Record) bool) {
	for key, configs := range i.configs.prefixed("") {
		for _, r := range setConfigs(resourceOf(key), configs) {
			if !yield(r) {
				return
			}
		}
	}
}

func (i *Image) identityRecords(yield func(Record) bool) {
	for q := range i.Quotas() {
		for _, r := range quotaRecords(q) {
			if !yield(r) {
				return
			}
		}
	}
	for s := range i.Scrams() {
		if !yield(&record.UserScramCredentialRecord{Name: s.User, Mechanism: int8(s.Mechanism),
			Salt: s.Salt, StoredKey: s.StoredKey, ServerKey: s.ServerKey, Iterations: s.Iterations}) {
			return
		}
	}
	for a := range i.ACLs() {
		if !yield(&record.AccessControlEntryRecord{ID: a.ID, ResourceType: a.ResourceType, ResourceName: a.ResourceName,
			PatternType: a.PatternType, Principal: a.Principal, Host: a.Host,
			Operation: a.Operation, PermissionType: a.PermissionType}) {
			return
		}
	}
}

func quotaRecords(q *Quota) []Record {
	var entity []record.ClientQuotaEntityData
	for _, t := range slices.Sorted(maps.Keys(q.Entity)) {
		entity = append(entity, record.ClientQuotaEntityData{EntityType: t, EntityName: q.Entity[t]})
	}
	var records []Record
	for _, key := range slices.Sorted(maps.Keys(q.Values)) {
		records = append(records, &record.ClientQuotaRecord{Entity: entity, Key: key, Value: q.Values[key]})
	}
	return records
}
