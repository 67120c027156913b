# Everything sets itself up: `make demo` and `make test` work in a fresh clone.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
MADE := $(VENV)/.made
DEMO_STATE ?= .demo

PYENV := $(or $(PYENV_ROOT),$(HOME)/.pyenv)
PYTHON310 ?= $(firstword $(wildcard $(PYENV)/versions/3.10*/bin/python) $(shell command -v python3.10))
VENV310 ?= .venv310
VENV_AGENT ?= .venv-agent
# No process, no network, no file that matters: what a contributor waits for.
PURE_TESTS = $(wildcard $(addprefix tests/,core model analysis wire report golden house))
# The agent's tests that start no controller, and the controller's that need no torch; what only computes is imported by
# these, and tested on one Python.
AGENT_TESTS = $(shell grep -rL --include='test_*.py' -e controller -e "testing[.]\(processes\|jobs\)" tests/agent)
CONTROLLER_TESTS = $(wildcard $(addprefix tests/,core model wire store service client))

.PHONY: help venv venv-agent proto docs check format lint imports types drift test models test-models bindings test-bindings \
  test-mlflow test-py310 print-python310 attack demo bench lab-systemd lab-aarch64 lab-containers lab-container-unit lab-bundle \
  lab-enrolment lab-report clean
.DEFAULT_GOAL := help

help:  ## this list
	@awk -F ':.*  ## ' '/^[a-z0-9-]+:.*  ## / { printf "make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(MADE)  ## make .venv with everything in it

$(MADE): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "PYTHON=$(PYTHON) is too old: 3.10 or newer is needed")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --constraint constraints.txt --editable '.[controller,agent,export,dev]'
	@touch $@

proto: $(MADE)  ## generate the code of proto/jetfleet/v1/*.proto
	$(BIN)/python tests/proto/generate.py proto

docs: $(MADE)  ## write the tables of docs/ that are made from code
	$(BIN)/python -m tests.report.document
	$(BIN)/python -m tests.store.datasette
	$(BIN)/python -m tests.access.document
	$(BIN)/python -m tests.operations.document

check: $(MADE)  ## format, lint, imports, types and the pure tests: half a minute
	@start=$$(date +%s); $(MAKE) --no-print-directory format imports types && \
	$(BIN)/pytest -q $(PURE_TESTS); status=$$?; \
	echo "make check: $$(($$(date +%s) - start)) s"; exit $$status

lint: format imports types drift  ## ruff, mypy, import rules, generated code

format: $(MADE)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

imports: $(MADE)
	$(BIN)/lint-imports

types: $(MADE)
	$(BIN)/mypy

venv-agent: $(VENV_AGENT)/.made  ## make .venv-agent with what a board installs: no controller, no torch

$(VENV_AGENT)/.made: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV_AGENT)
	$(VENV_AGENT)/bin/pip install --constraint constraints.txt --editable '.[agent,onnxruntime]'
	@touch $@

drift: $(MADE)
	@out=$$(mktemp -d) && trap 'rm -rf "$$out"' EXIT && $(BIN)/python tests/proto/generate.py "$$out" && \
	diff -r -x '*.proto' -x __init__.py -x __pycache__ "$$out/jetfleet/v1" proto/jetfleet/v1 || \
	{ echo 'generated code differs from the protos: run make proto'; exit 1; }

# Tests wait more than they compute: three processes, a file in one of them. All must see sets in the same order.
test: $(MADE)  ## all tests, and branch coverage of the pure rooms
	@start=$$(date +%s); \
	PYTHONHASHSEED=0 $(BIN)/pytest --numprocesses=3 --dist=loadfile \
	  --cov=controller.core --cov=controller.model --cov=controller.analysis --cov-branch \
	  --cov-report=term-missing:skip-covered --cov-fail-under=95; status=$$?; \
	echo "make test: $$(($$(date +%s) - start)) s"; exit $$status

attack: $(MADE)  ## the attacks on a fleet, with a table of who tried what and how it was refused; part of the tests
	$(BIN)/pytest -v tests/attack

models: $(VENV)/.models  ## fetch models that other people made, into .models
	$(BIN)/python tests/models/fetch.py .models

$(VENV)/.models: $(MADE)
	$(BIN)/pip install --constraint constraints.txt --editable '.[models]'
	@touch $@

test-models: models  ## put those models through the whole fleet
	$(BIN)/pytest -m models tests/models

bindings: .bindings/.made  ## fetch TensorRT's released Python bindings and stubs of them, into .bindings

.bindings/.made: tests/bindings/fetch.py $(MADE)
	$(BIN)/python tests/bindings/fetch.py .bindings
	@touch $@

test-bindings: .bindings/.made  ## hold the names that the runtime uses against every TensorRT's bindings
	$(BIN)/mypy
	$(BIN)/pytest -s -m bindings tests/bindings

test-mlflow: $(MADE)  ## put the export for MLflow through the real library, which it installs
	$(BIN)/pip install --constraint constraints.txt --editable '.[mlflow]'
	$(BIN)/pytest tests/report/test_mlflow.py

$(VENV310)/.made: pyproject.toml constraints.txt
	@test -n "$(PYTHON310)" || { echo 'no Python 3.10 found: make test-py310 PYTHON310=/path/to/python3.10'; exit 1; }
	$(PYTHON310) -m venv $(VENV310)
	$(VENV310)/bin/pip install --constraint constraints.txt --editable '.[agent,controller,tensorrt-rtx,pipeline]' \
	  pytest pytest-asyncio pytest-timeout hypothesis pandas scipy duckdb datasette
	@touch $@

test-py310: $(VENV310)/.made  ## both halves on JetPack 6's and Ubuntu 22.04's Python, without torch
	$(VENV310)/bin/python -m pytest tests/proto tests/stats $(AGENT_TESTS) $(CONTROLLER_TESTS)

print-python310:
	@echo $(PYTHON310)

demo: $(MADE)  ## two networks on two local agents that differ, compared
	@examples/demo.sh $(BIN) $(DEMO_STATE)

bench: $(MADE)  ## measure the bars and store them in docs/measured; make bench BARS="dispatch blobs" for some
	$(BIN)/python -m benchmarks $(BARS)

lab-systemd: $(MADE)  ## boot machines with the agent as their service, as root; record into docs/measured
	JETFLEET_RECORD=1 $(BIN)/pytest -m lab tests/lab/test_systemd.py tests/lab/test_controller_service.py tests/lab/test_gpu_helper.py

lab-aarch64: $(MADE)  ## the agent on an emulated aarch64, enrolled at a controller here, as root; record into docs/measured
	JETFLEET_RECORD=1 $(BIN)/pytest -m lab tests/lab/test_aarch64.py

lab-containers: $(MADE)  ## build the images and run a fleet of containers, as root; record into docs/measured
	JETFLEET_RECORD=1 $(BIN)/pytest -m lab tests/lab/test_containers.py

lab-container-unit: $(MADE)  ## boot a machine whose service is the agent in a container, as root; record into docs/measured
	JETFLEET_RECORD=1 $(BIN)/pytest -m lab tests/lab/test_container_unit.py

lab-bundle: $(MADE)  ## build, start, break and accept a bundle, in containers and in a booted machine, as root; record into docs/measured
	JETFLEET_RECORD=1 $(BIN)/pytest -m lab tests/lab/test_bundle.py tests/lab/test_bundle_native.py

lab-enrolment: $(MADE)  ## enrol hosts in network namespaces by the printed line, as root; record into docs/measured
	JETFLEET_RECORD=1 $(BIN)/pytest -s -m lab tests/lab/test_enrolment.py

lab-report: $(VENV)/.browser  ## open a report in Chromium, look for what is wrong with it, and keep pictures in docs/images
	JETFLEET_RECORD=1 $(BIN)/pytest -m lab tests/lab/test_report.py

$(VENV)/.browser: $(MADE)
	$(BIN)/pip install --constraint constraints.txt --editable '.[browser]'
	@touch $@

clean:  ## remove environments, caches and the demo
	rm -rf $(VENV) $(VENV310) $(VENV_AGENT) $(DEMO_STATE) .lab .models .bindings examples/digits/trained .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .import_linter_cache .coverage build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
