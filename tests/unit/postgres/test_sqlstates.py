# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server's errors mean."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._errors import (
    ConnectError,
    Moved,
    Refused,
    Unreachable,
)
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.sqlstates import explained


def error(code: str | None, said: str, detail: str | None = None) -> Any:
    return SimpleNamespace(pgcode=code, diag=SimpleNamespace(message_primary=said, message_detail=detail))


@pytest.mark.parametrize(
    ("code", "said", "kind"),
    [
        ("40P01", "deadlock detected", Moved),
        ("42P01", 'relation "gone" does not exist', Moved),
        ("XX000", "tuple concurrently updated", Moved),
        ("XX000", "cache lookup failed for relation 16384", Moved),
        ("XX000", "could not find tuple for role 17115", Moved),
        ("XX000", "something is broken", Refused),
        ("55P03", "canceling statement due to lock timeout", Refused),
        (None, "server closed the connection unexpectedly", Unreachable),
    ],
)
def test_what_a_fresh_read_settles(code: str | None, said: str, kind: type[ConnectError]) -> None:
    found = explained("Doing", error(code, said), plan=True)
    assert isinstance(found, kind)
    assert isinstance(found, Moved) == (kind is Moved)
    assert said in str(found)
    # What only reads was not planned from anything.
    assert not isinstance(explained("Doing", error(code, said), plan=False), Moved)


def test_what_depends_is_named() -> None:
    found = explained("Dropping", error("2BP01", "cannot drop it", "view v depends on it"), plan=True)
    assert "cannot drop it (view v depends on it)" in str(found)
