#   make versions    what touches Ansible, on the oldest ansible-core, the newest, and one between; VERSIONS="2.16 2.21"

.PHONY: versions

versions: setup
	$(python) -m tests.runners.versions $(VERSIONS)
