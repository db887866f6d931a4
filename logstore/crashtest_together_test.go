package logstore_test

import "github.com/ottla/ottla/logstore"

// Two logs that wait are many: the crash test syncs some by themselves and some together.
func init() {
	crashOptions = append(crashOptions, func(o *logstore.Options) { o.MinSyncedTogether = 2 })
}
