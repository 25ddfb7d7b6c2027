# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What omni_pg_access_info claims of generated databases, against really selecting from each relation.

TEST_GENERATED=2000 tries so many databases instead of a few, TEST_SEED=100 begins with that seed. A wrong claim
is shown with its seed; `generated_database.generated(server, seed).sql` is what made the database.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.access_info import DEFINITION
from tests.helpers.generated_database import Generated, generated, select_each
from tests.helpers.postgres_modules import perform
from tests.sandbox.postgres import PostgresServer

DATABASES = int(os.environ.get("TEST_GENERATED", "8"))
FIRST = int(os.environ.get("TEST_SEED", "0"))


def claims(server: PostgresServer, made: Generated, prove: str) -> dict[str, str]:
    """What is claimed of each relation: its kind, and for people why. All that is not named is readable."""
    arguments: dict[str, Any] = {
        "login_host": server.host,
        "login_port": server.port,
        "login_db": made.database,
        "role": made.role,
        "password": made.password,
        "schemas": ["*"],
        "prove": prove,
        "max_listed": 0,
    }
    result = perform(DEFINITION, arguments)
    assert not result["failed"], result["msg"]
    said = dict.fromkeys(result["filtered"]["list"], "filtered")
    for kind in ("unreadable", "unknown"):
        for entry in result[kind]["list"]:
            said[entry["relation"]] = f"{kind}: {entry['cause']}: {entry['why']}"
    assert (
        result["readable"] == result["relations"] - result["unreadable"]["count"] - result["unknown"]["count"]
    )
    return said


def is_wrong(claim: str, answer: str) -> bool:
    """Each relation has rows. What is filtered, or readable, shows some of them."""
    if claim.startswith("unknown"):
        return False
    return (answer == "rows") is claim.startswith("unreadable")


def test_no_claim_is_wrong(server: PostgresServer) -> None:
    wrong: list[str] = []
    kinds: Counter[str] = Counter()
    for seed in range(FIRST, FIRST + DATABASES):
        with generated(server, seed) as made:
            answers = select_each(server, made)
            for prove in ("none", "rights", "row"):
                said = claims(server, made, prove)
                for relation, answer in answers.items():
                    claim = said.get(relation, "readable")
                    kinds[f"{prove} {claim.split(':')[0]}"] += 1
                    if is_wrong(claim, answer):
                        wrong.append(
                            f"seed {seed}, prove={prove}, {relation}: claimed {claim}; selecting: {answer}"
                        )
    print(f"{DATABASES} databases: {dict(kinds)}; wrong: {len(wrong)}")
    assert wrong == []
    assert {"none readable", "none unreadable", "none unknown"} <= kinds.keys()
