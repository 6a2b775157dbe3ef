# Every task of the course by name; `make help` lists them. Without make, see README.md.
PYTHON ?= python3
PADDLE ?=
VENV ?= .venv
PORT ?= 8888
BROWSER ?= 1
JOBS ?= auto
RUN_JOBS ?= 1
CH ?=
AGAIN ?=
KEEP ?=
LOCKED ?=
CASES ?=
ROWS ?=
ROUNDS ?=
QUICK ?=

# This clone's kernel comes before one of the same name that is installed for the user.
export JUPYTER_PREFER_ENV_PATH := 1
export PYTHONUTF8 := 1

BIN := $(VENV)/bin
RUN := "$(BIN)/python" -m palm_utils
# One worker a notebook: nbval keeps a kernel for each, and splitting one over workers fails.
PYTEST := "$(BIN)/python" -m pytest -q -n $(JOBS) --dist loadfile
# The time-out is for a dead kernel, which nbval would otherwise wait for.
NBVAL := --nbval-lax --nbval-current-env --nbval-cell-timeout=900
# Asked for no Python in particular, set-up keeps the one that the environment has.
KEEP_PYTHON := $(if $(filter file,$(origin PYTHON)),--any-python)
LOCK = $(if $(LOCKED),--requirements requirements-lock.txt)
# Jupyter, PaddlePaddle and others write below the home folder; where that cannot be, they get one of this user's
# below the temporary folder.
ifneq ($(OS),Windows_NT)
ifeq ($(shell test -w "$${HOME:-/nowhere}" && echo yes),)
export HOME := $(shell d="$${TMPDIR:-/tmp}/palm-home-$$(id -u)"; mkdir -p -m 700 "$$d" && test -O "$$d" && echo "$$d")
endif
endif

# The notebooks whose names start with the words in CH; all of them by default.
CHAPTERS = $(if $(CH),$(foreach c,$(CH),$(or $(wildcard notebooks/$(c)*.ipynb),$(error no chapter starts with $(c)))),notebooks)
ALLOW_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

.DEFAULT_GOAL := help
.PHONY: help setup lab progress reset update test test-unit test-notebooks test-compat test-hard test-matrix run course results data doctor bench book test-browser messages sync-zh lint clean

help: ## list the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make .venv and install everything (PYTHON=python3.12, PADDLE=cpu|gpu, LOCKED=1 for exact versions)
	@$(if $(READY),true,$(PYTHON) tools/setup_env.py --venv "$(VENV)" --paddle "$(PADDLE)" $(KEEP_PYTHON) $(LOCK))

lab: setup ## open JupyterLab on the course (PORT=8888, BROWSER=0 for a server without a window)
	@$(RUN) data sample --if-needed
	"$(BIN)/jupyter" lab --notebook-dir=notebooks --port=$(PORT) --LabApp.news_url=None \
	  $(if $(filter 0,$(BROWSER)),--no-browser) $(ALLOW_ROOT)

test: setup ## re-execute every notebook on the tiny sample, and run the unit tests
	@PALM_SAMPLE=tiny $(RUN) data sample --if-needed
	PALM_SAMPLE=tiny PALM_EPOCHS=1 PALM_BATCHES=1 $(PYTEST) $(NBVAL) notebooks tests

test-unit: setup ## the unit tests alone
	PALM_SAMPLE=tiny $(PYTEST) tests

test-notebooks: setup ## the notebooks alone (CH=02 for one)
	@PALM_SAMPLE=tiny $(RUN) data sample --if-needed
	PALM_SAMPLE=tiny PALM_EPOCHS=1 PALM_BATCHES=1 $(PYTEST) $(NBVAL) $(CHAPTERS)

test-compat: ## all tests with PaddlePaddle 2.6.2, the newest GPU build on PyPI
	@$(PYTHON) tools/setup_env.py --venv .venv-compat --requirements requirements-compat.txt
	@$(MAKE) --no-print-directory test VENV=.venv-compat READY=1

test-hard: setup ## slow tests: strange paths, rights, full disks, no network; killed, interrupted, at once, twice
	PALM_HARD=1 PALM_SAMPLE=tiny $(PYTEST) tests/hard

test-matrix: ## all tests with other versions of Python, PaddlePaddle and the rest, an hour (CASES="oldest locked")
	@$(PYTHON) tools/setup_env.py --venv .venv-nox --requirements tools/requirements-nox.txt
	.venv-nox/bin/nox $(if $(CASES),-s $(foreach case,$(CASES),"tests($(case))"))

progress: setup ## show which exercises are done (CH=03 for one chapter)
	@$(RUN) progress $(CH)

reset: setup ## put a fresh chapter in place, yours stays beside it (CH=03, KEEP=1 carries your answers over)
	@$(RUN) reset $(or $(CH),$(error say which chapter: make reset CH=03)) $(if $(KEEP),--keep-answers)

update: setup ## get the newest version of the course and keep your answers
	@$(RUN) update
	@$(MAKE) --no-print-directory setup

run: setup ## execute the chapters into build/notebooks (CH=02 for one), on the real data where it is
	@$(RUN) run $(CH) --jobs $(RUN_JOBS)

course: setup ## make the chapters' outputs again, in place, on the real data (CH=03, RUN_JOBS=2, AGAIN=1)
	@$(RUN) course $(CH) --jobs $(RUN_JOBS) $(if $(AGAIN),--again)

results: setup ## measure both recipes of each network on the real data, what is not stored yet (RUN_JOBS=2)
	@$(RUN) results --jobs $(RUN_JOBS) $(if $(AGAIN),--again)

data: setup ## show where each data set is; `.venv/bin/python -m palm_utils data --help` gets the real ones
	@$(RUN) data

doctor: setup ## check Python, packages, device, data and disk
	@$(RUN) doctor

sync-zh: setup ## bring the Chinese edition in step with the English one, list what to translate
	"$(BIN)/python" tools/sync_zh.py

bench: setup ## measure how fast the course is, about 70 minutes (ROWS="reader steps", QUICK=1 to see that it runs)
	@PIP_RETRIES=1 $(PYTHON) tools/setup_env.py --venv .venv-bench --requirements benchmarks/requirements.txt $(KEEP_PYTHON)
	@"$(BIN)/python" -m benchmarks $(ROWS) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(QUICK),--quick)

book: ## make the reading copy: both editions with their stored outputs, a static site in build/book
	@$(PYTHON) tools/setup_env.py --venv .venv-book --requirements book/requirements.txt
	.venv-book/bin/python book/build.py

test-browser: setup book ## open the book, and JupyterLab, in a real browser (Debian: apt install chromium)
	@$(PYTHON) tools/setup_env.py --venv .venv-browser --requirements tests/browser/requirements.txt
	LAB_VENV="$(VENV)" .venv-browser/bin/python -m pytest -q -c tests/browser/pytest.ini tests/browser

messages: setup ## bring the translations of palm_utils up to date with the code
	@mkdir -p build
	"$(BIN)/pybabel" -q extract --no-default-keywords -k tr -k trn:1,2 -k mark -k Mistake -k Text \
	  -k CourseError -k DataError -k DataNotFound -k DownloadError -k WrongArgument -k TrainingDiverged -k TrainingDiverged -k NotSaved \
	  -k UnsafePickle -k UnreadableNotebook -k NotebookFailed -k GitFailed -k ClaimFailed --add-location=file \
	  --sort-by-file --width=110 -o build/palm_utils.pot palm_utils palm_course
	"$(BIN)/pybabel" -q update -i build/palm_utils.pot -d palm_utils/locale -D palm_utils --no-fuzzy-matching \
	  --ignore-obsolete --ignore-pot-creation-date --width=110
	"$(BIN)/pybabel" compile -d palm_utils/locale -D palm_utils --statistics

lint: setup ## check code and notebooks with ruff
	"$(BIN)/ruff" check .
	"$(BIN)/ruff" format --check .

clean: ## remove what can be made again: environments, builds, the sample (never your data or notebooks)
	rm -rf .venv .venv-compat .venv-bench .venv-book .venv-browser build data/sample .pytest_cache .ruff_cache *.egg-info
