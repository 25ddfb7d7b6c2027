# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base of the resources in Postgres."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .._converge import Change, Resource
from .._errors import Refused
from .session import Session


class PostgresResource(Resource):
    """A resource in one database: it sends statements, over one session.

    :param params: the module's options.
    """

    sends = "statements"

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__()
        self.params = params
        self.max_listed = params["max_listed"]
        self.session = Session(params)

    def __enter__(self) -> PostgresResource:
        self.session.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.session.__exit__(*error)

    def apply(self, changes: Sequence[Change]) -> Iterator[Change]:
        """All changes in one transaction."""
        self.transact(self.session, changes)
        yield from changes

    def transact(
        self, session: Session, changes: Sequence[Change], lock_timeout: float | None = None
    ) -> None:
        """Send ``changes`` in one transaction of ``session``, and keep what the server remarks.

        :param lock_timeout: how many seconds to wait for a lock, where that is not what the options say.
        """
        change = None
        session.before_write, session.progress = self.before_write, self.progress
        try:
            with session.transaction(lock_timeout=lock_timeout):
                for change in changes:
                    self.send(session, change)
        except Refused as refused:
            advice = self.advise(session, change, refused) if change else ""
            if not advice:
                raise
            raise Refused(refused.doing, refused.said, advice, **refused.detail) from None
        self.remarks = list(dict.fromkeys([*self.remarks, *session.notices]))

    def send(self, session: Session, change: Change) -> None:
        """Send one change, in a transaction of ``session``."""
        session.execute(change.payload)

    def advise(self, session: Session, change: Change, refused: Refused) -> str:
        """What to do about a change that the server refused, where more is known of it than its SQLSTATE.
        Asked after the rollback."""
        return ""

    def show(self, change: Change) -> str:
        return self.session.text(change.payload, self.max_listed)
