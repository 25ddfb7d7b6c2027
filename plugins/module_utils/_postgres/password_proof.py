# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a role's password is the one given, found out by logging in as the role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._errors import Unreachable
from .login import Login
from .login_errors import LoginRefused
from .session import Session

NOT_ASKED = "the server let the role in without asking for a password"


def prove_password(params: Mapping[str, Any], login: Login) -> tuple[str, str]:
    """What a login with its password shows: fits, differs or unknown; and how, or why not."""
    try:
        with Session(params, login) as session:
            return ("fits", "by logging in") if session.asked_for_password else ("unknown", NOT_ASKED)
    except LoginRefused as refused:
        return judge_refusal(params, login, refused)
    except Unreachable as silent:
        return "unknown", silent.said


def judge_refusal(params: Mapping[str, Any], login: Login, refused: LoginRefused) -> tuple[str, str]:
    """What a login that was refused shows of its password; as :func:`prove_password`."""
    if refused.wrong_password:
        return "differs", "by logging in"
    if refused.past_the_password and _asks_for_password(params, login):
        return "fits", "by logging in"
    return "unknown", refused.said


def _asks_for_password(params: Mapping[str, Any], login: Login) -> bool:
    """Whether the server wants a password for this login. Without one to give, libpq ends it by itself, so
    nothing that counts wrong passwords has anything to count."""
    try:
        with Session(params, login.as_user(str(login.user), "")) as session:
            return session.asked_for_password
    except Unreachable as refused:
        return "no password supplied" in refused.said
