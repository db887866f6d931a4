package cluster

import "github.com/ottla/ottla/coordinator/record"

// Record is a record of the metadata log: a pointer to one of the structs of package record.
type Record = record.Metadata
