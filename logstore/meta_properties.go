package logstore

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// metaProperties says whose directory this is: meta.properties, Kafka's version 1, a Java properties file.
type metaProperties struct {
	clusterID   string
	nodeID      int32
	directoryID [16]byte
}

const metaVersion = 1

func parseMetaProperties(data []byte) (m metaProperties, err error) {
	p := parseProperties(data)
	switch p["version"] {
	case strconv.Itoa(metaVersion):
	case "", "0":
		return m, errors.New("version 0, a directory of ZooKeeper times; let Kafka 3.x migrate it to KRaft first")
	default:
		version, err := strconv.ParseInt(p["version"], 10, 64)
		if err != nil {
			return m, fmt.Errorf("version %q is not a number", p["version"])
		}
		return m, versionError(version, metaVersion)
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
	return fmt.Appendf(nil, "#\ncluster.id=%s\ndirectory.id=%s\nnode.id=%d\nversion=%d\n",
		m.clusterID, idText(m.directoryID), m.nodeID, metaVersion)
}

// ownedBy compares what the directory says with what the process was told.
func (m metaProperties) ownedBy(name, clusterID string, nodeID int32) (owner string, err error) {
	if clusterID != "" && clusterID != m.clusterID {
		return ofOtherCluster, fmt.Errorf("%s belongs to cluster %s, and this node is configured for cluster %s: give it the right directory or the right cluster id; nothing was changed",
			name, m.clusterID, clusterID)
	}
	if nodeID != m.nodeID {
		return ofOtherNode, fmt.Errorf("%s belongs to node %d of cluster %s, and this is node %d: give it the right directory or the right node id; nothing was changed",
			name, m.nodeID, m.clusterID, nodeID)
	}
	return ofUs, nil
}
