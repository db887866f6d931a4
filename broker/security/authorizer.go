// Package security says who a client is and what it may do.
package security

// Principal is who a connection acts for, such as User:alice.
type Principal struct {
	Type string
	Name string
}

// Anonymous is the principal of a connection that has not authenticated.
var Anonymous = Principal{Type: "User", Name: "ANONYMOUS"}

func (p Principal) String() string { return p.Type + ":" + p.Name }

// Operation is what is done to a resource. Source: org.apache.kafka.common.acl.AclOperation.
type Operation int8

// The operations, with the codes that ACLs and the authorized-operations bit fields carry.
const (
	All             Operation = 2
	Read            Operation = 3
	Write           Operation = 4
	Create          Operation = 5
	Delete          Operation = 6
	Alter           Operation = 7
	Describe        Operation = 8
	ClusterAction   Operation = 9
	DescribeConfigs Operation = 10
	AlterConfigs    Operation = 11
	IdempotentWrite Operation = 12
	CreateTokens    Operation = 13
	DescribeTokens  Operation = 14
)

// ResourceType is the kind of thing that is acted on. Source: org.apache.kafka.common.resource.ResourceType.
type ResourceType int8

// The resource types, with the codes that ACLs carry.
const (
	Topic           ResourceType = 2
	Group           ResourceType = 3
	Cluster         ResourceType = 4
	TransactionalID ResourceType = 5
	DelegationToken ResourceType = 6
	User            ResourceType = 7
)

// ClusterName is the name of the one resource of type Cluster.
const ClusterName = "kafka-cluster"

// Subject is who asks, from where.
type Subject struct {
	Principal Principal
	Host      string
}

// Authorizer decides. Handlers ask it for every topic, group and transactional id that they touch.
type Authorizer interface {
	// Allowed reports whether who may do op to the resource of that type and name.
	Allowed(who Subject, op Operation, on ResourceType, name string) bool
	// AllowedAny reports whether who may do op to at least one resource of that type.
	AllowedAny(who Subject, op Operation, on ResourceType) bool
}

// AllowAll is the authorizer while none is configured. Source: authorizer.class.name empty.
type AllowAll struct{}

// Allowed is always true.
func (AllowAll) Allowed(Subject, Operation, ResourceType, string) bool { return true }

// AllowedAny is always true.
func (AllowAll) AllowedAny(Subject, Operation, ResourceType) bool { return true }

// OperationsOn lists the operations that make sense on a resource type, those that the authorized-operations bit fields
// report. Source: org.apache.kafka.security.authorizer.AclEntry.supportedOperations.
func OperationsOn(on ResourceType) []Operation {
	switch on {
	case Topic:
		return []Operation{Read, Write, Create, Describe, Delete, Alter, DescribeConfigs, AlterConfigs}
	case Group:
		return []Operation{Read, Describe, Delete, DescribeConfigs, AlterConfigs}
	case Cluster:
		return []Operation{Create, ClusterAction, DescribeConfigs, AlterConfigs, IdempotentWrite, Alter, Describe}
	case TransactionalID:
		return []Operation{Describe, Write}
	case DelegationToken:
		return []Operation{Describe}
	case User:
		return []Operation{CreateTokens, DescribeTokens}
	}
	return nil
}
