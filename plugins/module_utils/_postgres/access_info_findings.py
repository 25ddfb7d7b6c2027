# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What omni_pg_access_info found, and the sentences that people read of it, one for each kind of finding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from . import role_settings
from .readable_relations import Claim

#: What keeps Omni from working, and what works and deserves a look: the kinds of findings.
PROBLEMS = ("role", "schemas", "relations", "uploads")
CONCERNS = ("login", "unknown", "partitions", "columns", "future_tables", "writes", "privileges", "timezone")

#: The most relations that a proof selects from.
MOST = 100


class LoginOutcome(NamedTuple):
    """What became of the login as the role: ``state`` is succeeded, refused or not_tried, ``how`` is what the
    server said or why none was tried, and ``password`` what a refusal shows of it: fits, differs or unknown."""

    state: str
    how: str
    password: str = "unknown"


class Proof(NamedTuple):
    """What was selected from: how many of how many, and how that ended; and the relations that showed a row
    although policies filter them."""

    mode: str
    how: str
    selected: int = 0
    of: int = 0
    filtered: tuple[str, ...] = ()

    def shown(self) -> dict[str, object]:
        return {"mode": self.mode, "selected": self.selected, "of": self.of, "how": self.how}


class State(NamedTuple):
    """What was found.

    ``tls`` is the protocol of the login that answered, None without TLS. ``found`` is the row of
    access_info_sql.ACCESS, ``claims`` what follows of it for each relation that is not known to be readable.
    ``tried`` is succeeded, failed or not_tried, and why, of an upload.
    """

    login: LoginOutcome
    version: int
    tls: str | None
    absent_schemas: tuple[str, ...]
    found: Mapping[str, Any]
    claims: Sequence[Claim]
    proof: Proof
    tried: tuple[str, str]

    @property
    def unreadable(self) -> list[Claim]:
        return [claim for claim in self.claims if claim.known]

    @property
    def unknown(self) -> list[Claim]:
        return [claim for claim in self.claims if not claim.known]

    @property
    def uploads(self) -> bool | None:
        """Whether uploads may work; None where there is no schema for them."""
        if not self.found["uploads"]:
            return self.found["uploads"]
        return self.tried[0] != "failed" and not self.read_only

    @property
    def read_only(self) -> bool:
        return role_settings.is_on(self.found["settings"]["default_transaction_read_only"] or "off")


def problems(state: State, role: str, upload_schema: str) -> dict[str, str]:
    """What keeps Omni from working, a sentence for each kind."""
    found = state.found
    if not found["role_exists"]:
        return {"role": f"there is no role {role}"}
    problems = {}
    if not found["can_login"]:
        problems["role"] = "it may not log in (NOLOGIN)"
    elif found["expired"]:
        problems["role"] = "its password has expired (VALID UNTIL)"
    elif found["no_connection"]:
        problems["role"] = f"it may not log in (CONNECTION LIMIT 0 of the {found['no_connection']})"
    elif state.login.password == "differs":
        problems["role"] = (
            "its password is not the one given: correct it, or set it by omni_pg_user with update_password: always"
        )
    elif not found["connects"]:
        problems["role"] = "it may not CONNECT to the database"
    if state.absent_schemas:
        problems["schemas"] = f"there is no schema {', '.join(state.absent_schemas)}"
    shut = [claim for claim in state.unreadable if claim.cause != "partition"]
    if shut:
        problems["relations"] = f"{len(shut)} cannot be read, {_first(shut)}"
    if upload_schema and not state.uploads:
        problems["uploads"] = f"it cannot upload: {_why_no_upload(state, upload_schema)}"
    return problems


def _why_no_upload(state: State, upload_schema: str) -> str:
    if state.found["uploads"] is None:
        return f"there is no schema {upload_schema}"
    if not state.found["uploads"]:
        return f"it lacks USAGE or CREATE on schema {upload_schema}"
    if state.tried[0] == "failed":
        return state.tried[1]
    return "its default_transaction_read_only is on"


def concerns(state: State, role: str, system_timezone: str | None) -> dict[str, str]:
    """What works, and deserves a look, a sentence for each kind."""
    found = state.found
    if not found["role_exists"]:
        return {}
    concerns = {}
    fits = state.login.password == "fits"
    unproved = "its rights were read with the other login, and its password " + (
        "fits" if fits else "could not be checked"
    )
    if state.login.state == "not_tried":
        concerns["login"] = f"no login as it was tried, since {state.login.how}: {unproved}"
    elif state.login.state == "refused" and not _explains_refusal(state):
        concerns["login"] = f"logging in as it from here was refused ({state.login.how}): {unproved}"
    if state.unknown:
        concerns["unknown"] = (
            f"of {len(state.unknown)} relation{'s' * (len(state.unknown) > 1)} the catalog does not tell "
            f"whether {'they' if len(state.unknown) > 1 else 'it'} can be read, {_first(state.unknown)}"
        )
    partitions = [claim for claim in state.unreadable if claim.cause == "partition"]
    if partitions:
        concerns["partitions"] = f"{len(partitions)} can be read through a parent only, {_first(partitions)}"
    if found["by_columns"]:
        concerns["columns"] = (
            f"it has SELECT on each column of {found['by_columns'][0]}, and not on the whole: a column that is "
            "added later will not be readable" + _more(found["by_columns"])
        )
    later = [(schema, creator) for schema, creator, covered in found["later"] if not covered]
    if later:
        schema, creator = later[0]
        concerns["future_tables"] = (
            f"tables that {creator} makes later in schema {schema} will not be readable" + _more(later)
        )
    if found["writes"]:
        what, privileges = found["writes"][0]
        concerns["writes"] = f"it has {', '.join(privileges)} on {what}, which is more than reading" + _more(
            found["writes"]
        )
    if found["privileged"]:
        holds = [
            f"is {' '.join(attributes)}" if name == role else f"is a member of {name}"
            for name, attributes in found["privileged"]
        ]
        concerns["privileges"] = f"it {holds[0]}, which is more than reading" + _more(holds)
    if found["timezone_differs"]:
        concerns["timezone"] = (
            f"the database's TimeZone is {found['timezone']}, and Omni takes it for {system_timezone}"
        )
    return concerns


def _explains_refusal(state: State) -> bool:
    """Whether a problem of the role says why its login was refused."""
    found = state.found
    locked = not found["can_login"] or not found["connects"] or found["no_connection"]
    return bool(state.login.password == "differs" or locked)


def _first(claims: Sequence[Claim]) -> str:
    return f"first {claims[0].relation} ({claims[0].why})"


def _more(items: Sequence[Any]) -> str:
    return f" ({len(items) - 1} more like this)" if len(items) > 1 else ""
