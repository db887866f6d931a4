package cluster

// Record is a record of the metadata log, one of the structs of package record.
type Record = any
