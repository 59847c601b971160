# Everything a contributor runs. CI runs `.ci/run`, which calls these.
GO ?= go
GOLANGCI ?= $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
ACTIONLINT ?= $(GO) run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
FUZZTIME ?= 20s
PEERS ?= 10000

.PHONY: build test race lint vet cross golden docs fuzz accuracy crowd-bench shutdown-check targets matrix

build: ## the binary, ./finwait
	$(GO) build -o finwait ./cmd/finwait

test: ## all tests
	$(GO) test -p 1 ./...

race: ## all tests with the race detector
	$(GO) test -race ./...

vet: ## what needs no tool beyond Go: formatting, vet
	@test -z "$$(gofmt -l .)" || { echo "not gofmt'ed:"; gofmt -l .; exit 1; }
	$(GO) vet ./...

lint: vet ## golangci-lint, with ginkgolinter; actionlint, of the workflow and the action
	$(GOLANGCI) run ./...
	$(ACTIONLINT) .github/workflows/ci.yml

cross: ## the platforms finwait builds on
	GOOS=linux $(GO) build ./... && GOOS=darwin $(GO) build ./... && GOOS=windows $(GO) build ./...

golden: ## rewrite the golden files of the reports
	$(GO) test ./reports/... ./matrix -update

docs: ## rewrite what is generated: the catalogue, the command line, the schema of finwait.yaml
	$(GO) run ./cmd/finwait list --markdown > docs/scenarios.md
	$(GO) run ./cmd/finwait generate --reference > docs/cli.md
	$(GO) run ./cmd/finwait init --schema > docs/finwait.schema.json

fuzz: ## every fuzz target, $(FUZZTIME) each
	@for p in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
		echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x $$p || exit 1; done; done

accuracy: ## finwait's times against a packet capture and the server's own log; needs tcpdump and the right to capture
	$(GO) run ./accuracy -runs 3

crowd-bench: ## $(PEERS) peers against the server's own log, in time, memory and rate; Linux
	$(GO) run ./accuracy -crowd $(PEERS)

shutdown-check: ## what soft and hard shutdowns of npm ws do, against a log of ss(8)
	$(GO) run ./accuracy -ss targets/ws-shutdown-soft
	$(GO) run ./accuracy -ss targets/ws-shutdown-hard

targets: ## install the real servers, and tell which cannot be
	$(GO) run ./cmd/finwait matrix install targets/*

matrix: ## the catalogue against them, three times each; writes docs/matrix.md, and goes on where it was interrupted
	$(GO) run ./cmd/finwait matrix targets/* --runs 3 -j 4 --json matrix.json --markdown docs/matrix.md
