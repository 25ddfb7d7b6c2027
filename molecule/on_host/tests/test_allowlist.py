# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets in: the server is asked for a login from chosen addresses, and the file is compared with what it was."""

from __future__ import annotations

import re

import pytest

# Runs in the container. Prints what the server answers to the first words of a login: R and a kind of authentication
# (10 is SCRAM), or E, a refusal.
KNOCK = """
import socket, ssl, struct, sys
source, tls, role, database = sys.argv[1:]
link = socket.create_connection(("127.0.0.1", 5433), 10, (source, 0))
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


#: What Debian's package lets in, in its order.
DEBIANS = """
local all postgres peer
local all all peer
host all all 127.0.0.1/32 scram-sha-256
host all all ::1/128 scram-sha-256
local replication all peer
host replication all 127.0.0.1/32 scram-sha-256
host replication all ::1/128 scram-sha-256
"""


def rules(text):
    return [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def test_the_server_is_debians(container, rules_file):
    assert re.fullmatch(r"/etc/postgresql/\d+/shop/pg_hba\.conf", rules_file)
    before = container.file("/root/pg_hba.conf.before").content_string
    assert rules(before) == rules(DEBIANS)


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


def test_the_rest_of_the_file_is_as_it_was(container, rules_file):
    before = container.file("/root/pg_hba.conf.before").content_string.splitlines()
    after = container.file(rules_file).content_string.splitlines()
    begin = next(number for number, line in enumerate(after) if "BEGIN omni_analytics" in line)
    end = next(number for number, line in enumerate(after) if "END omni_analytics" in line)
    assert after[:begin] + after[end + 1 :] == before
    assert [line.split()[0] for line in after[begin + 1 : end]] == ["hostssl"] * 2


def test_the_file_is_as_closed_as_before_and_nothing_lies_beside_it(container, rules_file):
    file = container.file(rules_file)
    assert (file.user, file.group, file.mode) == ("postgres", "postgres", 0o640)
    folder = container.file(rules_file.removesuffix("/pg_hba.conf"))
    debians = "conf.d environment pg_ctl.conf pg_hba.conf pg_ident.conf postgresql.conf start.conf"
    assert sorted(folder.listdir()) == debians.split()


def test_debians_own_reload_takes_the_file(container, as_postgres, rules_file):
    before = as_postgres("SELECT pg_conf_load_time()").stdout.strip()
    assert container.run("pg_ctlcluster %s shop reload", rules_file.split("/")[3]).rc == 0
    for _attempt in range(100):  # the server is sent a signal, and nobody waits for it
        if as_postgres("SELECT pg_conf_load_time()").stdout.strip() != before:
            break
    else:
        pytest.fail("the server did not load its configuration")
    assert as_postgres("SELECT count(*) FROM pg_hba_file_rules WHERE error IS NOT NULL").stdout.strip() == "0"
    knock = container.check_output("python3 -c %s 127.0.1.5 tls omni sales", KNOCK)
    assert knock.strip() == "R 10"
