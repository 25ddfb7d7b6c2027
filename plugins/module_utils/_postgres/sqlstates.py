# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the server's errors mean: by SQLSTATE, which of them a fresh read settles, and what to do about others.

The codes are explained at https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

from typing import Any

from .._errors import Moved, Refused, Unreachable

#: To retry: what a concurrent change of the same objects looks like. A fresh read settles it.
MOVED = {
    "23505": "unique_violation",
    "3F000": "invalid_schema_name",
    "40001": "serialization_failure",
    "40P01": "deadlock_detected",
    "42710": "duplicate_object",
    "42P06": "duplicate_schema",
    "42P01": "undefined_table",
}

#: What to do about the others.
ADVICE = {
    "2BP01": "The login may not remove these: have their owner do it, or log in as a role that may.",
    "42501": "Log in as a role that may do this, or have such a role run the statement.",
    "55P03": "Somebody holds a lock on it; run again later, or raise O(lock_timeout).",
    # Before 13, a timeout of the login's own counts for what is sent together with another one.
    "57014": "It took too long; run again later, or raise O(statement_timeout), and on Postgres 12 the login's own.",
    "25006": "This server only reads: log in to the primary of a standby, or switch default_transaction_read_only off.",
}


def explained(doing: str, error: Any, plan: bool) -> Exception:
    """The driver's ``error`` of a statement as one of the family.

    :param plan: the statement was planned from what was read, so that a fresh read may plan another one.
    """
    code = error.pgcode
    said = " ".join((error.diag.message_primary or str(error)).split())
    if code == "2BP01":  # dependent_objects_still_exist: which ones, is in the detail alone
        said = f"{said} ({'; '.join((error.diag.message_detail or '').splitlines()[:5])})"
    if plan and (code in MOVED or _replaced(code, said)):
        return Moved(doing, said, "Somebody else changes the same objects; run again.", sqlstate=code)
    if code is None:
        return Unreachable(doing, said, "The connection broke; check the server, then run again.")
    return Refused(doing, said, ADVICE.get(code, ""), sqlstate=code)


def _replaced(code: str | None, said: str) -> bool:
    """Whether an object went, or was changed, between its look-up and its use. Postgres has no SQLSTATE for
    that, and never translates these words: elog() does not."""
    gone = ("cache lookup failed", "could not find tuple")
    return code == "XX000" and ("concurrently" in said or said.startswith(gone))
