# Bare make prints the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash

GO            ?= go
CACHE         ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/ottla
GOLANGCI      := golangci-lint
GOLANGCI_VERSION := v2.15.0
# Where make deps puts Apache Kafka, and tests look for it.
export OTTLA_KAFKA_LIBS ?= $(CACHE)/kafka-$(shell sed -n 's/^const KafkaVersion = "\(.*\)"/\1/p' integration/launch/kafka.go)
# Unit tests are everything but the integration tests, which want the built binary.
UNIT           = $(shell $(GO) list ./... | grep -v /integration/)
# What keeps bytes at rest is crashed at more points without -race than with it.
STORAGE        = ./logstore/... ./coordinator/quorum
# A test run that hangs ends here.
TEST_TIMEOUT  ?= 10m

.PHONY: help
help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/ottla, one static binary
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o bin/ottla ./cmd/ottla

.PHONY: run
run: build ## Run a broker on localhost:9092 with its data in ./data
	bin/ottla serve --listen localhost:9092 --data-dir data

.PHONY: deps
deps: ## Install what the tests use (Debian packages as root, Apache Kafka's jars by Maven); says what it could not
	@integration/deps.sh '$(CACHE)'

# What real clients talk to in tests. Without a C compiler there is no -race, and the plain binary serves.
.PHONY: race
race:
	@$(GO) build -race -o bin/ottla-race ./cmd/ottla 2>/dev/null || { \
	  echo 'no -race here: clients are tested against the plain binary'; CGO_ENABLED=0 $(GO) build -o bin/ottla-race ./cmd/ottla; }

.PHONY: test
test: deps build race ## Run every test: packages with -race, the store without, then real clients, Kafka's tools, crashes, containers
	@$(GO) test -race -json -timeout $(TEST_TIMEOUT) $(UNIT) > .cache/unit.json; \
	FULL=1 CRASHTEST_POINTS=20000 $(GO) test -count=1 -json -timeout $(TEST_TIMEOUT) $(STORAGE) > .cache/storage.json; \
	OTTLA_BIN=bin/ottla-race $(GO) test -count=1 -p 1 -json -timeout $(TEST_TIMEOUT) ./integration/compat ./integration/conform > .cache/clients.json; \
	OTTLA_BIN=bin/ottla $(GO) test -count=1 -p 1 -json -timeout $(TEST_TIMEOUT) \
	  $$($(GO) list ./integration/... | grep -v -e /compat -e /conform) > .cache/whole.json; \
	$(GO) run ./integration/report .cache/unit.json .cache/storage.json .cache/clients.json .cache/whole.json

.PHONY: unit
unit: ## Run the packages' own tests only, with -race
	$(GO) test -race -timeout $(TEST_TIMEOUT) $(UNIT)

.PHONY: lint
lint: ## Run go vet and golangci-lint, which is built from source once
	$(GO) vet ./...
	@test -x '$(CACHE)/bin/$(GOLANGCI)-$(GOLANGCI_VERSION)' || { \
	  GOBIN='$(CACHE)/bin' $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION) && \
	  mv '$(CACHE)/bin/$(GOLANGCI)' '$(CACHE)/bin/$(GOLANGCI)-$(GOLANGCI_VERSION)'; }
	'$(CACHE)/bin/$(GOLANGCI)-$(GOLANGCI_VERSION)' run --allow-parallel-runners ./...

.PHONY: bench
bench: build ## Print speed and memory, and ratios to an in-memory fake broker run in the same minute
	OTTLA_BIN=bin/ottla $(GO) run ./integration/bench

# What the long tests count is added to the file that is committed.
COUNTED        = OTTLA_CHAOS=1 OTTLA_RESULTS=$(CURDIR)/integration/crash/results.json

.PHONY: chaos
chaos: build ## Kill the broker and cut its power CYCLES times in each way (default 500), slow its disk, and crash its store in memory at POINTS points (1000000)
	$(COUNTED) OTTLA_BIN=bin/ottla OTTLA_CRASH_CYCLES=$(or $(CYCLES),500) \
	  $(GO) test -count=1 -p 1 -v -timeout 24h ./integration/crash ./integration/power
	$(COUNTED) CRASHTEST_POINTS=$(or $(POINTS),1000000) CRASHTEST_FROM=$$(date +%s) \
	  $(GO) test -count=1 -p 1 -v -timeout 24h -run 'TestCrashAtEveryOperation|TestPowerCut' $(STORAGE)

.PHONY: mainjob
mainjob: build ## Send a file of 1 GiB (BYTES=...) through kcat and a group of three, with kills
	OTTLA_BIN=bin/ottla OTTLA_MAINJOB_BYTES=$(or $(BYTES),1073741824) $(GO) test -count=1 -v -timeout 2h ./integration/mainjob

.PHONY: soak
soak: build ## Main job, kills and power cuts in turn, for HOURS hours (default 1); stops at the first failure
	@end=$$(( $$(date +%s) + 3600 * $(or $(HOURS),1) )); while [ $$(date +%s) -lt $$end ]; do \
	  $(MAKE) --no-print-directory mainjob BYTES=268435456 && $(MAKE) --no-print-directory chaos CYCLES=50 POINTS=100000 || exit 1; done

.PHONY: conform
conform: deps ## Record Apache Kafka's answers anew (wants its jars and a JVM)
	$(GO) test -count=1 -run TestConform ./integration/conform -update

.PHONY: clean
clean: ## Remove what builds and tests left in this folder; data stays
	rm -rf bin .cache
