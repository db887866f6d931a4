package logstore

// The tables. RECOVERY.md shows them, and a test holds it to them.

// Values of facts beside contents.
const (
	isUsed, isUnused = "used", "unused"

	ofUs, ofOtherCluster, ofOtherNode = "ours", "other cluster", "other node"
	hasID, hasNoID                    = "has an id", "has none"

	isWhole    = "whole"
	isTorn     = "torn"     // bytes follow that are no batch, above the recovery point
	isHole     = "hole"     // the next segment begins later, above the recovery point
	isDoubtful = "doubtful" // either, with good batches behind it, and the recovery point is not known
	// isDamaged: bytes that are no batch, below the recovery point.
	// isMissing: offsets between segments; below the recovery point, with other files of a segment of that base, or above
	// it, behind a segment that compaction has been through.
	isMissing = "missing"
	isGap     = "gap" // offsets between segments, below the recovery point

	holdsRecords, holdsNothing   = "records", "nothing" // that may be read
	promiseNone                  = "0 or none"          // of the recovery point:
	promiseKept, promiseBroken   = "kept", "broken"     // does the log reach it?
	promisePassed                = "passed"             // after a clean close, which leaves the log's end there
	isPromised, isNotPromised    = "promised", "not promised"
	isNeeded, isNotNeeded        = "needed", "not needed"
	isUnread                     = "unread"
	atBase, atBetween, atBeyond  = "at a segment's base", "between", "beyond the end"
	isNewest, isOlder            = "newest", "older"
	segBelow, segSealed, segLast = "below", "sealed", "last" // of the segment: below the recovery point, or looked at
	segGivenUp, segNone          = "given up", "none"
	isEqual, isDifferent         = "equal", "different"
)

// Names that are not files of the log proper.
const (
	nameTmp, nameDeleted, nameOdd, nameOther = "ours.tmp", "base.ours.deleted", "base.other", "other"
	dirPartition, dirDelete, dirStray        = "topic-partition", "*-delete", "*-stray"
	dirFuture, dirOther, fileOther           = "*-future", "other directory", "other file"
	dirLost                                  = "topic-partition, not there"
)

var tables = []*table{&metaTable, &markerTable, &offsetsTable, &rootTable, &logTable, &indexTable, &txnTable, &snapshotTable, &epochsTable, &partitionTable, &syncFailedTable, &namesTable}

var metaTable = table{
	kind:  metaName,
	about: "Whose directory it is. It is used where log directories, or checkpoints that name one, are in it.",
	facts: []fact{
		contentFact,
		{"directory", []string{isUsed, isUnused}},
		{"owner", []string{ofUs, ofOtherCluster, ofOtherNode}},
		{"directory.id", []string{hasID, hasNoID}},
	},
	rows: []row{
		{"meta-ours", []string{isGood, either, ofUs, hasID}, doKeep, "", true},
		{"meta-without-id", []string{isGood, either, ofUs, hasNoID}, doCreate, "a directory.id is added", false},
		{"meta-other-cluster", []string{isGood, either, ofOtherCluster, either}, doRefuse, "both clusters are named", false},
		{"meta-other-node", []string{isGood, either, ofOtherNode, either}, doRefuse, "both nodes are named", false},
		{"meta-new", []string{isAbsent, isUnused, either, either}, doCreate, "a new directory", true},
		{"meta-lost", []string{isAbsent, isUsed, either, either}, doRefuse, "somebody's records are here, and nothing says whose", false},
		{"meta-damaged", []string{isEmpty + "|" + isDamaged, either, either, either}, doRefuse, "it is replaced as a whole: no crash does that", false},
		{"meta-newer", []string{isNewer, either, either, either}, doRefuse, "", false},
		{"meta-unreadable", []string{isUnreadable, either, either, either}, doRefuse, "", false},
	},
}

var markerTable = table{
	kind:  cleanShutdownName,
	about: "The last close was whole, so that everything is durable. It is taken away before anything else is done.",
	facts: []fact{contentFact},
	rows: []row{
		{"unclean", []string{isAbsent}, doNothing, "every log is looked at above its recovery point", true},
		{"clean", []string{isEmpty + "|" + isGood}, doRemove, "only ends are looked at; older Kafkas leave it empty", true},
		{"marker-not-believed", []string{isDamaged + "|" + isNewer}, doRemove, "as if it were not there", false},
		{"marker-unreadable", []string{isUnreadable}, doRefuse, "", false},
	},
}

var offsetsTable = table{
	kind:  "offset checkpoint",
	about: "Each is a shortcut that is replaced as a whole. Without recovery points, logs are read from their beginning, and nothing is cut off that good batches follow.",
	facts: []fact{contentFact},
	rows: []row{
		{"checkpoint", []string{isGood}, doKeep, "", true},
		{"checkpoint-absent", []string{isAbsent + "|" + isEmpty}, doWithout, "Kafka makes it empty", true},
		{"checkpoint-damaged", []string{isDamaged}, doWithout, "", false},
		{"checkpoint-newer", []string{isNewer}, doRefuse, "", false},
		{"checkpoint-unreadable", []string{isUnreadable}, doRefuse, "", false},
	},
}

var rootTable = table{
	kind:  "names in the data directory",
	about: "A name that looks like ours and is not exactly so is foreign. Foreign names are left alone.",
	facts: []fact{{"name", []string{dirPartition, dirLost, dirDelete, dirStray, dirFuture, dirOther, fileOther}}},
	rows: []row{
		{"log", []string{dirPartition}, doKeep, "a log: see the tables below", true},
		{"lost-log", []string{dirLost}, doOffline, "the recovery point says that it had records, and it was not deleted", false},
		{"deleted-log", []string{dirDelete}, doRemove, "a topic was deleted, and the removal did not end", true},
		{"stray-log", []string{dirStray}, doLeave, "the metadata did not know it", false},
		{"future-log", []string{dirFuture}, doKeep, "a copy that a move between directories began", true},
		{"foreign", []string{dirOther + "|" + fileOther}, doLeave, "it is not ours", false},
	},
}

var logTable = table{
	kind:  "*" + logExt,
	about: "The segments of a log together. Batches at or above the recovery point are checked with their checksums, headers from the last index entry on, and of sealed segments whether each ends where the next begins. Bytes after the last good batch are torn above the recovery point, damaged below it.",
	facts: []fact{
		{"batches", []string{isWhole, isGap, isTorn, isHole, isDoubtful, isDamaged, isMissing}},
		{"holds", []string{holdsRecords, holdsNothing}},
		{"recovery point", []string{promiseNone, promiseKept, promisePassed, promiseBroken}},
	},
	rows: []row{
		{"whole", []string{isWhole, holdsRecords, promiseNone + "|" + promiseKept}, doKeep, "", true},
		{"gap", []string{isGap, holdsRecords, promiseNone + "|" + promiseKept}, doKeep, "compaction of Kafka's leaves gaps, and no trace of a lost segment is there", false},
		{"end-moved", []string{isWhole + "|" + isGap, holdsRecords, promisePassed}, doKeep, "a clean close leaves the end at the recovery point: somebody has changed or replaced the file since, or a digit in the last batch's base offset is another", false},
		{"torn-tail", []string{isTorn, holdsRecords, promiseNone + "|" + promiseKept + "|" + promisePassed}, doCut, "a crash tore what was not promised", false},
		{"lost-tail", []string{isHole, holdsRecords, promiseNone + "|" + promiseKept + "|" + promisePassed}, doCut, "a crash took the end of a segment, and a later one was written in time", false},
		{"begin-again", []string{isWhole + "|" + isGap + "|" + isTorn + "|" + isHole, holdsNothing, promiseNone}, doRestart, "at the log start, above all that is left", true},
		{"set-aside", []string{isWhole + "|" + isGap + "|" + isTorn + "|" + isHole, holdsNothing, promiseKept + "|" + promisePassed}, doRestart, "at the log start; segments that are left, all below it, are renamed to *.set-aside: page-cache mode can lose what lay above, but so can a damaged log-start-offset-checkpoint", false},
		{"short", []string{isWhole + "|" + isGap + "|" + isTorn + "|" + isHole, either, promiseBroken}, doOffline, "it ends below the recovery point, or, closed cleanly, below the log start: files are missing, or were cut", false},
		{"doubtful", []string{isDoubtful, either, either}, doOffline, "cutting could drop what was promised", false},
		{"damaged", []string{isDamaged, either, either}, doOffline, "", false},
		{"segment-missing", []string{isMissing, either, either}, doOffline, "its .log is gone, and cleaner-offset-checkpoint does not explain it by compaction", false},
	},
}

var indexTable = table{
	kind:  "*" + indexExt + ", *" + timeIndexExt,
	about: "Never synced. Every lookup checks its answer against the segment, and makes both again if it is wrong.",
	facts: []fact{
		{"segment", []string{segBelow, segSealed, segLast, segGivenUp, segNone}},
		{"batches say", []string{isEqual, isDifferent}},
	},
	rows: []row{
		{"index-of-old", []string{segBelow, either}, doLeave, "checked when it is used", true},
		{"index", []string{segSealed, isEqual}, doKeep, "", true},
		{"index-behind", []string{segSealed, isDifferent}, doRebuild, "", false},
		{"index-resumed", []string{segLast, either}, doRebuild, "behind the last entry that names a batch", true},
		{"index-orphan", []string{segGivenUp + "|" + segNone, either}, doRemove, "", true},
	},
}

var txnTable = table{
	kind:  "*" + txnIndexExt,
	about: "Synced before the recovery point passes its markers; above it is made again from them.",
	facts: []fact{
		contentFact,
		{"segment", []string{segBelow, segSealed, segGivenUp, segNone}},
	},
	rows: []row{
		{"txnindex-absent", []string{isAbsent, either}, doNothing, "no transaction was aborted", true},
		{"txnindex", []string{isGood, segBelow}, doKeep, "", true},
		{"txnindex-damaged", []string{isEmpty + "|" + isDamaged, segBelow}, doRebuild, "from the segment's markers", false},
		{"txnindex-above", []string{isGood, segSealed}, doRebuild, "what lies above the recovery point", true},
		{"txnindex-torn", []string{isEmpty + "|" + isDamaged + "|" + isNewer, segSealed}, doRebuild, "from all of the segment's markers: what is lost may have stood below", true},
		{"txnindex-orphan", []string{isGood + "|" + isEmpty + "|" + isDamaged, segGivenUp + "|" + segNone}, doRemove, "", true},
		{"txnindex-newer", []string{isNewer, segBelow + "|" + segGivenUp + "|" + segNone}, doOffline, "", false},
		{"txnindex-unreadable", []string{isUnreadable, either}, doOffline, "", false},
	},
}

var snapshotTable = table{
	kind:  "*" + snapshotExt,
	about: "Not synced, but has a checksum. The newest good one that is not above the recovery point is read, and the batches behind it.",
	facts: []fact{
		{"content", append([]string{isUnread}, contentFact.values...)},
		{"offset", []string{atBase, atBetween, atBeyond}},
		{"between", []string{isNewest, isOlder}},
	},
	rows: []row{
		{"snapshot", []string{isGood + "|" + isUnread, atBase, either}, doKeep, "", true},
		{"snapshot-newest", []string{isGood + "|" + isUnread, atBetween, isNewest}, doKeep, "", true},
		{"snapshot-old", []string{isGood + "|" + isUnread, atBetween, isOlder}, doRemove, "", true},
		{"snapshot-beyond", []string{isGood + "|" + isUnread, atBeyond, either}, doRemove, "it knows of batches that are not there", true},
		{"snapshot-gone", []string{isAbsent, either, either}, doNothing, "", true},
		{"snapshot-damaged", []string{isEmpty + "|" + isDamaged, either, either}, doRemove, "an older one is read, or none", false},
		{"snapshot-newer", []string{isNewer, either, either}, doOffline, "", false},
		{"snapshot-unreadable", []string{isUnreadable, either, either}, doOffline, "", false},
	},
}

var epochsTable = table{
	kind:  epochsName,
	about: "Synced before the recovery point passes an epoch's first offset. It is needed if records below the recovery point may be read; above it the batches have the say.",
	facts: []fact{contentFact, {"file", []string{isNeeded, isNotNeeded}}},
	rows: []row{
		{"epochs", []string{isGood, either}, doKeep, "", true},
		{"epochs-not-yet", []string{isAbsent + "|" + isEmpty, isNotNeeded}, doNothing, "", true},
		{"epochs-lost", []string{isAbsent + "|" + isEmpty, isNeeded}, doRebuild, "", false},
		{"epochs-damaged", []string{isDamaged, either}, doRebuild, "", false},
		{"epochs-newer", []string{isNewer, either}, doOffline, "", false},
		{"epochs-unreadable", []string{isUnreadable, either}, doOffline, "", false},
	},
}

var partitionTable = table{
	kind:  partitionName,
	about: "Which topic the log is of. It is durable before the first record is.",
	facts: []fact{contentFact, {"records", []string{isPromised, isNotPromised}}},
	rows: []row{
		{"id", []string{isGood, either}, doKeep, "", true},
		{"id-not-yet", []string{isAbsent + "|" + isEmpty + "|" + isDamaged, isNotPromised}, doWithout, "a crash came first; the metadata gives it its id", true},
		{"id-lost", []string{isAbsent + "|" + isEmpty + "|" + isDamaged, isPromised}, doOffline, "another topic of this name must not get its records", false},
		{"id-newer", []string{isNewer, either}, doOffline, "", false},
		{"id-unreadable", []string{isUnreadable, either}, doOffline, "", false},
	},
}

var syncFailedTable = table{
	kind:  syncFailedName,
	about: "A sync has failed: the page cache shows bytes that the disk may not have. What the mark names as durable is a promise like the recovery point; what lies above is read past the cache, checked, and written into new files.",
	facts: []fact{contentFact},
	rows: []row{
		{"synced", []string{isAbsent}, doNothing, "", true},
		{"sync-failed", []string{isGood}, doRewrite, "above the offset in it", false},
		{"sync-failed-unknown", []string{isEmpty + "|" + isDamaged}, doRewrite, "above the recovery point", false},
		{"sync-failed-newer", []string{isNewer}, doOffline, "", false},
		{"sync-failed-unreadable", []string{isUnreadable}, doOffline, "", false},
	},
}

var namesTable = table{
	kind:  "other names in a log's directory",
	about: "The owner of a log may keep files of its own beside it, as the metadata log does: they are left alone. Names of an interrupted compaction, *.cleaned and *.swap, have been dealt with before by the table of planSwap.",
	facts: []fact{{"name", []string{nameTmp, nameDeleted, nameOdd, nameOther}}},
	rows: []row{
		{"temporary", []string{nameTmp}, doRemove, "being written when a crash came", true},
		{"deleted-segment", []string{nameDeleted}, doRemove, "", true},
		{"foreign-in-log", []string{nameOdd}, doLeave, "a base offset, and an extension that is not known", false},
		{"beside-log", []string{nameOther}, doLeave, "", true},
	},
}
