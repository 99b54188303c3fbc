# What can be run here: "make help". Go is all it needs; Debian's spin and gcc for the models, strace
# for failing disks, openssl, maven and a JDK for interoperability, python3-venv with an emulator of
# AWS, and nodejs and npm with a simulator of IAM, are installed when missing.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.SILENT:
MAKEFLAGS += --no-print-directory

# Pinned, so that the same tree is judged the same way everywhere.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
MOTO := 5.2.5
MYPY := 1.13.0
SIMULATOR := @cloud-copilot/iam-simulate@0.1.173

CYCLES ?= 200
KILLS ?= 200
CUTS ?= 20000
COUNT ?= 1000000
YEARS ?= 10,10000,500
FUZZTIME ?= 60s
SEED := $(or $(SEED),$(shell date +%s))
BENCHTIME ?= 1s

PEER := internal/crypt/interop
RACE := ./gate/... ./keys/... ./rotation ./store/... ./server/... ./client/... ./api/...
CACHE := $${XDG_CACHE_HOME:-$$HOME/.cache}/haven-tests
FIPS := ./internal/crypt ./internal/secret ./internal/blob ./internal/sigv4 ./seal ./keys/... ./api/...

# need installs Debian packages whose tools are missing: TOOL, or TOOL=PACKAGE where their names differ.
define need
missing=
for tool in $(1); do command -v $${tool%=*} >/dev/null || missing+=" $${tool#*=}"; done
if [ -n "$$missing" ]; then
	echo "installing$$missing"
	as=$$([ $$(id -u) = 0 ] || echo sudo)
	$$as apt-get update -qq
	$$as apt-get install -y -qq --no-install-recommends $$missing libc6-dev >/dev/null
fi
endef

# venv makes the folder $(1) of the cache a Python environment with the packages $(2), once.
define venv
folder=$(CACHE)/$(1)
if ! [ -e "$$folder/complete" ]; then
	echo "installing $(2) in $$folder"
	rm -rf "$$folder"
	python3 -m venv "$$folder"
	"$$folder/bin/pip" install -q --disable-pip-version-check $(2)
	touch "$$folder/complete"
fi
endef

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
	for step in format vet lint vectors interop oracle python unit race fips mutants crash rotations cuts fuzz models; do
		echo "== $$step"
		began=$$SECONDS
		$(MAKE) $$step KILLS=$(if $(filter file,$(origin KILLS)),50,$(KILLS)) CUTS=$(if $(filter file,$(origin CUTS)),1500,$(CUTS)) FUZZTIME=$(if $(filter file,$(origin FUZZTIME)),5s,$(FUZZTIME))
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
lint: ## staticcheck with the checks that staticcheck.conf allows; who imports what is layout_test.go's
	go run $(STATICCHECK) ./...

# The version that the POM pins is in the jar's name, which the test looks for.
.PHONY: vectors
vectors: ## published test vectors: how many of each file ran, are answered as pinned, do not apply
	out=$$(mktemp)
	trap 'rm -f "$$out"' EXIT
	go test -count=1 -v -run '^Test(Wycheproof|CCTVEd25519|HPKEVectors)$$' ./internal/crypt >$$out || { cat $$out; exit 1; }
	sed -n 's,^ *[a-z]*_test.go:[0-9]*: ,,p' $$out
	awk '/: ran / { gsub(",", ""); for (i = 1; i < NF; i++) { if ($$i == "ran") r += $$(i+1); if ($$i == "pinned") p += $$(i+1); if ($$i == "applicable") n += $$(i+1) } }
		END { if (!r) exit 1; printf "vectors: ran %d, pinned %d, not applicable %d, wrong 0\n", r, p, n }' $$out

.PHONY: interop
interop: ## what OpenSSL, Bouncy Castle, Tink and go-jose understand of Haven's keys, and Haven of theirs
	$(call need,openssl mvn=maven javac=default-jdk-headless)
	if [ $(PEER)/pom.xml -nt $(PEER)/target/fetched ]; then
		rm -rf $(PEER)/target
		mvn -q -B -f $(PEER)/pom.xml dependency:copy-dependencies
		touch $(PEER)/target/fetched
	fi
	out=$$(mktemp)
	trap 'rm -f "$$out"' EXIT
	HAVEN_CI=1 go test -count=1 -v -run '^Test(OpenSSL|BouncyCastle|Tink|JOSE)$$' ./internal/crypt >$$out || { cat $$out; exit 1; }
	printf '%-20s %-30s %6s %6s %8s\n' peer algorithm ours theirs altered
	sed -n 's/^ *interop_test.go:[0-9]*: //p' $$out
	awk '/ interop_test.go/ { ours += $$(NF-2); theirs += $$(NF-1); altered += $$NF }
		END { if (!ours) exit 1; print "interop: " ours " of ours read there, " theirs " of theirs read here, " altered " altered refused" }' $$out

.PHONY: emulators
emulators: ## what stands in for AWS in tests: moto, in a cache outside this tree
	$(call need,$$(python3 -c 'import ensurepip' 2>/dev/null || echo python3-venv))
	$(call venv,moto-$(MOTO),'moto[server]==$(MOTO)')
	echo "export HAVEN_MOTO=$(CACHE)/moto-$(MOTO)/bin/moto_server"

# The simulator's licence is AGPL: it is run beside as a process of its own, and nothing of it is kept here.
.PHONY: oracle
oracle: ## decisions about keys against a public simulator of IAM, which is installed in a cache outside this tree
	$(call need,node=nodejs npm)
	folder=$(CACHE)/$(notdir $(SIMULATOR))
	if ! [ -e "$$folder/complete" ]; then
		echo "installing $(SIMULATOR) in $$folder"
		rm -rf "$$folder" && mkdir -p "$$folder"
		npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$$folder" $(SIMULATOR)
		touch "$$folder/complete"
	fi
	HAVEN_ORACLE="$$folder" HAVEN_CI=1 go test -count=1 -run '^TestOracle$$' -v ./access | grep -v '^=== '

.PHONY: unit
unit: emulators ## go test ./..., with more random sequences of the whole system, and with emulators
	HAVEN_MOTO=$(CACHE)/moto-$(MOTO)/bin/moto_server HAVEN_SEQUENCES=2000 HAVEN_EXPRESSIONS=100000 go test ./...

.PHONY: race
race: ## what works with several goroutines, under the race detector
	go test -race -short $(RACE)

.PHONY: fips
fips: ## cryptography, seals, keys and API with nothing but what FIPS 140-3 approves, by each of Go's modules
	for module in certified inprocess latest; do
		echo "module $$module"
		GOFIPS140=$$module GODEBUG=fips140=only HAVEN_SEQUENCES=100 go test $(FIPS)
	done

.PHONY: pairwise
pairwise: ## a whole process is asked every pair of values of every parameter, drawn by SEED; 4 minutes; go test asks some
	echo "SEED=$(SEED)"
	HAVEN_PAIRWISE=$(SEED) go test -count=1 -timeout 30m -run '^TestNeverDies$$' -v ./internal/pairwise | grep -v '^=== '

.PHONY: policies
policies: ## COUNT random policies and requests, drawn by SEED: decisions against rules written a second time; 1 minute
	echo "HAVEN_SEED=$(SEED)"
	HAVEN_SEED=$(SEED) HAVEN_POLICIES=$(COUNT) go test -count=1 -timeout 60m -run '^TestLesson05' -v ./access | grep -v '^=== '

.PHONY: python
python: ## the Python client: its types, its tests, and the code of the text that Haven implements, against haven dev
	$(call need,python3)
	$(call need,$$(python3 -c 'import ensurepip' 2>/dev/null || echo python3-venv))
	$(call venv,mypy-$(MYPY),'mypy==$(MYPY)')
	text=$${HAVEN_VECTORS:-$(CURDIR)/../shared/vectors}/../seed/key-management-system.md
	work=$$(mktemp -d)
	trap 'kill $$(jobs -p) 2>/dev/null; wait; rm -rf $$work' EXIT
	go build -o $$work/haven ./cmd/haven
	$$work/haven dev --data $$work/data --listen 127.0.0.1:0 >$$work/log 2>&1 &
	until [ -e $$work/data/ready.json ]; do kill -0 $$! || { cat $$work/log; exit 1; }; done
	cd clients/python
	"$$folder/bin/mypy" haven_keys
	HAVEN_DATA=$$work/data HAVEN_TEXT=$$text python3 -B -W error::ResourceWarning -m unittest discover -s tests 2>&1 | tail -n 20
	[ $${PIPESTATUS[0]} = 0 ]

.PHONY: years
years: ## YEARS of daily checks by several schedulers that are killed at random: 10 years of 10,000 keys in memory and 500 on disk; minutes
	HAVEN_YEARS=$(YEARS) go test -count=1 -timeout 120m -run '^TestYears$$' -v ./rotation

.PHONY: mutants
mutants: ## each planted defect is caught by the test that mutants_test.go names for it
	out=$$(mktemp)
	trap 'rm -f "$$out"' EXIT
	packages=$$(find . -name mutants_test.go | xargs -n1 dirname)
	go test -tags faults -count=1 -v -run '^TestMutantsAreCaught$$' $$packages >$$out || { cat $$out; exit 1; }
	sed -n 's,^ *--- PASS: TestMutantsAreCaught/\([^ ]*\).*,caught  \1,p' $$out

.PHONY: crash
crash: ## kill the server under load CYCLES times and look at what is left; as root let its disk fail too
	disks=false
	if [ $$(id -u) = 0 ]; then
		$(call need,strace)
		disks=true
	fi
	go run ./internal/crashtest/crash -cycles $(CYCLES) -disks=$$disks

.PHONY: rotations
rotations: ## root key, masters and keys rotated in turn under load, with KILLS kills: everything decrypts
	go run ./internal/crashtest/crash -cycles 0 -disks=false -rotations $(KILLS)

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
			count=$$((count + 1))
			# Go 1.26 may end a run that found nothing with the run's own deadline as its error
			# (go.dev/issue/75804, mended in 1.27): such a run does not count and is made again.
			for attempt in 1 2 3; do
				go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$dir >$$out && continue 2
				if grep -q 'Failing input written' $$out || ! grep -qx '    context deadline exceeded' $$out; then break; fi
			done
			cat $$out
			exit 1
		done
	done
	if [ $$count = 0 ]; then echo "no fuzz targets found"; exit 1; fi
	echo "$$count fuzz targets, $(FUZZTIME) each"

.PHONY: models
models: ## the protocol's models: each rule holds, each defect is found
	$(call need,spin gcc)
	gate/promela/check.sh

.PHONY: bench
bench: ## the benchmarks
	go test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) ./...
