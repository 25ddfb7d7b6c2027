# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The login role as it is, and what of that deserves a warning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

#: A warning is due so many days before VALID UNTIL.
DAYS = 14


class State(NamedTuple):
    """The role as it is.

    ``password`` is fits, differs, unknown, set or not_checked, ``how`` says why, and ``algorithm`` is that of
    the stored secret, None where it is not known. ``until_differs`` is whether valid_until has to be set;
    ``until`` is what it will be, ``days_left`` days from now (None: it does not end). ``unheld`` are the
    wanted memberships that are missing, ``unknown`` those of roles that are not there, and ``creates_in``
    the schemas of this database that the role may make tables in.
    """

    exists: bool
    can_login: bool = False
    superuser: bool = False
    password: str = "not_checked"
    how: str = "there is no role yet"
    algorithm: str | None = None
    connection_limit: int = -1
    valid_until: str | None = None
    until_differs: bool = False
    until: str | None = None
    days_left: int | None = None
    comment: str = ""
    settings: Mapping[str, list[str]] = {}
    unheld: Sequence[str] = ()
    unknown: Sequence[str] = ()
    creates_in: Sequence[str] = ()

    def warnings(self, role: str, left: bool, due: bool) -> list[str]:
        """What people should know of it.

        :param left: a password that is not the one given stays as it is.
        :param due: the password is set anew.
        """
        warnings = []
        if self.superuser:
            warnings.append(f"Role {role} is a superuser: Omni could change anything on this server.")
        if left and self.password == "differs":
            warnings.append(
                f"The password of role {role} is not the one given ({self.how}). "
                "It was left as it is; O(update_password=always) changes it."
            )
        if left and self.password == "unknown":
            warnings.append(f"Whether the password of role {role} is the one given is unknown: {self.how}.")
        if self.algorithm == "md5" and not due:
            warnings.append(
                f"The password of role {role} is stored as MD5, which Postgres gives up. It was left as it "
                "is, since user lists of PgBouncer may hold it; O(update_password=always) makes it SCRAM."
            )
        if self.days_left is not None and self.days_left <= DAYS:
            rest = f"days left: {self.days_left}" if self.days_left > 0 else "which is over"
            warnings.append(
                f"The password of role {role} is valid until {self.until} ({rest}). After that, Omni "
                "cannot log in. Set O(valid_until) to a later day."
            )
        return warnings
