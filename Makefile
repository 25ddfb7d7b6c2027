# Everything lands in .venv and .build; `make clean` removes both.
#
#   make demo        the collection at work, on an embedded Postgres and a fake Omni; KEEP=1 leaves them up
#   make test        tests and quality gates; ALLOW_SKIP=1 lets those pass that cannot run on this machine
#   make molecule    the role against a Postgres container, in each scenario; SCENARIO=on_host chooses one
#
# PYTHON=python3.12 make … chooses the Python that .venv is made with.

export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.build/collections
export HYPOTHESIS_STORAGE_DIRECTORY := $(CURDIR)/.build/hypothesis

collection := .build/collections/ansible_collections/omni_analytics/connect
python := .venv/bin/python

.PHONY: setup demo test unit integration lint format clean
.DELETE_ON_ERROR:

setup: .venv/test.stamp $(collection)

demo: .venv/demo.stamp $(collection)
	$(python) -m tests.sandbox.demo $(if $(KEEP),--keep)

test: setup
	$(python) -m tests.runners.gates

unit integration: setup
	$(python) -m pytest -n auto --dist worksteal tests/$@

lint: setup
	$(python) -m tests.runners.gates --without tests

format: setup
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

clean:
	rm -rf .venv .build

-include molecule/molecule.mk tests/runners/matrix.mk tests/runners/versions.mk tests/runners/recipes.mk tests/bench/bench.mk

.venv/made.stamp:
	found=$$(sh tests/runners/find_python.sh) && "$$found" -m venv --clear .venv
	touch $@

.venv/%.stamp: tests/requirements-%.txt .venv/made.stamp
	$(python) -m pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

# They include these files.
.venv/test.stamp: tests/requirements-pytest.txt
.venv/test.stamp .venv/molecule.stamp: tests/requirements-demo.txt

# The checkout under the name by which Ansible imports it.
$(collection):
	mkdir -p $(@D)
	ln -sfn ../../../.. $@
