package api

import (
	"context"
	"strconv"
	"time"

	"github.com/ottla/ottla/config"
	"github.com/ottla/ottla/coordinator/cluster"
)

// AutoCreateEnabled reports whether a missing topic is created when a client asks for it.
func (s *Server) AutoCreateEnabled() bool { return s.Config().Bool(config.AutoCreateTopicsEnable) }

// AutoCreate creates the topics that are missing, with the broker's defaults; internal topics with partitions, replicas
// and configs of their own. It returns when they are there, and says which are not and why: nil is none.
func (s *Server) AutoCreate(ctx context.Context, names []string) map[string]error {
	var failed map[string]error
	_, err := s.Cluster.Propose(ctx, func(image *cluster.Image, _ time.Time) ([]cluster.Record, error) {
		failed = map[string]error{}
		var missing []cluster.NewTopic
		for _, name := range names {
			if image.Topic(name) == nil {
				missing = append(missing, s.newTopic(image, name))
			}
		}
		records, created := image.CreateTopics(missing, s.creation())
		for _, c := range created {
			if c.Err != nil {
				failed[c.Name] = c.Err
			}
		}
		return records, nil
	})
	if err != nil {
		failed = map[string]error{}
		for _, name := range names {
			failed[name] = err
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return failed
}

// creation is what topics are created with now.
func (s *Server) creation() cluster.Creation {
	c := s.Config()
	return cluster.Creation{
		Partitions:        int32(c.Int(config.NumPartitions)),
		ReplicationFactor: int16(c.Int(config.DefaultReplicationFactor)),
		Validate:          func(configs map[string]string) error { return config.ValidateTopic(c, configs) },
		Rand:              newRand(),
	}
}

// newTopic is a topic as it is created when nobody says how.
// Source: GroupCoordinator.groupMetadataTopicConfigs and its kin for transactions and share groups.
func (s *Server) newTopic(image *cluster.Image, name string) cluster.NewTopic {
	c := s.Config()
	t := cluster.NewTopic{Name: name, Partitions: -1, ReplicationFactor: -1}
	internal := func(partitions, factor config.Key) {
		t.Partitions = int32(c.Int(partitions))
		t.ReplicationFactor = int16(c.ReplicationFactor(factor, len(image.Brokers())))
	}
	set := func(name config.Key, value string) {
		t.Configs = append(t.Configs, cluster.ConfigValue{Name: string(name), Value: &value})
	}
	number := func(k config.Key) string { return strconv.Itoa(c.Int(k)) }
	switch name {
	case cluster.ConsumerOffsets:
		internal(config.OffsetsTopicNumPartitions, config.OffsetsTopicReplicationFactor)
		set(config.CleanupPolicy, "compact")
		set(config.CompressionType, "producer")
		set(config.SegmentBytes, number(config.OffsetsTopicSegmentBytes))
	case cluster.TransactionState:
		internal(config.TransactionStateLogNumPartitions, config.TransactionStateLogReplicationFactor)
		set(config.CleanupPolicy, "compact")
		set(config.CompressionType, "uncompressed")
		set(config.UncleanLeaderElectionEnable, "false")
		set(config.MinInsyncReplicas, strconv.Itoa(c.MinISR(config.TransactionStateLogMinISR, int(t.ReplicationFactor))))
		set(config.SegmentBytes, number(config.TransactionStateLogSegmentBytes))
	case cluster.ShareGroupState:
		internal(config.ShareCoordinatorStateTopicNumPartitions, config.ShareCoordinatorStateTopicReplicationFactor)
		set(config.CleanupPolicy, "delete")
		set(config.CompressionType, "producer")
		set(config.RetentionMs, "-1")
		set(config.MinInsyncReplicas, strconv.Itoa(c.MinISR(config.ShareCoordinatorStateTopicMinISR, int(t.ReplicationFactor))))
		set(config.SegmentBytes, number(config.ShareCoordinatorStateTopicSegmentBytes))
	}
	return t
}
