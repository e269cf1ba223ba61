# Two commands for a newcomer: `make demo` and `make test`. Both do their own set-up in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SHARED ?= ../shared
LFW := $(SHARED)/data/lfw
WORK := build/dlib-lfw

FUZZ_SECONDS ?= 60

.PHONY: demo test lint slow fuzz mutation bench default-interpreter clean

demo: $(VENV)/.demo
	$(BIN)/clip-smu interpret --example

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2

slow: $(VENV)/.dev
	$(BIN)/python -m pytest -m slow
	$(MAKE) fuzz

# Each door for FUZZ_SECONDS; what is no error of ours is kept in build/fuzz.
fuzz: $(VENV)/.checks
	$(BIN)/python tests/fuzz --seconds $(FUZZ_SECONDS)

# Small changes of meaning that tests must see, then the score of all small changes (mutmut); hours on few cores.
mutation: $(VENV)/.checks
	$(BIN)/python tests/mutation/semantic.py
	$(BIN)/python tests/mutation/score.py

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

# The interpreter that ships with the package: LFW photos -> dlib templates -> text encoder, calibration, evidence.
default-interpreter: $(WORK)/check.json
	$(BIN)/clip-smu extract $(LFW)/images.tar -e dlib -o $(WORK)/templates
	$(BIN)/clip-smu fit $(WORK)/templates --labels $(LFW)/lfw_maad47.csv --train $(LFW)/train_list.txt \
		--test $(LFW)/test_list.txt --check $(WORK)/check.json --name dlib-lfw -o $(WORK)/dlib-lfw
	rm -rf src/clip_smu/data/dlib-lfw
	mkdir -p src/clip_smu/data
	cp -r $(WORK)/dlib-lfw src/clip_smu/data/dlib-lfw

$(WORK)/check.json: | $(VENV)/.dev
	test -d $(LFW) || { echo "needs LFW with MAAD-style labels at $(LFW)"; exit 1; }
	mkdir -p $(WORK)
	$(BIN)/clip-smu encoders check dlib $(LFW)/images.tar --pairs $(LFW)/pairs.txt --json > $@.part
	mv $@.part $@

clean:
	rm -rf $(VENV) build

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dlib,example]'
	touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dlib,example,mtcnn,train,dev]'
	touch $@ $(VENV)/.demo

$(VENV)/.checks: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[fuzz,mutation]'
	touch $@
