# make demo | make up | make test   (see README.md)

SHELL := /bin/bash
.SHELLFLAGS := -e -o pipefail -c

PYTHON ?= python3.11
WORKERS ?= 2
ROUNDS ?= 10
VENV := .venv
READY := $(VENV)/.ready
NN_VENV := .venv-nn
MORPHENE := $(VENV)/bin/morphene

.PHONY: help env demo up test test-properties test-long test-gpu test-nn-runtime
.DEFAULT_GOAL := help

help:
	@echo "make demo [SOURCES=folder]  train Pyroviolin small, end to end, on this CPU"
	@echo "make up                     open the Dagster UI on 127.0.0.1:3000"
	@echo "make test [WORKERS=2]       lint, types, and the whole test suite, two tests at a time"
	@echo "make test-properties [ROUNDS=10]  the property tests, with other examples in each round"
	@echo "make test-long              a hundred kills of a training; a full-size export and its proof"
	@echo "make test-gpu               what can only be tested on a machine with a GPU"
	@echo "make test-nn-runtime        plays an export in the torch of nn~ (2.5.1, several GB)"

env: $(READY)

# The mark is written last: an interrupted installation is taken up again.
$(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing. Install Python 3.11 (Debian:" \
	  "apt install python3.11 python3.11-venv) or say make PYTHON=/path/to/it."; exit 1; }
	@echo "Installing Morphene into $(VENV)/: once, one to four minutes with a fast connection"
	@test -x $(VENV)/bin/pip || $(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); echo \
	  "$(PYTHON) cannot make an environment. Debian: apt install python3.11-venv."; exit 1; }
	@$(VENV)/bin/pip install --no-input -c constraints.txt -e '.[dev]' 2>&1 | tee $(VENV)/install.log \
	  | { n=0; while read -r line; do case "$$line" in \
	    Collecting*) n=$$((n + 1)); [ ! -t 1 ] || printf '\r  collected %d packages ' $$n;; \
	    Installing\ collected*) printf '\n  writing them to disk: about half way\n';; \
	    esac; done; } || { echo; tail -n 5 $(VENV)/install.log; \
	  echo "The installation failed: see $(VENV)/install.log, then run make again."; exit 1; }
	@touch $@

demo: $(READY)
	@$(MORPHENE) demo $(if $(SOURCES),--sources "$(SOURCES)")

up: $(READY)
	@$(MORPHENE) up

test: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/pytest -n $(WORKERS)

# `make test` draws the same examples at every run; here chance looks for what they have missed.
test-properties: $(READY)
	for round in $$(seq $(ROUNDS)); do \
	  $(VENV)/bin/pytest -q -n $(WORKERS) -m hypothesis --hypothesis-profile=search; done

# What takes too long for every day: a hundred kills, and a model at full size.
test-long: $(READY)
	$(VENV)/bin/pytest -s tests/long

test-gpu: $(READY)
	$(VENV)/bin/pytest tests/gpu

# What a user's nn~ runs: libtorch 2.5.1, in an environment of its own. MODEL=file.ts takes an export
# that is there; NN=folder takes nn~ itself from there, and plays in Pure Data, too.
test-nn-runtime: $(READY) $(NN_VENV)/.ready
	MODEL="$(abspath $(MODEL))" NN="$(abspath $(NN))" $(VENV)/bin/pytest -sv \
	  tests/nn_runtime/test_libtorch.py $(if $(NN),tests/nn_runtime/test_pure_data.py)

$(NN_VENV)/.ready:
	$(PYTHON) -m venv --clear $(NN_VENV)
	$(NN_VENV)/bin/pip install --no-input torch==2.5.1 'numpy<2'
	@touch $@
