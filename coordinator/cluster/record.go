package cluster

// Record is a record of the metadata log, a pointer to one of the structs below.
type Record = any

// The records, until package record has them.
type (
	TopicRecord struct {
		Name    string
		TopicID [16]byte
	}
	RemoveTopicRecord struct{ TopicID [16]byte }
	PartitionRecord   struct {
		PartitionID            int32
		TopicID                [16]byte
		Replicas               []int32
		ISR                    []int32
		RemovingReplicas       []int32
		AddingReplicas         []int32
		Leader                 int32
		LeaderRecoveryState    int8
		LeaderEpoch            int32
		PartitionEpoch         int32
		Directories            [][16]byte
		EligibleLeaderReplicas []int32
		LastKnownELR           []int32
	}
	PartitionChangeRecord struct {
		PartitionID            int32
		TopicID                [16]byte
		ISR                    []int32
		Leader                 int32
		Replicas               []int32
		RemovingReplicas       []int32
		AddingReplicas         []int32
		LeaderRecoveryState    int8
		Directories            [][16]byte
		EligibleLeaderReplicas []int32
		LastKnownELR           []int32
	}
	ConfigRecord struct {
		ResourceType int8
		ResourceName string
		Name         string
		Value        *string
	}
	RegisterBrokerRecord struct {
		BrokerID             int32
		IsMigratingZkBroker  bool
		IncarnationID        [16]byte
		BrokerEpoch          int64
		EndPoints            []RegisterBrokerRecordEndPoint
		Features             []RegisterBrokerRecordFeature
		Rack                 *string
		Fenced               bool
		InControlledShutdown bool
		LogDirs              [][16]byte
	}
	RegisterBrokerRecordEndPoint struct {
		Name             string
		Host             string
		Port             uint16
		SecurityProtocol int16
	}
	RegisterBrokerRecordFeature struct {
		Name                string
		MinSupportedVersion int16
		MaxSupportedVersion int16
	}
	BrokerRegistrationChangeRecord struct {
		BrokerID             int32
		BrokerEpoch          int64
		Fenced               int8
		InControlledShutdown int8
		LogDirs              [][16]byte
	}
	UnregisterBrokerRecord struct {
		BrokerID    int32
		BrokerEpoch int64
	}
	FeatureLevelRecord struct {
		Name         string
		FeatureLevel int16
	}
	ProducerIdsRecord struct {
		BrokerID       int32
		BrokerEpoch    int64
		NextProducerID int64
	}
	ClientQuotaRecord struct {
		Entity []ClientQuotaRecordEntity
		Key    string
		Value  float64
		Remove bool
	}
	ClientQuotaRecordEntity struct {
		EntityType string
		EntityName *string
	}
	UserScramCredentialRecord struct {
		Name       string
		Mechanism  int8
		Salt       []byte
		StoredKey  []byte
		ServerKey  []byte
		Iterations int32
	}
	RemoveUserScramCredentialRecord struct {
		Name      string
		Mechanism int8
	}
	AccessControlEntryRecord struct {
		ID             [16]byte
		ResourceType   int8
		ResourceName   string
		PatternType    int8
		Principal      string
		Host           string
		Operation      int8
		PermissionType int8
	}
	RemoveAccessControlEntryRecord struct{ ID [16]byte }
	NoOpRecord                     struct{}
)
