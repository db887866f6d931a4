// Package group coordinates consumer groups: who is a member, which generation is current, what each member was
// assigned, and which offsets are committed. Machine does it for the groups of one partition of __consumer_offsets. It is
// pure: time comes in with each call, and records, answers and the next wake-up come out.
//
//	machine.go       Machine, its limits, its life from New to Abandon
//	group.go         one classic group: states, votes, the leader
//	member.go        its members and what they offer
//	join.go          JoinGroup          rebalance.go  the phases of a rebalance and their timers
//	sync.go          SyncGroup          beat.go       Heartbeat          leave.go      LeaveGroup
//	commit.go        OffsetCommit       fetch.go      OffsetFetch        delete.go     DeleteGroups, OffsetDelete
//	describe.go      DescribeGroups, ListGroups       expire.go          retention of offsets
//	records.go       what is written and how it is replayed              offsets.go    the offsets, durable
//	subscription.go  the topics in a consumer's metadata                 timers.go     what is to be done when
//
// # The classic protocol
//
// A generation of a group is agreed in two phases. In the join phase every member says which ways of assigning partitions
// it knows, and is parked until all have; the coordinator chooses one way, one leader, and answers. In the sync phase the
// leader sends everybody's assignment, which is written to the log, and the parked members get theirs. Between the phases
// nothing is durable: if the coordinator moves, the last written generation counts and members join again.
//
// What a group does with an event. "→" is the state after it; "rebalance" is → PreparingRebalance, where joining calls are
// parked. A group that there is not is Dead in Kafka's words.
//
//	                     Empty               PreparingRebalance    CompletingRebalance    Stable                 none
//	JoinGroup new        → Preparing,        parked, may           rebalance              rebalance              as Empty, after an
//	                     initial delay       complete                                                            empty generation 0
//	  without id, v4+    MEMBER_ID_REQUIRED, a pending member in every state
//	JoinGroup member     –                   parked, may           same metadata: answer  leader, or changed     UNKNOWN_MEMBER_ID
//	                                         complete              changed: rebalance     metadata: rebalance,
//	                                                                                      else answer
//	JoinGroup static     –                   id replaced, parked   id replaced, rebalance id replaced; written   as new
//	  with known instance                                                                 and answered, unless
//	                                                                                      the vote changes
//	all joined, or join  –                   → Completing, or      –                      –                      –
//	  timer                                  written and → Empty
//	                                         if nobody did
//	SyncGroup            UNKNOWN_MEMBER_ID   REBALANCE_IN_PROGRESS parked; the leader's:  assignment             UNKNOWN_MEMBER_ID
//	                                                               written → Stable
//	sync timer           –                   –                     remove who did not     remove who did not     –
//	                                                               send, rebalance        send, rebalance
//	Heartbeat            UNKNOWN_MEMBER_ID   REBALANCE_IN_PROGRESS NONE                   NONE                   UNKNOWN_MEMBER_ID
//	LeaveGroup,          UNKNOWN_MEMBER_ID   removed, may          removed, rebalance     removed, rebalance     UNKNOWN_MEMBER_ID
//	  session over                           complete
//	OffsetCommit member  –                   of the last           REBALANCE_IN_PROGRESS  of this generation     ILLEGAL_GENERATION or
//	                                         generation                                                          GROUP_ID_NOT_FOUND
//	OffsetCommit outside written             UNKNOWN_MEMBER_ID     UNKNOWN_MEMBER_ID      UNKNOWN_MEMBER_ID      written: a simple group
//	DeleteGroups         written → none      NON_EMPTY_GROUP       NON_EMPTY_GROUP        NON_EMPTY_GROUP        GROUP_ID_NOT_FOUND
//	no offset left at    written → none      –                     –                      –                      –
//	  a retention check
//
// # Invariants
//
//   - G1: Empty → Preparing → Completing → Stable → Preparing; Completing → Preparing; Preparing → Empty. No other step.
//   - G2: in Empty there is no member and no leader; in Completing and Stable there is a protocol, members, and one of
//     them is the leader.
//   - G3: a generation becomes Stable, and a group Empty, only by its record being replayed.
//   - G4: any member shares a protocol with all others.
//   - G5: a member's JoinGroup is parked only in Preparing, its SyncGroup only in Completing.
//   - G6: of a member at most one call is parked; of a client's two, the older is answered.
//   - G7: an instance id belongs to one member, and a pending id to none.
//   - G8: a member has a session running, or its call parked.
//   - G9: in Preparing the join timer runs; members owe a SyncGroup only while the sync timer runs.
//   - O1: a group with offsets exists; one that was never joined and has no record is simple (no protocol type).
//   - O2: offsets change only by Replay.
//   - O3: an offset committed in a transaction is not seen until the transaction's marker is replayed, and until then a
//     fetch that asks for stable offsets answers UNSTABLE_OFFSET_COMMIT.
//
// # Where this differs from Apache Kafka 4.3, and why
//
//   - A JoinGroup that is refused creates no group: Kafka leaves an empty one behind.
//   - A pending member that leaves a Stable group does not make it rebalance: nobody's assignment changes.
//   - An older parked call of the same member is answered (REBALANCE_IN_PROGRESS), and so is a SyncGroup of a member that
//     is removed (UNKNOWN_MEMBER_ID): Kafka forgets both, and their connections hang.
//   - A protocol that a member names twice counts once: Kafka's count of supporters goes wrong.
//   - A pending id used with an instance id is UNKNOWN_MEMBER_ID: Kafka fails with UNKNOWN_SERVER_ERROR.
//   - A static member that is replaced takes the client id and host of its new process.
//   - An Empty group in which a member is pending is not removed by a retention check.
//
// KIP-848 and share groups, and transactional commits by TxnOffsetCommit, will be further kinds of group and requests of
// the same Machine: their records are replayed by kind as these are.
package group
