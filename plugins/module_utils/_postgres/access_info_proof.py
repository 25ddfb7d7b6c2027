# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Proving what a role can read by selecting, through its own login."""

from __future__ import annotations

from collections.abc import Sequence

from .._errors import Moved, Refused, Unreachable
from .access_info_findings import MOST, Proof
from .readable_relations import ERROR, UNKNOWN, Claim, Hindrance
from .session import Session
from .statement import Statement

#: LIMIT 0 is refused for a lack of rights on what is read and called, and calls nothing. For one row all columns
#: are computed, functions are called, and other servers asked; that there was one is all that is answered.
QUERIES = {
    "rights": "SELECT count(one) FROM (SELECT * FROM {} LIMIT 0) AS one",
    "row": "SELECT count(one) FROM (SELECT * FROM {} LIMIT 1) AS one",
}
#: Functions look for what they read along the search_path of the role's logins.
SEARCH_PATH = (
    "SELECT set_config('search_path', reset_val, true) FROM pg_settings WHERE name = 'search_path'; "
)
#: What is settled where a SELECT is not refused, though it shows no row.
SETTLED = {
    "rights": ("view_owner", "security_invoker", "no_execute", "not_populated", "user_mapping"),
    "row": ("view_owner", "security_invoker", "no_execute", "not_populated", "user_mapping", "foreign_table"),
}
#: Refusals that say nothing of the rights: it only reads here, it is locked, it took too long, it is gone.
NO_ANSWER = ("25006", "55P03", "57014", "42P01", "3F000")


def prove(
    session: Session, mode: str, claims: Sequence[Claim], others: Sequence[tuple[str, str]], of: int
) -> tuple[list[Claim], Proof]:
    """Select from the relations of which nothing is known first, then from ``others``, which are taken for
    readable; a transaction for each.

    :param of: how many there would be.
    :return: the claims as they are afterwards.
    """
    known = [claim for claim in claims if claim.known]
    asked: list[Claim] = [claim for claim in claims if not claim.known]
    asked += [Claim(schema, name, ()) for schema, name in others]
    left: list[Claim] = []
    filtered: list[str] = []
    how = "done" if of <= MOST else f"no more than {MOST} are selected from"
    selected = 0
    for number, claim in enumerate(asked):
        if number >= MOST:
            left += [claim for claim in asked[number:] if claim.hindrances]
            break
        try:
            rows = _selected(session, mode, claim)
        except Unreachable as broken:
            how = broken.said
            left += [claim for claim in asked[number:] if claim.hindrances]
            break
        except (Moved, Refused) as refused:
            selected += 1
            answered = refused.detail.get("sqlstate") not in NO_ANSWER
            why = f"selecting from it was refused: {refused.said}"
            hindrance = Hindrance(ERROR if answered else UNKNOWN, "refused", why)
            (known if answered else left).append(claim._replace(hindrances=(hindrance,)))
            continue
        selected += 1
        if rows:
            if any(one.cause in ("policy", "row_security") for one in claim.hindrances):
                filtered.append(claim.relation)
            continue
        rest = tuple(one for one in claim.hindrances if one.cause not in SETTLED[mode])
        if rest and mode == "row":
            rest = tuple(one._replace(why=f"{one.why}; it showed no row") for one in rest)
        if rest:
            left.append(claim._replace(hindrances=rest))
    return sorted([*known, *left], key=lambda claim: (claim.schema, claim.name)), Proof(
        mode, how, selected, of, tuple(filtered)
    )


def _selected(session: Session, mode: str, claim: Claim) -> int:
    """How many rows came."""
    statement = Statement(SEARCH_PATH + QUERIES[mode], ((claim.schema, claim.name),))
    (row,) = session.rows(statement.compose(), {})
    return int(row["count"])
