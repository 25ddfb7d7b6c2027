# Included by the Makefile.

# `make molecule SCENARIO=on_host` runs one of the scenarios instead of all. What molecule does with it:
# `DO=converge` leaves the instance up for `DO=verify` and the rest.
DO ?= test

.PHONY: molecule molecule-engine

molecule: molecule-engine .venv/molecule.stamp $(collection)
	PATH="$(CURDIR)/.venv/bin:$$PATH" MOLECULE_GLOB='molecule/*/molecule.yml' molecule $(DO) \
	    $(if $(SCENARIO),--scenario-name $(SCENARIO),--all)

molecule-engine:
	@molecule/container_engine >/dev/null
