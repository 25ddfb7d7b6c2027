# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module as data: its options, and how to build its resource from them. Both doors go through here."""

from __future__ import annotations

import platform
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ansible.module_utils.basic import env_fallback

from ._converge import Resource, converge
from ._errors import ConnectError, MissingLibrary

#: Where the result of a shipped module has its warnings, for the action plugin to render: from ansible-core 2.21 on,
#: what a module says by AnsibleModule.warn goes past the plugin.
UNRENDERED = "unrendered_warnings"


def from_environment(*names: str) -> tuple[Any, list[str]]:
    """The fallback of an option that may come from environment variables; the first one set wins."""
    return (env_fallback, list(names))


class Library(NamedTuple):
    """A Python library that one half of the collection stands on.

    :param error: why it does not import, or None where it does.
    """

    name: str
    package: str
    error: ImportError | None

    def require(self, what_for: str = "") -> None:
        """
        :param what_for: follows the name of what is missing, in the message.
        :raises MissingLibrary: says in which Python, on which machine, and how it gets there.
        """
        if self.error is not None:
            raise MissingLibrary(
                f"Importing {self.name} in {sys.executable} on {platform.node()}{what_for}",
                str(self.error),
                f"Install it there: {self.how_to_install()}.",
                library=self.name,
            )

    def how_to_install(self) -> str:
        """What gets it into this Python."""
        pip = f"{sys.executable} -m pip install {self.package}"
        if sys.prefix != sys.base_prefix:
            return pip
        # It may be the system's own, where pip is mostly refused.
        return f"apt install python3-{self.name}, where that is Debian's own Python; else {pip}"

    def shipped(self, run_dir: str) -> Path:
        """A file that is touched after each task of a run which needs this library, and was shipped: it may
        have written what the tasks in the run's own processes did not see."""
        return Path(run_dir, f"omni_analytics.connect.{self.name}")


class Definition(NamedTuple):
    """A module's argument spec, the library it needs, and how to build its resource.

    :param rules: AnsibleModule's ``required_if``, ``mutually_exclusive`` and the rest, by name.
    """

    build: Callable[[Mapping[str, Any]], Resource]
    options: Mapping[str, Mapping[str, Any]]
    library: Library
    rules: Mapping[str, Any] = {}

    def perform(
        self,
        params: Mapping[str, Any],
        check_mode: bool,
        progress: Callable[[str], None] | None = None,
        run_dir: str | None = None,
        before_write: Callable[[], None] | None = None,
    ) -> tuple[dict[str, Any], set[str]]:
        """Run the module with validated ``params``; never raises an Exception.

        :param progress: shows people a line while the module works; see Resource.
        :param run_dir: a folder that the tasks of one run share; see Resource.
        :param before_write: raises Abandoned where nobody waits for the task any more; see Resource.
        :return: the task's result (``failed`` and ``msg`` in it where it failed), and the secrets
            that were made on the way, which the door masks together with its own.
        """
        secrets: set[str] = set()
        try:
            self.library.require()
            resource = self.build(params)
            secrets = resource.secrets
            resource.progress = progress or resource.progress
            resource.before_write = before_write or resource.before_write
            resource.run_dir = run_dir
            resource.check_mode = check_mode
            with resource:
                return _in_one_line(converge(resource, check_mode)), secrets
        except ConnectError as error:
            return _in_one_line(error.result()), secrets | error.secrets
        except Exception as error:  # a bug of ours must fail one task, not the run
            return {
                "failed": True,
                "msg": f"Unexpected {type(error).__name__}: {error}. This is a bug in omni_analytics.connect.",
                "exception": traceback.format_exc(),
                "error": {"kind": "bug"},
            }, secrets


def _in_one_line(result: dict[str, Any]) -> dict[str, Any]:
    """``result`` with a message of one line: a name that Postgres takes may hold the end of one."""
    return {**result, "msg": result["msg"].replace("\n", "\\n")} if "msg" in result else result
