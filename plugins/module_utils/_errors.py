# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can go wrong, in one family.

An error says what was being done, to what, what the other side said, and what to do next.
The layers below raise these; only the two doors turn them into a failed task.
"""

from __future__ import annotations

from typing import Any


class ConnectError(Exception):
    """The root of the family.

    :param doing: what was being done, and to what; opens the message.
    :param said: what the server, or the check that failed, said.
    :param todo: what the reader can do next.
    :param detail: machine-readable facts for the task's result (SQLSTATE, HTTP status, names, ids).
    """

    kind = "error"

    def __init__(self, doing: str, said: str = "", todo: str = "", **detail: Any) -> None:
        self.doing = doing
        self.said = " ".join(said.split())
        message = f"{doing}: {self.said}" if self.said else doing
        if todo:
            message = (
                f"{message} {todo}" if message.endswith(("?", "!")) else f"{message.rstrip('.')}. {todo}"
            )
        super().__init__(message)
        self.detail = detail
        #: what the task had already done, as a result has it
        self.partial: dict[str, Any] = {}
        #: values of options that must not be shown, though nothing marks their option as a secret
        self.secrets: set[str] = set()

    def result(self) -> dict[str, Any]:
        """What a failed task returns."""
        return {
            **self.partial,
            "failed": True,
            "msg": str(self),
            "error": {"kind": self.kind, **self.detail},
        }


class InvalidInput(ConnectError):
    """The options contradict each other, or no server could accept them. Nothing was sent."""

    kind = "invalid_input"


def out_of_range(option: str, value: int, todo: str) -> InvalidInput:
    """The error about a number that an option cannot have."""
    return InvalidInput(f"Reading O({option})", f"{value} is out of range", todo)


class MissingLibrary(ConnectError):
    """A Python library that the module needs does not import where it runs."""

    kind = "missing_library"


class Unreachable(ConnectError):
    """No usable connection to the other side: address, TLS, login, or silence."""

    kind = "unreachable"


class Refused(ConnectError):
    """The other side was reached, and said no."""

    kind = "refused"


class Prerequisite(ConnectError):
    """Something that an earlier step makes is not there."""

    kind = "prerequisite"


class Conflict(ConnectError):
    """What is there cannot be made what is wanted, and it is for a person to choose how to go on."""

    kind = "conflict"


class NotConverged(ConnectError):
    """Everything was sent and accepted, and what is wanted is still not there."""

    kind = "not_converged"


class Skipped(ConnectError):
    """There is something to do that the options say to leave alone here. The task is skipped, not failed."""

    kind = "skipped"

    def result(self) -> dict[str, Any]:
        return {"changed": False, "skipped": True, "skip_reason": str(self)}


class Moved(ConnectError):
    """The other side changed between the read and the write, or nobody knows whether a write arrived; a fresh
    read settles it.

    :param change: the change whose answer was lost, where there is one.
    """

    kind = "moved"

    def __init__(self, doing: str, said: str = "", todo: str = "", change: Any = None, **detail: Any) -> None:
        super().__init__(doing, said, todo, **detail)
        self.change = change


class Abandoned(ConnectError):
    """Nobody waits for this task any more: ansible-playbook was killed. Nothing more is written."""

    kind = "abandoned"
