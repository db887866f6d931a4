module github.com/ottla/ottla

go 1.26.8

require (
	github.com/IBM/sarama v1.61.1 // tests: a client that users have
	github.com/confluentinc/confluent-kafka-go/v2 v2.11.1 // tests: a client that users have; cgo, so never in the broker
	github.com/hashicorp/go-hclog v1.6.3 // raft's logger, whose lines we hand to slog
	github.com/hashicorp/go-immutable-radix v1.3.1 // the metadata image: a persistent map that raft brings along already
	github.com/hashicorp/raft v1.8.0 // consensus of the metadata log: bought, not written
	github.com/klauspost/compress v1.20.3 // gzip, snappy and zstd of record batches
	github.com/pierrec/lz4/v4 v4.1.33 // lz4 frames of record batches
	github.com/prometheus/client_golang v1.25.0 // /metrics
	github.com/segmentio/kafka-go v0.4.51 // tests: the client that was asked for
	github.com/spf13/cobra v1.10.2 // the commands of cmd/ottla
	github.com/spf13/viper v1.21.0 // flag > environment > file > default
	github.com/twmb/franz-go v1.22.2 // tests and benchmarks: a client
	github.com/twmb/franz-go/pkg/kadm v1.19.0 // tests: an admin client
	github.com/twmb/franz-go/pkg/kfake v0.0.0-20260918054303-01f206a7e32c // benchmarks: franz-go's in-memory broker is the yardstick
	github.com/twmb/franz-go/pkg/kmsg v1.15.0 // Kafka's protocol messages
	go.yaml.in/yaml/v3 v3.0.5 // our configuration file, with the line of a mistake
	golang.org/x/sync v0.24.0 // errgroup: parallel recovery
	golang.org/x/sys v0.49.0 // fdatasync, flock, sendfile, statfs
	pgregory.net/rapid v1.3.0 // tests: properties and models
)

require (
	github.com/beorn7/perks v1.0.1 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/davecgh/go-spew v1.1.1 // indirect
	github.com/eapache/go-resiliency v1.7.0 // indirect
	github.com/fatih/color v1.13.0 // indirect
	github.com/fsnotify/fsnotify v1.9.0 // indirect
	github.com/go-viper/mapstructure/v2 v2.4.0 // indirect
	github.com/hashicorp/go-metrics v0.7.0 // indirect
	github.com/hashicorp/go-msgpack/v2 v2.1.5 // indirect
	github.com/hashicorp/go-uuid v1.0.3 // indirect
	github.com/hashicorp/golang-lru v1.0.2 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/jcmturner/aescts/v2 v2.0.0 // indirect
	github.com/jcmturner/dnsutils/v2 v2.0.0 // indirect
	github.com/jcmturner/gofork v1.7.6 // indirect
	github.com/jcmturner/gokrb5/v8 v8.4.4 // indirect
	github.com/jcmturner/rpc/v2 v2.0.3 // indirect
	github.com/mattn/go-colorable v0.1.13 // indirect
	github.com/mattn/go-isatty v0.0.20 // indirect
	github.com/munnerz/goautoneg v0.0.0-20191010083416-a7dc8b61c822 // indirect
	github.com/pelletier/go-toml/v2 v2.2.4 // indirect
	github.com/prometheus/client_model v0.6.3 // indirect
	github.com/prometheus/common v0.72.0 // indirect
	github.com/prometheus/procfs v0.22.0 // indirect
	github.com/rcrowley/go-metrics v0.0.0-20250401214520-65e299d6c5c9 // indirect
	github.com/sagikazarmark/locafero v0.11.0 // indirect
	github.com/sourcegraph/conc v0.3.1-0.20240121214520-5f936abd7ae8 // indirect
	github.com/spf13/afero v1.15.0 // indirect
	github.com/spf13/cast v1.10.0 // indirect
	github.com/spf13/pflag v1.0.10 // indirect
	github.com/subosito/gotenv v1.6.0 // indirect
	golang.org/x/crypto v0.57.0 // indirect
	golang.org/x/net v0.59.0 // indirect
	golang.org/x/text v0.42.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)
