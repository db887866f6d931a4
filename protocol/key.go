package protocol

import "github.com/twmb/franz-go/pkg/kmsg"

// Key names an API: the first field of every request header.
type Key int16

// The keys, under Kafka's names. A key that stands here is known, not necessarily served: the table in broker says that.
const (
	ProduceKey                               Key = 0
	FetchKey                                 Key = 1
	ListOffsetsKey                           Key = 2
	MetadataKey                              Key = 3
	LeaderAndISRKey                          Key = 4
	StopReplicaKey                           Key = 5
	UpdateMetadataKey                        Key = 6
	ControlledShutdownKey                    Key = 7
	OffsetCommitKey                          Key = 8
	OffsetFetchKey                           Key = 9
	FindCoordinatorKey                       Key = 10
	JoinGroupKey                             Key = 11
	HeartbeatKey                             Key = 12
	LeaveGroupKey                            Key = 13
	SyncGroupKey                             Key = 14
	DescribeGroupsKey                        Key = 15
	ListGroupsKey                            Key = 16
	SASLHandshakeKey                         Key = 17
	ApiVersionsKey                           Key = 18
	CreateTopicsKey                          Key = 19
	DeleteTopicsKey                          Key = 20
	DeleteRecordsKey                         Key = 21
	InitProducerIDKey                        Key = 22
	OffsetForLeaderEpochKey                  Key = 23
	AddPartitionsToTxnKey                    Key = 24
	AddOffsetsToTxnKey                       Key = 25
	EndTxnKey                                Key = 26
	WriteTxnMarkersKey                       Key = 27
	TxnOffsetCommitKey                       Key = 28
	DescribeACLsKey                          Key = 29
	CreateACLsKey                            Key = 30
	DeleteACLsKey                            Key = 31
	DescribeConfigsKey                       Key = 32
	AlterConfigsKey                          Key = 33
	AlterReplicaLogDirsKey                   Key = 34
	DescribeLogDirsKey                       Key = 35
	SASLAuthenticateKey                      Key = 36
	CreatePartitionsKey                      Key = 37
	CreateDelegationTokenKey                 Key = 38
	RenewDelegationTokenKey                  Key = 39
	ExpireDelegationTokenKey                 Key = 40
	DescribeDelegationTokenKey               Key = 41
	DeleteGroupsKey                          Key = 42
	ElectLeadersKey                          Key = 43
	IncrementalAlterConfigsKey               Key = 44
	AlterPartitionAssignmentsKey             Key = 45
	ListPartitionReassignmentsKey            Key = 46
	OffsetDeleteKey                          Key = 47
	DescribeClientQuotasKey                  Key = 48
	AlterClientQuotasKey                     Key = 49
	DescribeUserSCRAMCredentialsKey          Key = 50
	AlterUserSCRAMCredentialsKey             Key = 51
	VoteKey                                  Key = 52
	BeginQuorumEpochKey                      Key = 53
	EndQuorumEpochKey                        Key = 54
	DescribeQuorumKey                        Key = 55
	AlterPartitionKey                        Key = 56
	UpdateFeaturesKey                        Key = 57
	EnvelopeKey                              Key = 58
	FetchSnapshotKey                         Key = 59
	DescribeClusterKey                       Key = 60
	DescribeProducersKey                     Key = 61
	BrokerRegistrationKey                    Key = 62
	BrokerHeartbeatKey                       Key = 63
	UnregisterBrokerKey                      Key = 64
	DescribeTransactionsKey                  Key = 65
	ListTransactionsKey                      Key = 66
	AllocateProducerIDsKey                   Key = 67
	ConsumerGroupHeartbeatKey                Key = 68
	ConsumerGroupDescribeKey                 Key = 69
	ControllerRegistrationKey                Key = 70
	GetTelemetrySubscriptionsKey             Key = 71
	PushTelemetryKey                         Key = 72
	AssignReplicasToDirsKey                  Key = 73
	ListConfigResourcesKey                   Key = 74
	DescribeTopicPartitionsKey               Key = 75
	ShareGroupHeartbeatKey                   Key = 76
	ShareGroupDescribeKey                    Key = 77
	ShareFetchKey                            Key = 78
	ShareAcknowledgeKey                      Key = 79
	AddRaftVoterKey                          Key = 80
	RemoveRaftVoterKey                       Key = 81
	UpdateRaftVoterKey                       Key = 82
	InitializeShareGroupStateKey             Key = 83
	ReadShareGroupStateKey                   Key = 84
	WriteShareGroupStateKey                  Key = 85
	DeleteShareGroupStateKey                 Key = 86
	ReadShareGroupStateSummaryKey            Key = 87
	StreamsGroupHeartbeatKey                 Key = 88
	StreamsGroupDescribeKey                  Key = 89
	DescribeShareGroupOffsetsKey             Key = 90
	AlterShareGroupOffsetsKey                Key = 91
	DeleteShareGroupOffsetsKey               Key = 92
	StreamsGroupTopologyDescriptionUpdateKey Key = 93
	UnregisterControllerKey                  Key = 94
)

// String is Kafka's name of the API, such as JoinGroup.
func (k Key) String() string { return kmsg.NameForKey(int16(k)) }
