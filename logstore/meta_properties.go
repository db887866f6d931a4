package logstore

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/ottla/ottla/logstore/vfs"
)

// metaProperties says whose directory this is: meta.properties, Kafka's version 1, a Java properties file.
type metaProperties struct {
	clusterID   string
	nodeID      int32
	directoryID [16]byte
}

const metaVersion = "1"

// readMetaProperties reads the file; ok is false if there is none.
func readMetaProperties(fsys vfs.FS, name string) (m metaProperties, ok bool, err error) {
	data, err := readFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return m, false, nil
	}
	if err == nil {
		m, err = parseMetaProperties(data)
	}
	if err != nil {
		return m, false, fmt.Errorf("%s: %w", name, err)
	}
	return m, true, nil
}

func parseMetaProperties(data []byte) (m metaProperties, err error) {
	p := parseProperties(data)
	switch p["version"] {
	case metaVersion:
	case "", "0":
		return m, errors.New("version 0, a directory of ZooKeeper times; let Kafka 3.x migrate it to KRaft first")
	default:
		return m, fmt.Errorf("version %s, of which only %s is known: the directory belongs to newer software", p["version"], metaVersion)
	}
	if m.clusterID = p["cluster.id"]; m.clusterID == "" {
		return m, errors.New("cluster.id is missing")
	}
	node, err := strconv.ParseInt(p["node.id"], 10, 32)
	if err != nil {
		return m, fmt.Errorf("node.id %q is not a number", p["node.id"])
	}
	m.nodeID = int32(node)
	if text, ok := p["directory.id"]; ok {
		if m.directoryID, err = parseID(text); err != nil {
			return m, fmt.Errorf("directory.id: %w", err)
		}
	}
	return m, nil
}

// parseProperties reads the part of Java's format that these files use: key=value or key: value, # and ! comments.
func parseProperties(data []byte) map[string]string {
	p := map[string]string{}
	for line := range bytes.Lines(data) {
		text := strings.TrimSpace(string(line))
		if text == "" || text[0] == '#' || text[0] == '!' {
			continue
		}
		at := strings.IndexAny(text, "=:")
		if at < 0 {
			at = len(text)
		}
		p[strings.TrimSpace(text[:at])] = strings.TrimSpace(strings.TrimLeft(text[at:], "=:"))
	}
	return p
}

func (m metaProperties) encode() []byte {
	return fmt.Appendf(nil, "#\ncluster.id=%s\ndirectory.id=%s\nnode.id=%d\nversion=%s\n",
		m.clusterID, idText(m.directoryID), m.nodeID, metaVersion)
}

// checkIdentity compares what the directory says with what the process was told.
func (m metaProperties) checkIdentity(name, clusterID string, nodeID int32) error {
	if clusterID != "" && clusterID != m.clusterID {
		return refuse("%s belongs to cluster %s, and this node is configured for cluster %s: give it the right directory or the right cluster id; nothing was changed",
			name, m.clusterID, clusterID)
	}
	if nodeID != m.nodeID {
		return refuse("%s belongs to node %d of cluster %s, and this is node %d: give it the right directory or the right node id; nothing was changed",
			name, m.nodeID, m.clusterID, nodeID)
	}
	return nil
}
