# Every target makes its own set-up; once that is done it costs nothing.
#   make demo ARGS="--yes --style art-deco"      make test ARGS="-k setup"
ROOT := $(shell cd "$$(dirname "$(strip $(MAKEFILE_LIST))")" && pwd)
IN := cd "$(ROOT)" &&
PY := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help setup demo serve test check fix eval bench chaos train

help:            ## what there is
	@$(IN) sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 16

setup:           ## .venv, ready to use (TORCH=auto: the torch build for this machine's GPU)
	@$(IN) bash setup.sh

demo: setup      ## a sketch and a sentence become a picture, step by step
	@$(IN) bash artisan demo $(ARGS)

serve: setup     ## the server on http://127.0.0.1:8000
	@$(IN) bash artisan serve $(ARGS)

test: setup      ## the test suite
	@$(IN) $(PY) -m pytest $(ARGS)

check: setup     ## format, lint, types, architecture
	@$(IN) $(PY) -m ruff format --check .
	@$(IN) $(PY) -m ruff check .
	@$(IN) $(PY) -m mypy
	@$(IN) $(PY) -m pytest -q tests/test_architecture.py

fix: setup       ## format, and mend what the linter can
	@$(IN) $(PY) -m ruff format .
	@$(IN) $(PY) -m ruff check --fix .

eval: setup      ## every eval suite, a few cases each, and the gate (full: ./artisan eval run)
	@$(IN) bash artisan eval run --quick --gate $(ARGS)

bench: setup     ## the numbers in README.md, measured on this machine
	@$(IN) $(PY) -m evals.bench $(ARGS)

chaos: setup     ## kill a real server at random moments, N conversations long
	@$(IN) PYTHONPATH=.:tests $(PY) tests/chaos.py $(or $(N),100)

train: setup     ## make the starter pack again, from the procedural world
	@$(IN) $(PY) -m training.train $(ARGS)
