# Every target makes .venv first, where it is missing or stale (make_env.py); nothing else has to be installed.
#   make nvfp4 ARGS="--gpu=0"    pytest arguments      make env FLAVOUR=cpu    vLLM's CPU build on a machine with a GPU
#   make test PYTHON=python3.12  another interpreter   make lock ARGS=--upgrade
#   make nightly GPU=0,1 ARGS="--family=all --hours=8"      (make itself ends with 2 where that ends with anything but 0)
PYTHON ?= python3
ARGS ?=
FLAVOUR ?=
GPU ?= auto
BIN := .venv/bin

.PHONY: help nvfp4 smollm2 nightly test unit docs mutants recipes lint env lock clean uninstall

help:
	@echo "make nvfp4   gate the NVFP4 checkpoints: pytest -m nvfp4"
	@echo "make smollm2 a real LLM from the package index, in BF16, FP8 and NVFP4: make it and gate it; six minutes on two cores"
	@echo "make nightly the night's run: structure, accuracy over the slots of GPU=0,1, speed, report, history (docs/nightly.md)"
	@echo "make test    lint, and every test that this machine can run"
	@echo "make unit    the harness's own tests that boot no server"
	@echo "make mutants damage checkpoints on purpose, and see what notices (ARGS=--all for all; an hour and more)"
	@echo "make recipes quantize the reference family by every recipe, measure, and put it into one table; half an hour"
	@echo "make lint    ruff, mypy, and the order of imports"
	@echo "make env     .venv alone"
	@echo "make lock    resolve pyproject.toml into constraints/"
	@echo "make clean   remove .venv and the caches in this folder; records and baselines stay"
	@echo "make uninstall  clean, and what is ours outside it: the environments for llm-compressor and the like"

nvfp4: env
	$(BIN)/pytest -m nvfp4 $(ARGS)

smollm2: env
	@$(BIN)/python -m families.smollm2 $(ARGS)

nightly: env
	@$(BIN)/python -m quantgate nightly --gpu=$(GPU) $(ARGS)

test: lint
	$(BIN)/pytest -m "not server" --gpu=cpu -n 2 tests_fixtures
	$(BIN)/pytest -m "server or bf16 or fp8 or nvfp4" $(ARGS)

unit: env
	$(BIN)/pytest -m "not server and not thorough" --gpu=cpu -n 2 $(ARGS) tests_fixtures

mutants: env
	$(BIN)/python -m mutation.score $(ARGS)

recipes: env
	$(BIN)/python -m benchmarks.recipes $(ARGS)

docs: env
	NO_MKDOCS_2_WARNING=1 $(BIN)/uv run --quiet --no-project --with mkdocs-material==9.8.2 mkdocs build --strict --quiet

lint: env
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

env:
	@$(PYTHON) make_env.py $(FLAVOUR)

lock:
	@$(PYTHON) make_env.py lock $(ARGS)

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache

# Shared with other programs and left alone: uv's, vLLM's, Inductor's and the hub's caches; and the folder of locks, which others may hold.
uninstall: clean
	rm -rf "$${QUANTGATE_CACHE:+$$QUANTGATE_CACHE/xdg/quantgate}" "$${XDG_CACHE_HOME:-$$HOME/.cache}/quantgate"
