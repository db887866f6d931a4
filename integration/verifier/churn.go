package verifier

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Create makes the topics that stay.
func (w Work) Create(ctx context.Context, admin *kadm.Client) error {
	for _, topic := range w.Topics {
		if _, err := admin.CreateTopic(ctx, w.Partitions, 1, nil, topic); err != nil {
			return err
		}
	}
	short := func(set ...string) map[string]*string {
		configs := map[string]*string{}
		for i := 0; i < len(set); i += 2 {
			configs[set[i]] = &set[i+1]
		}
		return configs
	}
	if w.Trimmed != "" {
		if _, err := admin.CreateTopic(ctx, 1, 1, short("retention.bytes", strconv.Itoa(w.Deep)), w.Trimmed); err != nil {
			return err
		}
	}
	if w.Keyed != "" {
		_, err := admin.CreateTopic(ctx, 1, 1, short("cleanup.policy", "compact", "min.cleanable.dirty.ratio", "0.01"), w.Keyed)
		return err
	}
	return nil
}

// all are the topics that are verified.
func (w Work) all() (topics []string) {
	topics = append(topics, w.Topics...)
	for _, only := range []string{w.Trimmed, w.Keyed} {
		if only != "" {
			topics = append(topics, only)
		}
	}
	return topics
}

// churned begins the names of topics that come and go.
const churned = "churn-"

// kept is how many of them there are at most.
const kept = 6

// keepChurning makes topics, and deletes the oldest when there are enough. No name is used twice.
func keepChurning(ctx context.Context, c *kgo.Client, h *History) {
	admin := kadm.NewClient(c)
	var there []string
	for i := 0; ctx.Err() == nil; i++ {
		name := fmt.Sprintf("%s%d", churned, i)
		if CreateTopic(ctx, admin, name, int32(1+i%3), h) == nil {
			there = append(there, name)
		}
		if len(there) > kept {
			if DeleteTopic(ctx, admin, there[0], h) == nil {
				there = there[1:]
			}
		}
		select { // as often as an administrator with a script: it is not what takes the disk's time
		case <-ctx.Done():
		case <-time.After(30 * time.Millisecond):
		}
	}
}

// CreateTopic makes a topic, and takes down what was promised of it.
func CreateTopic(ctx context.Context, admin *kadm.Client, name string, partitions int32, h *History) error {
	h.topic(name, asked)
	_, err := admin.CreateTopic(ctx, partitions, 1, nil, name)
	if err == nil || errors.Is(err, kerr.TopicAlreadyExists) { // the client had asked twice
		h.topic(name, made)
		return nil
	}
	return err
}

// DeleteTopic deletes a topic, and takes down what was promised of it.
func DeleteTopic(ctx context.Context, admin *kadm.Client, name string, h *History) error {
	h.topic(name, asked)
	answer, err := admin.DeleteTopic(ctx, name)
	if err == nil {
		err = answer.Err
	}
	if err == nil || errors.Is(err, kerr.UnknownTopicOrPartition) {
		h.topic(name, unwanted)
		return nil
	}
	return err
}

// CheckPromises asks a broker that has just come back for what it promised to keep at once. The load may go on meanwhile.
func (h *History) CheckPromises(ctx context.Context, admin *kadm.Client, p Promises) (broken []string) {
	if len(p.commits) > 0 {
		broken = checkCommits(ctx, admin, p.commits)
	}
	if len(p.topics) > 0 {
		broken = append(broken, h.checkTopics(ctx, admin, p.topics)...)
	}
	return broken
}

func checkCommits(ctx context.Context, admin *kadm.Client, promised map[Partition]int64) (broken []string) {
	offsets, err := admin.FetchOffsets(ctx, group)
	for end := time.Now().Add(time.Minute); err != nil; offsets, err = admin.FetchOffsets(ctx, group) {
		if time.Now().After(end) || ctx.Err() != nil {
			return []string{"no committed offsets a minute after a restart: " + err.Error()}
		}
	}
	for p, want := range promised {
		if got, ok := offsets.Lookup(p.Topic, p.ID); !ok || got.At < want {
			broken = append(broken, fmt.Sprintf("%s-%d: %d was committed, after a restart it is %d", p.Topic, p.ID, want, got.At))
		}
	}
	return broken
}

// checkTopics looks at what comes and goes. What is missing, or too much, may have changed since the restart: the history
// is asked again after the broker was, and has a request before the broker does.
func (h *History) checkTopics(ctx context.Context, admin *kadm.Client, promised map[string]fate) (broken []string) {
	there, err := admin.ListTopics(ctx)
	if err != nil {
		return []string{"no topics after a restart: " + err.Error()}
	}
	now := h.Promises().topics
	for name, f := range promised {
		switch has := there.Has(name); {
		case f == made && !has && now[name] == made:
			broken = append(broken, "topic "+name+" was made, and is not there after a restart")
		case f == unwanted && has:
			broken = append(broken, "topic "+name+" was deleted, and is there after a restart")
		}
	}
	for name := range there {
		if _, known := now[name]; !known && strings.HasPrefix(name, churned) {
			broken = append(broken, "topic "+name+" is there, and nobody made it")
		}
	}
	return broken
}

// Commit commits an offset for the group, and takes down that it was acknowledged.
func Commit(ctx context.Context, admin *kadm.Client, p Partition, offset int64, h *History) error {
	var o kadm.Offsets
	o.Add(kadm.Offset{Topic: p.Topic, Partition: p.ID, At: offset, LeaderEpoch: -1})
	answer, err := admin.CommitOffsets(ctx, group, o)
	if err == nil {
		err = answer.Error()
	}
	if err == nil {
		h.commit(p, offset)
	}
	return err
}
