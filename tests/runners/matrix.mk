#   make matrix      the tests that need Postgres, on Postgres 12 to 18; MAJORS="12 18" chooses among them

.PHONY: matrix

matrix: setup
	$(python) -m tests.runners.matrix $(MAJORS)
