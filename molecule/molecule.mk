# Included by the Makefile.

# What molecule does: `make molecule DO=converge` leaves the instance up for `DO=verify` and the rest.
DO ?= test

.PHONY: molecule molecule-engine

molecule: molecule-engine .venv/molecule.stamp $(collection)
	PATH="$(CURDIR)/.venv/bin:$$PATH" MOLECULE_GLOB='molecule/*/molecule.yml' molecule $(DO)

molecule-engine:
	@molecule/container_engine >/dev/null
