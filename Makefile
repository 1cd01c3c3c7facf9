# The words people type are the words CI runs: .ci/run is `make test` and nothing else.
# Needs python3 (3.11 or newer), git and make. Everything else goes into .venv; a browser is found or installed.

BIN := .venv/bin
WORKERS ?= 2
PYTEST_ARGS ?=

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup setup-test browser engines demo lab test lint types pytest front-ends bench-steps bench-store \
	bench-browser bench-grid bench-hub bench-vision bench-suite bench-interactive soak soak-suite docs clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' Makefile | expand -t 24

setup: ## the virtual environment with everything a user needs
	@scripts/ensure-venv all

setup-test:
	@scripts/ensure-venv test

browser: setup ## find Chrome, Chromium or Edge with its driver, or install one
	@$(BIN)/python -m jbts_kernel.installation

engines:
	@scripts/ensure-engines

demo: setup browser ## run the example notebooks against a shop on this machine, and show what they recorded
	@$(BIN)/jbts demo

lab: setup browser ## JupyterLab with the JBTS kernel
	@$(BIN)/jbts lab

test: setup-test browser engines lint types pytest front-ends ## everything CI checks

lint: setup-test ## ruff, rules and format
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

types: setup-test ## mypy --strict
	@$(BIN)/mypy

pytest: setup-test browser engines ## the tests; make pytest PYTEST_ARGS="-k shop"
	@$(BIN)/pytest -n $(WORKERS) --dist loadgroup $(PYTEST_ARGS)

front-ends: ## the widgets' own tests, where Node is installed
	@scripts/test-front-ends

bench-steps: setup browser ## what a step costs
	@$(BIN)/python benchmarks/steps.py

bench-store: setup ## what recording costs, and what ten million steps take to ask
	@$(BIN)/python benchmarks/store.py
	@$(BIN)/python benchmarks/chaos.py

bench-browser: setup browser ## what a clean context costs beside a new browser
	@$(BIN)/python benchmarks/browser.py

bench-grid: setup browser engines ## what a step costs through Selenium Grid
	@$(BIN)/python benchmarks/grid.py

bench-hub: setup ## what the hub delivers, beside plain websockets.broadcast
	@$(BIN)/python benchmarks/hub.py

soak: setup browser ## many leases with random deaths: nothing may be left
	@$(BIN)/python benchmarks/soak.py

bench-interactive: setup-test browser ## what a person waits for in JupyterLab, beside bare Selenium with an inline picture
	@$(BIN)/python benchmarks/interactive.py

bench-vision: setup browser ## what looking at a page costs
	@$(BIN)/python benchmarks/vision.py

bench-suite: setup browser ## what a suite costs beside papermill, nbmake, Robot Framework, Playwright, SeleniumBase
	@$(BIN)/python benchmarks/suite.py

soak-suite: setup browser ## 200 notebooks, of which some fail and some kill their kernel
	@$(BIN)/python benchmarks/suite_soak.py

docs: setup ## the reference pages that are made from the code
	@mkdir -p docs
	@$(BIN)/python -m jbts_kernel.verbs.reference
	@$(BIN)/python -m jbts_kernel.vision.reference
	@$(BIN)/python -m jbts_kernel.settings_reference
	@$(BIN)/python -m jbts_kernel.store.schema > docs/store.md.new && mv docs/store.md.new docs/store.md

clean: ## remove what make made; results in .jbts/ stay
	@rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
