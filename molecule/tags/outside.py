# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be seen from outside, as lines: all that the server has, its pg_hba.conf, and what Omni has."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

import fixtures
import testinfra

#: Lines of a dump that are not about what is in the server; the last is another one in each dump.
NOT_CONTENT = re.compile(r"$|--|\\connect |\\(un)?restrict ")
OMNI_FIELDS = {
    "connections": [
        *("name", "host", "database", "username", "includeSchemas", "scratchSchema", "baseRole"),
        "userAttributeNameForConnectionEnvironments",
    ],
    "models": ["name", "modelKind", "refreshed"],
    "schedules": ["connection", "schedule", "timezone"],
    "environments": ["base", "connection", "userAttributeValues"],
}


def look() -> list[str]:
    return [*_server(), *_omni()]


def _server() -> Iterator[str]:
    instance = fixtures.read_instance()
    host = testinfra.get_host(f"{instance['engine']}://postgres@{instance['container']}")
    for line in host.check_output("pg_dumpall").splitlines():
        line = " ".join(line.split())  # versions differ in blanks
        if not NOT_CONTENT.match(line):
            # A verifier is as good as a password to whoever guesses; its digest tells as well whether it is the same.
            yield re.sub(
                r"SCRAM-SHA-256\$[^']+",
                lambda secret: hashlib.sha256(secret[0].encode()).hexdigest()[:8],
                line,
            )
    for line in host.check_output('cat "$PGDATA/pg_hba.conf"').splitlines():
        yield f"pg_hba.conf: {' '.join(line.split())}"


def _omni() -> Iterator[str]:
    state = fixtures.Fake().state()
    names = {one["id"]: one["name"] for one in state["connections"]}
    for kind, fields in OMNI_FIELDS.items():
        for one in state[kind]:
            named: dict[str, Any] = one | {
                "connection": names.get(one.get("connectionId")),
                "base": names.get(one.get("baseConnectionId")),
            }
            told = json.dumps([named[field] for field in fields])
            yield f"omni {kind}: {told}{' deleted' if one.get('deletedAt') else ''}"
