# These are the commands for contributors. CI runs `.ci/run`, which calls them.
GO ?= go
GOLANGCI ?= $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
ACTIONLINT ?= $(GO) run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
GORELEASER ?= $(GO) run github.com/goreleaser/goreleaser/v2@v2.15.4
FUZZTIME ?= 20s
PEERS ?= 10000

.PHONY: build test race lint vet cross golden docs packages snapshot fuzz accuracy crowd-bench shutdown-check remote-check targets matrix

build: ## build the binary, ./finwait
	$(GO) build -o finwait ./cmd/finwait

test: ## run all tests
	$(GO) test ./...

# This leaves out the runs of the catalogue against every fault. Their limits of 300 ms
# are too short for the race detector, and the runs without a fault cover the same code.
# It also leaves out the tutorial, which runs other programs. The packages run one after
# another: the race detector makes them several times slower, and peers has limits of 200 ms.
race: ## run the tests with the race detector
	$(GO) test -race -p 1 -skip "TestEveryFaultBreaksItsRules|TestTutorial" ./...

vet: ## check formatting and run go vet; needs only Go
	@test -z "$$(gofmt -l .)" || { echo "not gofmt'ed:"; gofmt -l .; exit 1; }
	$(GO) vet ./...

lint: vet ## run golangci-lint, with ginkgolinter, and actionlint for the workflow and the action
	$(GOLANGCI) run ./...
	$(ACTIONLINT) .github/workflows/ci.yml

cross: ## build for each supported platform
	GOOS=linux $(GO) build ./... && GOOS=darwin $(GO) build ./... && GOOS=windows $(GO) build ./...

golden: ## rewrite the golden files of the reports, and the words in the vectors of the rules
	$(GO) test ./rules ./reports ./page ./matrix -update

docs: ## rewrite the generated pages: the catalogue, the command line, the schema of finwait.yaml
	$(GO) run ./cmd/finwait list --markdown > docs/scenarios.md
	$(GO) run ./cmd/finwait generate --reference > docs/cli.md
	$(GO) run ./cmd/finwait init --schema > docs/finwait.schema.json

packages: ## check the action, the component, the image, the formula and the release with their linters; needs Python and Ruby
	python3 -m venv .venv && .venv/bin/pip install --quiet --require-hashes -r packaging/lint.txt
	.venv/bin/check-jsonschema --builtin-schema vendor.github-actions action.yml
	.venv/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/ci.yml
	sed '1,/^---$$/d' templates/finwait.yml | .venv/bin/check-jsonschema --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci --default-filetype yaml -
	.venv/bin/hadolint Dockerfile
	ruby -c packaging/finwait.rb
	$(GORELEASER) check

snapshot: ## build the files of a release into dist/; needs syft
	$(GORELEASER) release --snapshot --clean

fuzz: ## run every fuzz target for $(FUZZTIME)
	@for p in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
		echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x $$p || exit 1; done; done

accuracy: ## compare finwait's times with a packet capture and the server's own log; needs tcpdump and the right to capture
	$(GO) run ./accuracy -runs 3

crowd-bench: ## compare $(PEERS) peers with the server's own log, and measure memory and rate; Linux
	$(GO) run ./accuracy -crowd $(PEERS)

shutdown-check: ## compare soft and hard shutdowns of npm ws with a log of ss(8)
	$(GO) run ./accuracy -ss targets/ws-shutdown-soft
	$(GO) run ./accuracy -ss targets/ws-shutdown-hard

TARGETS ?= $(addprefix targets/,ws-8 ws-7 websocket-node gorilla coder python-websockets python-aiohttp jetty axum) reference reference/all

# One run takes about a minute for each real server, and half of it for each fault.
remote-check: ## compare verdicts from beside a server with those from another network namespace; Linux, root
	$(GO) run ./accuracy/remote $(TARGETS)

targets: ## install the real servers, and say which cannot be installed
	$(GO) run ./cmd/finwait matrix install targets/*

matrix: ## run the catalogue against them, three times each, and write docs/matrix.md; continues an interrupted run
	$(GO) run ./cmd/finwait matrix targets/* --runs 3 -j 4 --json matrix.json --markdown docs/matrix.md
