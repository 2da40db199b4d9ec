# The front door. Every target sets up what it needs, so any of them works first on a fresh clone.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: setup demo demo-aws demo-fleet image chaos test prove-recovery lint format bench bench-serving docs clean
.DEFAULT_GOAL := help

help:  ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(READY): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

setup: $(READY)  ## a virtual environment with everything in it

demo: $(READY)  ## four synthetic cameras, the model that ships, events against the truth
	$(BIN)/inferfleet demo --out out/demo

demo-aws: $(READY)  ## the same through Kinesis Video Streams, Kinesis, S3 and DynamoDB on this machine
	$(BIN)/inferfleet demo --aws --out out/demo-aws

demo-fleet: $(READY)  ## a fleet deployed on this machine: rolled out under load, rolled back, scaled, removed (Docker)
	$(BIN)/python tools/docker_engine.py
	$(BIN)/inferfleet demo --fleet --out out/demo-fleet

image: $(READY)  ## the container image for CPUs, and its size
	$(BIN)/python docker/build.py --target cpu

chaos: $(READY)  ## five minutes of killed workers and failing services; says what was lost (0)
	$(BIN)/python -m tests.chaos

test: $(READY)  ## all tests; those of containers too, where there is or can be a Docker engine
	$(BIN)/python tools/docker_engine.py
	$(BIN)/python -m pytest -n auto --dist worksteal

prove-recovery: $(READY)  ## every interleaving of small fleets, and a crash at every call: states explored, violations
	$(BIN)/python -m inferfleet.recovery.prove
	INFERFLEET_ALL_CRASHES=1 $(BIN)/python -m pytest tests/e2e/recovery/test_crashes.py

lint: $(READY)  ## style, types, and the arrows between the parts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(READY)  ## the guides as a site in out/docs, every link checked
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

bench: $(READY)  ## figures, as ratios measured side by side in one run (about half an hour)
	$(BIN)/python benchmarks/run.py

bench-serving: $(READY)  ## the HTTP server beside the tutorial's way, LitServe and mosec (about ten minutes)
	$(BIN)/python benchmarks/serving.py

format: $(READY)  ## rewrite the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove what the other targets made
	rm -rf $(VENV) out .pytest_cache .mypy_cache .ruff_cache
