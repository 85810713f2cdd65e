# make demo | make test | make up   (see README.md)

PYTHON ?= python3.11
VENV := .venv
READY := $(VENV)/.ready
MORPHENE := $(VENV)/bin/morphene

.PHONY: demo test up env clean-demo
.DEFAULT_GOAL := help

help:
	@echo "make demo [SOURCES=folder]  train Pyroviolin small, end to end, on this CPU"
	@echo "make up                     open the Dagster UI on 127.0.0.1:3000"
	@echo "make test                   lint, types, and the whole test suite"

env: $(READY)

# The mark is written last: an interrupted installation is taken up again.
$(READY): pyproject.toml constraints.txt
	@bash scripts/make-env $(PYTHON) $(VENV)
	@touch $@

demo: $(READY)
	@$(MORPHENE) demo $(if $(SOURCES),--sources "$(SOURCES)")

up: $(READY)
	@$(MORPHENE) up

test: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/pytest
