# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the server says of its pg_hba.conf: where it is, what is in it, what it makes of it, and when it loaded it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from .._errors import Refused
from .pg_hba import INCLUDES, Files, Unreadable
from .session import Session

WHERE = "SELECT current_setting('hba_file') AS path"
FACTS = """
WITH RECURSIVE member AS (
    SELECT oid FROM pg_roles WHERE rolname = %(role)s
    UNION SELECT roleid FROM pg_auth_members JOIN member ON member.oid = pg_auth_members.member)
SELECT current_setting('hba_file') AS path, pg_read_binary_file(current_setting('hba_file')) AS data,
       extract(epoch FROM pg_conf_load_time())::float8 AS loaded, current_setting('ssl')::bool AS tls,
       current_setting('listen_addresses') AS listens, pg_is_in_recovery() AS standby,
       (SELECT count(*) FROM pg_stat_replication)::int AS standbys,
       current_setting('cnpg.config_sha256', true) IS NOT NULL AS cnpg,
       ARRAY(SELECT rolname::text FROM pg_roles JOIN member USING (oid)) AS groups
"""
#: A row for each rule, and for each line that is none. What it says of other people's lines stays in the server,
#: but for a digest: options hold secrets, and names may be in any encoding.
ROWS = """
SELECT line_number AS number, {file} AS file, type, auth_method AS method, textsend(error) AS error,
       encode(sha256(textsend(ROW(database, user_name, address, netmask, options)::text)), 'hex') AS rest
FROM pg_hba_file_rules
"""
LOADED = "SELECT extract(epoch FROM pg_conf_load_time())::float8 AS loaded"
RELOAD = "SELECT pg_reload_conf() AS sent"
READ = "SELECT pg_read_binary_file(%(path)s, 0, 16777216, true) AS data"
NAMES = "SELECT pg_ls_dir(%(path)s, true, false) AS name"
RIGHTS = (
    "In practice this takes a superuser; else a member of pg_read_all_settings and pg_read_server_files with SELECT "
    "on pg_hba_file_rules, and EXECUTE on pg_hba_file_rules(), on pg_read_binary_file (all of them) and on "
    "pg_reload_conf()."
)


class Row(NamedTuple):
    """A rule as the server reads it. One with an ``error`` may hold all the same (hostssl without TLS); without a
    ``kind`` it is none, and the server would go on with the rules that it has."""

    number: int
    file: str
    kind: bytes
    method: bytes
    error: str
    rest: str

    @property
    def fatal(self) -> bool:
        return bool(self.error) and not self.kind


class Facts(NamedTuple):
    """What the server says: ``path`` is its pg_hba.conf, ``loaded`` when it loaded its configuration, in seconds
    since 1970, and ``groups`` are all roles that the Omni role is in, itself included."""

    path: str
    data: bytes
    loaded: float
    tls: bool
    listens: str
    standby: bool
    standbys: int
    cnpg: bool
    groups: frozenset[bytes]
    rows: tuple[Row, ...]

    def complaint(self, row: Row) -> str:
        """What the server says of a row, without what it repeats of a line that may hold a secret."""
        here = row.file in ("", self.path)
        # A line may go on in the next ones, which nobody has to look at as closely as the server.
        line = b"".join(self.data.split(b"\n")[row.number - 1 : row.number + 4])
        said = row.error
        if not here or re.search(rb"passw|secret", line, re.IGNORECASE):
            known = re.match(r"[\w\s=-]*", said)
            said = f"{known[0].strip() if known else ''} (cut short: there may be a secret in the line)"
        return f"line {row.number}{'' if here else ' of ' + row.file}: {said}"


class Server:
    """Questions to the server, over one session."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def path(self) -> str:
        return str(self._ask(WHERE, {})[0]["path"])

    def facts(self, role: str) -> Facts:
        (row,) = self._ask(FACTS, {"role": role})
        rows = self._ask(
            ROWS.format(file="textsend(file_name)" if self.session.version >= INCLUDES else "''::bytea"),
            {},
        )
        return Facts(
            **{
                **row,
                "data": bytes(row["data"]),
                "groups": frozenset(_bytes(name) for name in row["groups"]),
                "rows": tuple(
                    Row(
                        row["number"],
                        bytes(row["file"] or b"").decode(errors="surrogateescape"),
                        _bytes(row["type"] or ""),
                        _bytes(row["method"] or ""),
                        bytes(row["error"] or b"").decode(errors="replace"),
                        row["rest"],
                    )
                    for row in rows
                ),
            }
        )

    def loaded(self) -> float:
        """When the session's server loaded its configuration."""
        return float(self._ask(LOADED, {})[0]["loaded"])

    def reload(self) -> None:
        self._ask(RELOAD, {})

    @property
    def files(self) -> Files:
        """The files that a pg_hba.conf names, through the server, which has the rights to read them."""

        def read(path: str) -> bytes | None:
            data = self._file(READ, path)[0]["data"]
            return None if data is None else bytes(data)

        return Files(read, lambda path: [row["name"] for row in self._file(NAMES, path)])

    def _file(self, query: str, path: str) -> list[dict[str, Any]]:
        try:
            return self._ask(query, {"path": path})
        except Refused as refused:
            raise Unreadable(f"{path} cannot be read: {refused.said}") from None

    def _ask(self, query: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        try:
            return self.session.rows(query, values)
        except Refused as refused:
            if refused.detail.get("sqlstate") != "42501":
                raise
            raise Refused(
                f"Reading the rules of pg_hba.conf in {self.session.where}",
                refused.said,
                RIGHTS,
                **refused.detail,
            ) from None


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
