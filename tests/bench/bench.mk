#   make bench       the role beside community.postgresql and Ansible's floor; ARGS="--only again --hosts 5 --repeat 1"

.PHONY: bench

bench: setup .build/bench/made.stamp
	PYTHONPATH=$(ANSIBLE_COLLECTIONS_PATH) $(python) -m tests.bench $(ARGS)

# The other side's modules come with the package `ansible`, which is large, and is compiled as it is used.
.build/bench/made.stamp: tests/bench/requirements.txt
	$(python) -m venv --clear .build/bench
	.build/bench/bin/pip install --quiet --disable-pip-version-check --no-compile --requirement $<
	touch $@
