# Everything a contributor runs. CI runs `.ci/run`, which calls these.
GO ?= go
GOLANGCI ?= $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
ACTIONLINT ?= $(GO) run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
GORELEASER ?= $(GO) run github.com/goreleaser/goreleaser/v2@v2.15.4
FUZZTIME ?= 20s
PEERS ?= 10000

.PHONY: build test race lint vet cross golden docs packages snapshot fuzz accuracy crowd-bench shutdown-check targets matrix

build: ## the binary, ./finwait
	$(GO) build -o finwait ./cmd/finwait

test: ## all tests
	$(GO) test ./...

# Not the runs of the catalogue against every fault: limits of 300 ms do not
# suit the race detector's pace, and the green runs take the same code. Nor the
# tutorial, which runs other programs.
race: ## the tests with the race detector
	$(GO) test -race -p 1 -skip "TestEveryFaultBreaksItsRules|TestTutorial" ./...

vet: ## what needs no tool beyond Go: formatting, vet
	@test -z "$$(gofmt -l .)" || { echo "not gofmt'ed:"; gofmt -l .; exit 1; }
	$(GO) vet ./...

lint: vet ## golangci-lint, with ginkgolinter; actionlint, of the workflow and the action
	$(GOLANGCI) run ./...
	$(ACTIONLINT) .github/workflows/ci.yml

cross: ## the platforms finwait builds on
	GOOS=linux $(GO) build ./... && GOOS=darwin $(GO) build ./... && GOOS=windows $(GO) build ./...

golden: ## rewrite the golden files of the reports, and the words in the vectors of the rules
	$(GO) test ./rules ./reports ./page ./matrix -update

docs: ## rewrite what is generated: the catalogue, the command line, the schema of finwait.yaml
	$(GO) run ./cmd/finwait list --markdown > docs/scenarios.md
	$(GO) run ./cmd/finwait generate --reference > docs/cli.md
	$(GO) run ./cmd/finwait init --schema > docs/finwait.schema.json

packages: ## the action, the component, the image, the formula and the release against their linters; needs Python and Ruby
	python3 -m venv .venv && .venv/bin/pip install --quiet --require-hashes -r packaging/lint.txt
	.venv/bin/check-jsonschema --builtin-schema vendor.github-actions action.yml
	.venv/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/ci.yml
	sed '1,/^---$$/d' templates/finwait.yml | .venv/bin/check-jsonschema --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci --default-filetype yaml -
	.venv/bin/hadolint Dockerfile
	ruby -c packaging/finwait.rb
	$(GORELEASER) check

snapshot: ## what a release consists of, into dist/; needs syft
	$(GORELEASER) release --snapshot --clean

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
