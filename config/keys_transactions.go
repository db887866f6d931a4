package config

// Transactions.
const (
	TransactionStateLogNumPartitions                     Key = "transaction.state.log.num.partitions"
	TransactionStateLogReplicationFactor                 Key = "transaction.state.log.replication.factor"
	TransactionStateLogMinISR                            Key = "transaction.state.log.min.isr"
	TransactionStateLogSegmentBytes                      Key = "transaction.state.log.segment.bytes"
	TransactionStateLogLoadBufferSize                    Key = "transaction.state.log.load.buffer.size"
	TransactionMaxTimeoutMs                              Key = "transaction.max.timeout.ms"
	TransactionalIDExpirationMs                          Key = "transactional.id.expiration.ms"
	TransactionPartitionVerificationEnable               Key = "transaction.partition.verification.enable"
	TransactionAbortTimedOutTransactionCleanupIntervalMs Key = "transaction.abort.timed.out.transaction.cleanup.interval.ms"
	TransactionRemoveExpiredTransactionCleanupIntervalMs Key = "transaction.remove.expired.transaction.cleanup.interval.ms"
	TransactionTwoPhaseCommitEnable                      Key = "transaction.two.phase.commit.enable"
)

var transactionsRows = []Row{
	{TransactionStateLogNumPartitions, Int, "50", atLeast(1), ReadOnly, NoEffect, "Partitions of __transaction_state. Fixed once the topic exists."},
	{TransactionStateLogReplicationFactor, Short, "auto", autoOr(1), ReadOnly, NoEffect, "Replicas of __transaction_state; auto is min(3, brokers)."},
	{TransactionStateLogMinISR, Int, "auto", autoOr(1), ReadOnly, NoEffect, "In-sync replicas that writes to __transaction_state need; auto is min(2, replicas)."},
	{TransactionStateLogSegmentBytes, Int, "104857600", atLeast(1), ReadOnly, NoEffect, "Segment size of __transaction_state."},
	{TransactionStateLogLoadBufferSize, Int, "5242880", atLeast(1), ReadOnly, NoEffect, "Bytes that are read at once when transactions are loaded."},
	{TransactionMaxTimeoutMs, Int, "900000", atLeast(1), ReadOnly, NoEffect, "The longest transaction time-out that a producer may ask for."},
	{TransactionalIDExpirationMs, Int, "604800000", atLeast(1), ReadOnly, NoEffect, "How long a transactional id without a transaction is remembered."},
	{TransactionPartitionVerificationEnable, Boolean, "true", nil, ClusterWide, NoEffect, "Whether a transactional write is checked against its transaction."},
	{TransactionAbortTimedOutTransactionCleanupIntervalMs, Int, "10000", atLeast(1), ReadOnly, NoEffect, "How often transactions past their time-out are looked for."},
	{TransactionRemoveExpiredTransactionCleanupIntervalMs, Int, "3600000", atLeast(1), ReadOnly, NoEffect, "How often expired transactional ids are looked for."},
	{TransactionTwoPhaseCommitEnable, Boolean, "false", nil, ReadOnly, NoEffect, "Whether transactions may be prepared and wait for an outside coordinator."},
}
