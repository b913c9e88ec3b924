# Every target sets itself up: from a fresh clone it needs only make and Python 3.11 to 3.13.
# PYTHON=/path/to/python chooses the interpreter; ARGS="…" is passed on to JupyterLab by `make lab`.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help lab test test-browser grade doctor notebooks build format clean

python := .venv/bin/python
lesson := $(python) -m lessonlib.cli

# tools/bootstrap.py chooses the interpreter; any that runs, however old, will do to start it.
define set_up
@for python in "$$PYTHON" python3.13 python3.12 python3.11 python3 python python2; do \
  if [ -n "$$python" ] && "$$python" -c "" >/dev/null 2>&1; then \
    exec "$$python" tools/bootstrap.py $(1); \
  fi; \
done; \
echo "Python 3.11 to 3.13 is needed, but no Python was found: install one (https://www.python.org/downloads/)." >&2; \
exit 1
endef

help:
	@echo "make lab           open JupyterLab on the first lesson"
	@echo "make grade         grade your own exercises/"
	@echo "make doctor        try what the lessons need, and say what to do where something fails"
	@echo "make test          everything that must hold: format, lint, types, walls, tests, notebooks"
	@echo "make test-browser  the widgets and notebooks in a real browser"
	@echo "make build         write exercises/ anew from solutions/"
	@echo "make notebooks     run notebooks/ and solutions/ again and store their outputs"
	@echo "make format        put the code into its standard form"
	@echo "make clean         remove .venv and what the tools leave behind"

lab:
	$(call set_up,lab)
	@echo "Opening JupyterLab; it stops with Ctrl-C."
	@$(lesson) lab -- $(ARGS)

grade:
	$(call set_up,lab)
	@echo "Grading exercises/."
	@$(lesson) grade exercises

doctor:
	$(call set_up,lab)
	@$(lesson) doctor

build:
	$(call set_up,lab)
	@echo "Writing exercises/ from solutions/."
	@$(lesson) build

notebooks:
	$(call set_up,lab)
	@echo "Running notebooks/ and solutions/."
	@$(lesson) notebooks

format:
	$(call set_up,test)
	@echo "Formatting."
	@$(python) -m ruff format .
	@$(python) -m ruff check --fix .

# With xdist, a notebook's cells must stay on one worker: --dist loadfile.
test:
	$(call set_up,test)
	@echo "1/8 Format"
	@$(python) -m ruff format --check .
	@echo "2/8 Lint"
	@$(python) -m ruff check .
	@echo "3/8 Types"
	@$(python) -m mypy
	@echo "4/8 Walls"
	@.venv/bin/lint-imports --no-logo
	@echo "5/8 Unit and property tests"
	@$(python) -m pytest -q -n 2 --dist loadfile -m "not browser" tests
	@echo "6/8 The laboratory's tests on other Pythons"
	@$(python) tools/other_pythons.py
	@echo "7/8 Notebooks, outputs compared"
	@$(python) -m pytest -q -n 2 --dist loadfile --nbval notebooks solutions
	@echo "8/8 Widgets and notebooks in a real browser"
ifneq ($(filter test-browser,$(MAKECMDGOALS)),)
	@echo "Left to make test-browser."
else
	@$(python) tools/chromium.py --if-found
endif
	@echo "All of it holds."

# Installs a Chromium where it may. `make test test-browser` runs these tests once.
test-browser:
	$(call set_up,browser)
	@echo "Widgets and notebooks in a real browser"
	@$(python) tools/chromium.py

clean:
	rm -rf .venv *.egg-info build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
