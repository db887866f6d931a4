package dump

import (
	"bytes"
	"path"

	"github.com/ottla/ottla/coordinator/quorum"
)

func (d *dumper) quorumState(name string, _ int64) error {
	b, err := d.read(name)
	if err != nil {
		return err
	}
	if bytes.HasPrefix(b, []byte("{")) { // Apache Kafka's, which is JSON
		d.line(1, "content", field{"text", string(b)})
		return nil
	}
	s, err := quorum.ParseState(b)
	if err != nil {
		return err
	}
	d.line(1, "identity", field{"clusterId", s.ClusterID}, field{"nodeId", s.NodeID})
	for _, v := range s.Values {
		d.line(1, "value", field{"key", v.Key}, field{"value", v.Value})
	}
	return nil
}

func (d *dumper) image(name string, _ int64) error {
	s, err := quorum.ReadSnapshot(d.FS, path.Dir(name), path.Base(name))
	if s.ClusterID != "" {
		d.line(1, "snapshot", field{"clusterId", s.ClusterID}, field{"index", s.Index}, field{"term", s.Term},
			field{"configurationIndex", s.ConfigurationIndex}, field{"voters", s.Voters},
			field{"offset", s.Offset}, field{"epoch", s.Epoch})
	}
	for _, r := range s.Records {
		d.line(2, "record", field{"type", nameOf(r)}, field{"value", describe(r)})
	}
	return err
}
