# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets in: the server is asked for a login from chosen addresses, and the file is compared with what it was."""

from __future__ import annotations

from pathlib import Path

import pytest

# Runs in the container. Prints what the server answers to the first words of a login: R and a kind of authentication
# (10 is SCRAM), or E, a refusal.
KNOCK = """
import socket, ssl, struct, sys
source, tls, role, database = sys.argv[1:]
link = socket.create_connection(("127.0.0.1", 5432), 10, (source, 0))
if tls == "tls":
    link.sendall(struct.pack("!ii", 8, 80877103))
    assert link.recv(1) == b"S"
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    link = context.wrap_socket(link)
words = b"".join(word.encode() + bytes(1) for word in ("user", role, "database", database, ""))
link.sendall(struct.pack("!ii", 8 + len(words), 196608) + words)
answer = link.recv(9)
print(answer[:1].decode(), *struct.unpack("!i", answer[5:9]) if answer[:1] == b"R" else "")
"""


@pytest.mark.parametrize(
    ("source", "tls", "role", "database", "answer"),
    [
        ("127.0.1.5", "tls", "omni", "sales", "R 10"),
        ("127.0.2.1", "tls", "omni", "sales", "R 10"),
        ("127.0.1.6", "tls", "omni", "sales", "E"),
        ("127.0.2.16", "tls", "omni", "sales", "E"),
        ("127.0.1.5", "no tls", "omni", "sales", "E"),
        ("127.0.1.5", "tls", "dba", "sales", "E"),
        ("127.0.1.5", "tls", "omni", "postgres", "E"),
    ],
)
def test_a_listed_address_gets_in_and_no_other(container, source, tls, role, database, answer):
    said = container.check_output("python3 -c %s %s %s %s %s", KNOCK, source, tls, role, database)
    assert said.strip() == answer


def test_the_rest_of_the_file_is_as_it_was(container):
    before = (Path(__file__).parents[1] / "files" / "pg_hba.conf").read_text().splitlines()
    after = container.file("/var/lib/postgresql/data/pg_hba.conf").content_string.splitlines()
    added = [line for line in after if line not in before]
    assert [line for line in after if line in before] == before
    assert len([line for line in added if line.startswith("hostssl")]) == 2
    assert all(line.startswith(("hostssl", "#")) for line in added)


def test_the_file_is_as_closed_as_before(container):
    file = container.file("/var/lib/postgresql/data/pg_hba.conf")
    assert (file.user, file.group, file.mode) == ("postgres", "postgres", 0o640)
