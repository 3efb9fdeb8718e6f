# `make run` and `make test` set everything up themselves. What is built or downloaded once and shared by
# checkouts lies under CACHE.
CACHE ?= $(HOME)/.cache/voyager-llm
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
# Compiled modules halve the start of every process; some environments turn them off.
export PYTHONDONTWRITEBYTECODE =
export VOYAGER_CACHE = $(CACHE)
UV = $(shell command -v uv 2>/dev/null || echo $(CACHE)/uv/bin/uv)
# The one way to make requirements.lock of pyproject.toml. `audit` asks whether it would still make the same.
COMPILE = $(UV) pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header

.PHONY: run test test-fast test-serve test-k8s demo-k8s check audit sbom gen bench lock setup programs clean help

help:
	@echo "make run        run the service on this machine (HTTP 8000, gRPC 9000)"
	@echo "make test       all tests            make test-fast  unit and contract tests, for the inner loop"
	@echo "make check      linters and types    make gen        generated code, out of proto/"
	@echo "make bench      benchmarks against the peers (about 15 minutes)"
	@echo "make test-k8s   everything of Kubernetes, against a real API server"
	@echo "make demo-k8s   the whole path on this machine: kubectl, controller, Serve, Envoy"
	@echo "make audit      what is installed is what was locked, wanted and accepted (part of check)"
	@echo "make sbom       bill of materials (CycloneDX) of what the service runs with"
	@echo "make lock       lock the newest allowed dependencies that are a week old"

run: setup
	@exec $(BIN)/voyager-llm up

test: programs
	$(BIN)/python -m pytest tests

test-fast: programs
	$(BIN)/python -m pytest tests/unit tests/contract

test-serve: setup
	$(BIN)/python -m pytest tests/serve

test-k8s: programs
	$(BIN)/python -m pytest tests/crd tests/controller tests/kuberay tests/kubernetes tests/envoy

demo-k8s: programs
	@$(BIN)/python -m scripts.kubernetes.demo

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m scripts.check_files
	$(BIN)/python -m scripts.check_generated
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright
	@$(MAKE) --no-print-directory audit

# The service may import what it declares for run time alone; tests and tools, what is declared at all.
audit: setup
	$(BIN)/deptry voyager_llm deployments evals serve_app controller
	$(BIN)/deptry scripts tests benchmarks --ignore DEP002,DEP004
	$(BIN)/python -m scripts.supply.audit $(COMPILE)

sbom: setup
	@$(BIN)/python -m scripts.supply.sbom

gen: setup
	$(BIN)/python -m scripts.generate

bench: setup
	$(BIN)/python -m benchmarks.run

setup: $(STAMP)

# kube-apiserver, etcd, kubectl, helm, kustomize and KubeRay's operator, built once into CACHE (eight minutes).
programs: setup
	@$(BIN)/python -m scripts.kubernetes.binaries >/dev/null

$(STAMP): requirements.lock pyproject.toml scripts/bootstrap.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
		{ echo "Python 3.11 is needed; say where it is: make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x "$(UV)" || { echo "installing uv into $(CACHE)/uv"; \
		$(PYTHON) -m venv $(CACHE)/uv && \
		$(CACHE)/uv/bin/pip install --quiet --require-hashes -r scripts/bootstrap.lock; }
	@test -d .venv || $(UV) venv --quiet --python $(PYTHON) .venv
	@echo "installing dependencies (about 1.3 GB; a few minutes the first time)"
	$(UV) pip sync --python $(BIN)/python --require-hashes requirements.lock
	$(UV) pip install --python $(BIN)/python --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# Most malicious releases are found within hours: a release is taken once it is a week old.
lock:
	$(COMPILE) --upgrade --exclude-newer "7 days" --quiet -o requirements.lock

clean:
	rm -rf .venv build *.egg-info .pytest_cache .ruff_cache .hypothesis benchmarks/.work
