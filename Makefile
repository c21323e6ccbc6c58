# mlscope. Every target sets up what it needs by itself; `make help` lists them.
PYTHON ?= python3
PORT ?= 8888
ARGS ?=
DATA ?=
OUT ?=
TORCH ?=

VENV_PYTHON := .venv/bin/python
STAMP := .venv/.mlscope-installed

.DEFAULT_GOAL := help
.PHONY: help install lab report test judges peers wheel check format notebooks docs study bench doctor

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Older Pythons still start tools/install.py, which then says what to do.
$(STAMP): pyproject.toml constraints.txt tools/install.py
	@command -v $(PYTHON) >/dev/null || { echo "No '$(PYTHON)' found. Install Python 3.11 or newer, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) tools/install.py

ifeq ($(TORCH),)
install: $(STAMP) ## create .venv with the pinned versions; TORCH=gpu takes the GPU build of PyTorch
else
install:
	@$(PYTHON) tools/install.py --torch $(TORCH)
endif

lab: $(STAMP) ## open JupyterLab on the first notebook; PORT=8888, ARGS=--no-browser
	@$(VENV_PYTHON) -m mlscope_nb lab --port=$(PORT) $(ARGS)

# What is not given is left to the reader; each is an option of `python -m mlscope_nb report`.
REPORT_OPTIONS := LABEL UNIT BATCH CONTROL TREATMENT PATTERN CHANNELS LAYOUT MASKS PROJECTION FRAME NUCLEI TITLE
report: $(STAMP) ## from a folder to an evidence sheet: DATA=path, OUT, LABEL, UNIT, BATCH, CONTROL=column=value
	@test -n "$(DATA)" || { echo "Name the folder: make report DATA=path [OUT=folder LABEL=column UNIT=columns BATCH=columns CONTROL=column=value]"; exit 2; }
	@$(VENV_PYTHON) -m mlscope_nb report "$(DATA)" $(if $(OUT),--out "$(OUT)") \
		$(foreach name,$(REPORT_OPTIONS),$(if $($(name)),--$(shell echo $(name) | tr A-Z a-z) "$($(name))")) $(ARGS)

# Two processes, a file at a time, in the order of the files: browser tests have to come last in a process.
test: $(STAMP) ## run all tests; those that need Chromium run where it is found
	@$(VENV_PYTHON) -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(ARGS)

judges: ## make .venv-judges: scanpy, squidpy, pycytominer, napari and others, which judge what mlscope writes
	@command -v $(PYTHON) >/dev/null || { echo "No '$(PYTHON)' found. Name it: make judges PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) tools/judges.py

peers: ## make .venv-peers: cp_measure, openTSNE, cleanlab and others, which benchmarks and studies measure beside mlscope
	@command -v $(PYTHON) >/dev/null || { echo "No '$(PYTHON)' found. Name it: make peers PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) tools/peers.py

wheel: $(STAMP) ## build wheel and source archive, and try the wheel in an empty environment; ARGS="--keep dist"
	@$(VENV_PYTHON) tools/wheel.py $(ARGS)

check: $(STAMP) ## style, types, and notebooks in step with their sources
	@$(VENV_PYTHON) -m ruff check .
	@$(VENV_PYTHON) -m ruff format --check .
	@$(VENV_PYTHON) -m mypy
	@$(VENV_PYTHON) tools/build_notebooks.py --check

format: $(STAMP) ## let ruff put the code in order
	@$(VENV_PYTHON) -m ruff check --fix .
	@$(VENV_PYTHON) -m ruff format .

notebooks: $(STAMP) ## write the notebooks from their sources and run all solutions
	@$(VENV_PYTHON) tools/build_notebooks.py
	@$(VENV_PYTHON) tools/build_notebooks.py --execute

docs: $(STAMP) ## build the site in build/docs/site; ARGS=--execute runs the solutions for its tutorial first
	@$(VENV_PYTHON) tools/build_docs.py $(ARGS)

study: $(STAMP) ## run every script in studies/ and renew studies/RESULTS.md (hours allowed)
	@$(VENV_PYTHON) tools/run_scripts.py studies $(ARGS)

bench: $(STAMP) ## run every script in benchmarks/ and renew benchmarks/RESULTS.md
	@$(VENV_PYTHON) tools/run_scripts.py benchmarks $(ARGS)

doctor: $(STAMP) ## check this machine and the installation, and say what to do
	@$(VENV_PYTHON) -m mlscope_nb doctor
