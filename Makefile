# What can be run here: "make help". Go is all it needs, and Debian's spin and gcc for the models.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.SILENT:
MAKEFLAGS += --no-print-directory

# Pinned, so that the same tree is judged the same way everywhere.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

CYCLES ?= 200
CUTS ?= 20000
FUZZTIME ?= 60s
BENCHTIME ?= 1s

# Planted defects, each with the packages whose tests must catch it.
MUTANTS := \
	answer-before-sync=./store/embedded \
	blind-write=./store/embedded \
	outbox-deleted-early=./store/embedded \
	retry-failed-sync=./store/embedded \
	skip-directory-sync=./store/embedded \
	tail-not-cut=./journal \
	epoch-read-before-close=./gate \
	everything-allowed=./gate \
	inserted-deny-does-not-bump=./gate \
	later-load-hides-earlier-epoch=./gate \
	recheck-only-when-moved=./gate \
	stale-fill-installed=./gate

RACE := ./gate/... ./keys/... ./store/... ./server/... ./client/... ./api/...
FIPS := ./internal/crypt ./internal/secret ./internal/blob ./seal ./keys/... ./api/...

.PHONY: help
help: ## this list
	awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' Makefile

.PHONY: check
check: format vet ## while working: format, vet, layout and documents, and tests without the long ones
	go test -short ./...
	echo "check: passed: format vet and go test -short ./..."

.PHONY: test
test: ## everything, as CI runs it: up to 25 minutes on 2 cores
	ran=
	for step in format vet lint unit race fips mutants crash cuts fuzz models; do
		echo "== $$step"
		began=$$SECONDS
		$(MAKE) $$step CUTS=$(if $(filter file,$(origin CUTS)),1500,$(CUTS)) FUZZTIME=$(if $(filter file,$(origin FUZZTIME)),5s,$(FUZZTIME))
		ran+=" $$step $$((SECONDS - began))s,"
	done
	echo "test: passed in $$((SECONDS / 60)) min $$((SECONDS % 60)) s:$${ran%,}"

.PHONY: format
format: ## every file is as gofmt writes it
	wrong=$$(gofmt -l .)
	if [ -n "$$wrong" ]; then echo "not as gofmt writes them: $$wrong"; exit 1; fi

.PHONY: vet
vet: ## go vet, with and without planted faults
	go vet ./...
	go vet -tags faults ./...

.PHONY: lint
lint: ## staticcheck with every check it has; who imports what is layout_test.go's
	go run $(STATICCHECK) -checks all ./...

.PHONY: unit
unit: ## go test ./...
	go test ./...

.PHONY: race
race: ## what works with several goroutines, under the race detector
	go test -race -short $(RACE)

.PHONY: fips
fips: ## cryptography, seals, keys and API with nothing but FIPS 140-3 approved functions
	GODEBUG=fips140=only go test $(FIPS)

.PHONY: mutants
mutants: ## each planted defect is caught by the tests of its packages, which pass without it
	work=$$(mktemp -d)
	trap 'rm -rf "$$work"' EXIT
	for entry in $(MUTANTS); do
		name=$${entry%%=*} package=$${entry#*=}
		binary=$$work/$$(echo $$package | tr -c 'a-z\n' -).test
		if [ ! -e $$binary ]; then
			go test -tags faults -c -o $$binary $$package
			(cd $$package && $$binary -test.short >$$work/out 2>&1) || { cat $$work/out; echo "$$package fails without a defect"; exit 1; }
		fi
		status=0
		(cd $$package && HAVEN_MUTANT=$$name $$binary -test.short -test.timeout 5m >$$work/out 2>&1) || status=$$?
		by=$$(sed -n 's/^--- FAIL: \([A-Za-z0-9_]*\).*/\1/p' $$work/out | head -3 | tr '\n' ' ')
		if [ $$status = 0 ]; then echo "$$name was NOT caught by $$package"; exit 1; fi
		if [ -z "$$by" ]; then cat $$work/out; echo "$$name: $$package ended otherwise than by a failed test"; exit 1; fi
		echo "caught  $$name  by $$by"
	done

.PHONY: crash
crash: ## kill the server under load CYCLES times and look at what is left; prints its seed
	go run ./internal/crashtest/crash -cycles $(CYCLES)

.PHONY: cuts
cuts: ## CUTS simulated power cuts under SQLite and the journal
	HAVEN_CUTS=$(CUTS) go test -count=1 -timeout 60m -run '^TestPowerCuts$$' ./store/embedded

.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME
	out=$$(mktemp)
	trap 'rm -f "$$out"' EXIT
	count=0
	for dir in $$(grep -rl '^func Fuzz' --include='*_test.go' . | xargs -n1 dirname | sort -u); do
		targets=$$(go test -list '^Fuzz' $$dir)
		for target in $$(grep '^Fuzz' <<<"$$targets"); do
			echo "$$dir $$target"
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$dir >$$out || { cat $$out; exit 1; }
			count=$$((count + 1))
		done
	done
	if [ $$count = 0 ]; then echo "no fuzz targets found"; exit 1; fi
	echo "$$count fuzz targets, $(FUZZTIME) each"

.PHONY: models
models: ## the protocol's models: each rule holds, each defect is found
	missing=
	for tool in spin gcc; do command -v $$tool >/dev/null || missing+=" $$tool"; done
	if [ -n "$$missing" ]; then
		echo "installing$$missing"
		$$([ $$(id -u) = 0 ] || echo sudo) apt-get install -y -qq --no-install-recommends $$missing libc6-dev >/dev/null
	fi
	gate/promela/check.sh

.PHONY: bench
bench: ## the benchmarks
	go test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) ./...
