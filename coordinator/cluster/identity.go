package cluster

// Quota are the client quotas of one entity.
type Quota struct {
	Entity Entity
	Values map[string]float64
}

// Entity is who a quota is for: up to one part each of "user", "client-id", or "ip" alone. A nil name is the default.
type Entity struct {
	User, ClientID, IP *EntityName
}

// EntityName is the name in an Entity; Default stands for every name that has no quota of its own.
type EntityName struct {
	Name    string
	Default bool
}

// Scram is one user's credential for one SCRAM mechanism.
type Scram struct {
	User string
	// Mechanism is 1 for SCRAM-SHA-256 and 2 for SCRAM-SHA-512.
	Mechanism  int8
	Salt       []byte
	StoredKey  []byte
	ServerKey  []byte
	Iterations int32
}

// ACL is one access control entry, with the codes that the protocol gives its parts.
type ACL struct {
	ID             [16]byte
	ResourceType   int8
	ResourceName   string
	PatternType    int8
	Principal      string
	Host           string
	Operation      int8
	PermissionType int8
}
