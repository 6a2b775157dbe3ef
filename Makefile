# `make TASK` is `python course.py TASK`, which does the work on every system alike; `make` alone lists the tasks.
# Variables: make lab PORT=8890 CH=03 PYTHON=python3.12; see VARIABLES in course.py.
PYTHON ?= $(if $(filter Windows_NT,$(OS)),python,python3)
VARIABLES := CH PADDLE VENV LOCKED READY PORT BROWSER JOBS RUN_JOBS KEEP AGAIN ROUNDS QUICK ROWS CASES
# Asked for no Python in particular, set-up keeps the one that the environment has.
ASKED := $(if $(filter file,$(origin PYTHON)),,PYTHON) $(VARIABLES)

TASKS := $(or $(MAKECMDGOALS),help)
.PHONY: $(TASKS)
$(TASKS):
	@"$(PYTHON)" course.py $@ $(foreach v,$(ASKED),$(if $($(v)),"$(v)=$($(v))"))
