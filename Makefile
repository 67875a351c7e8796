# Everything is run per module, without the workspace: that is how users get them.
# `make help` lists the targets.

MODULES := $(shell .ci/modules)
FUZZTIME ?= 5m
BENCH ?= .
BENCHTIME ?= 1s
COUNT ?= 7
SLICE ?= 200ms
TURNS ?= 13
RACE ?=
STORE ?= .*
MINUTES ?= 10
SEED ?= 1
USERS ?= 1000

export GOWORK = off

.PHONY: help test test-long cluster setup lint fmt tidy cover fuzz bench clean modules release

help:
	@echo 'make test    the tests of all modules; RACE=-race for the race detector; ALLOW_MISSING=1 where servers are missing'
	@echo 'make test-long   the tests that take minutes: many seeds, many sessions, an installation'
	@echo 'make cluster   three nodes under load, broken on purpose, MINUTES=10 a store. STORE=redis, sentinel, redis-cluster, postgres, nats or embedded: only that; SEED=1, USERS=1000'
	@echo 'make lint    formatting, go vet, staticcheck, tidy modules'
	@echo 'make fmt     format the code'
	@echo 'make tidy    go mod tidy of each module, with our other modules from their folders'
	@echo 'make cover   coverage by package, and the whole'
	@echo 'make fuzz    each fuzz target for FUZZTIME=5m'
	@echo 'make bench   every comparison, into docs/benchmarks; hours. BENCHTIME=100ms COUNT=3 SLICE=20ms TURNS=3: minutes. BENCH=Read: those that match'
	@echo 'make release VERSION=v0.1.0   the commit and the tags of a release, in the clone only'
	@echo 'make clean   remove what these made'

# test installs what is missing (a C compiler, Node.js, npm packages, Chromium).
test: setup
	@MODULES='$(MODULES)' RACE='$(RACE)' .ci/test

# test-long runs what make test leaves to it.
test-long: setup
	@TIER=long MODULES='$(MODULES)' RACE='$(RACE)' .ci/test

# cluster needs Redis, PostgreSQL and HAProxy, which make setup installs.
cluster:
	@.ci/in tests go test -count=1 -timeout=0 -v -run '^TestLongCluster$$/^$(STORE)$$' ./cluster \
		-args -minutes '$(MINUTES)' -seed '$(SEED)' -users '$(USERS)'

setup:
	@.ci/setup

lint:
	@MODULES='$(MODULES)' RACE='$(RACE)' .ci/lint

fmt:
	@gofmt -s -w $$(.ci/gofiles)

tidy:
	@.ci/tidy

cover:
	@for m in $(MODULES); do (.ci/in $$m go test -coverprofile=cover.prof -coverpkg=./... ./... \
		&& .ci/in $$m go tool cover -func=cover.prof | tail -n 1) || exit 1; done

fuzz:
	@MODULES='$(MODULES)' FUZZTIME='$(FUZZTIME)' .ci/fuzz

# bench writes docs/benchmarks. SLICE=0 leaves out the tables that need servers.
bench: setup
	@.ci/in benchmarks go run ./report -bench '$(BENCH)' -benchtime '$(BENCHTIME)' -count '$(COUNT)' -slice '$(SLICE)' -turns '$(TURNS)'

# release needs a clean tree, and prints what to push.
release:
	@go run -C tools ./release -version '$(VERSION)' -root '$(CURDIR)'

# modules prints their folders, for scripts.
modules:
	@echo '$(MODULES)'

clean:
	rm -rf .tools
	find . -name node_modules -prune -exec rm -rf {} +
	rm -rf tests/live/node/nest/dist
	find . -name cover.prof -delete
