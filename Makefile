# Every task of the course by name; `make help` lists them. Without make, see README.md.
PYTHON ?= python3
PADDLE ?= auto
VENV ?= .venv
PORT ?= 8888
BROWSER ?= 1
JOBS ?= auto

# Kernels start in notebooks/, so a relative PALM_DATA would mean another folder there.
ifdef PALM_DATA
export PALM_DATA := $(abspath $(PALM_DATA))
endif
# This clone's kernel, whatever kernels are installed for the user; no warning about debugging.
export JUPYTER_PREFER_ENV_PATH := 1
export PYDEVD_DISABLE_FILE_VALIDATION := 1
export PYTHONUTF8 := 1

BIN := $(VENV)/bin
RUN := $(BIN)/python -m palm_utils
ROOT_FLAG := $(if $(filter 0,$(shell id -u)),--allow-root)

.DEFAULT_GOAL := help
.PHONY: help setup lab test test-unit test-notebooks test-compat run data doctor lint clean

help: ## list the tasks
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | \
	 while IFS="	" read -r task what; do printf '  make %-15s %s\n' "$$task" "$$what"; done

setup: ## make .venv and install everything (PYTHON=python3.12, PADDLE=cpu|gpu)
	@$(PYTHON) tools/setup_env.py --venv $(VENV) --paddle $(PADDLE)

lab: setup ## open JupyterLab on the course (PORT=8888, BROWSER=0 for a server without a window)
	@$(RUN) data prepare-sample
	$(BIN)/jupyter lab --notebook-dir=notebooks --port=$(PORT) --LabApp.news_url=None \
	  $(if $(filter 0,$(BROWSER)),--no-browser) $(ROOT_FLAG)

test: setup ## re-execute every notebook on the tiny sample, and run the unit tests
	@PALM_SAMPLE=tiny $(RUN) data prepare-sample
	PALM_SAMPLE=tiny $(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile \
	  --nbval-lax --nbval-current-env --nbval-cell-timeout=600 notebooks tests

lint: setup ## check code and notebooks with ruff
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
