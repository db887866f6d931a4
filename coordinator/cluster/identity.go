package cluster

import "iter"

// Quota are the client quotas of one entity.
type Quota struct {
	Entity Entity
	// Values are by quota key, such as producer_byte_rate. Never written to.
	Values map[string]float64
}

// The entity types that quotas are set for.
const (
	UserEntity     = "user"
	ClientIDEntity = "client-id"
	IPEntity       = "ip"
)

// Entity is who a quota is for: by entity type, a name, or nil for everyone of that type who has no quota of his own.
// A user and a client id may come together, an ip comes alone.
type Entity map[string]*string

// key is one string per entity: in the order of the types, type and name, each ended by a byte that neither contains.
func (e Entity) key() string {
	var key []byte
	for _, t := range []string{ClientIDEntity, IPEntity, UserEntity} {
		name, ok := e[t]
		if !ok {
			continue
		}
		key = append(append(key, t...), 0)
		if name != nil {
			key = append(append(key, '='), *name...)
		}
		key = append(key, 0)
	}
	return string(key)
}

// Scram is one user's credential for one SCRAM mechanism.
type Scram struct {
	User       string
	Mechanism  ScramMechanism
	Salt       []byte
	StoredKey  []byte
	ServerKey  []byte
	Iterations int32
}

// ScramMechanism is a mechanism's code. Source: org.apache.kafka.clients.admin.ScramMechanism.
type ScramMechanism int8

// The mechanisms.
const (
	ScramSHA256 ScramMechanism = 1
	ScramSHA512 ScramMechanism = 2
)

func scramKey(user string, m ScramMechanism) string { return user + "\x00" + string(rune(m)) }

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

// Quotas walks all client quotas.
func (i *Image) Quotas() iter.Seq[*Quota] { return i.quotas.from("") }

// Scrams walks all SCRAM credentials, in the order of the users' names.
func (i *Image) Scrams() iter.Seq[*Scram] { return i.scrams.from("") }

// Scram is one user's credential for one mechanism, nil if there is none.
func (i *Image) Scram(user string, m ScramMechanism) *Scram {
	s, _ := i.scrams.get(scramKey(user, m))
	return s
}

// ScramsOf walks one user's credentials.
func (i *Image) ScramsOf(user string) iter.Seq[*Scram] {
	return func(yield func(*Scram) bool) {
		for _, s := range i.scrams.prefixed(user + "\x00") {
			if !yield(s) {
				return
			}
		}
	}
}

// ACLs walks all access control entries.
func (i *Image) ACLs() iter.Seq[*ACL] { return i.acls.from("") }
