# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages name options as the caller wrote them.

Below the doors, an option in a message is marked as in Ansible's documentation: ``O(login_db)``, or
``O(state=absent)`` with a value. A door puts the caller's name in its place: ``login_db`` and ``state: absent``
in a task, ``omni_postgres_database`` in the role. An option of another module, which the caller may have no
name for, goes by its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_MARK = re.compile(r"\bO\(([a-z][a-z0-9_]*)(?:=([^()]*))?\)")
#: Where ansible-core names options in what it says of arguments that do not fit. The groups are the names.
_VALIDATION = tuple(
    map(
        re.compile,
        (
            r"missing required arguments: ([\w, ]+)$",
            r"one of the following is required: ([\w, ]+)$",
            r"parameters are required together: ([\w, ]+)$",
            r"parameters are mutually exclusive: ([\w|, ]+)$",
            r"(\w+) is .* but (?:any|all) of the following are missing: ([\w, ]+)$",
            r"argument '(\w+)' is of type ",
            r"Elements value for option '(\w+)' is of type ",
            r"value of (\w+) must be one ",
        ),
    )
)


def render(
    result: Mapping[str, Any],
    options: Mapping[str, Mapping[str, Any]],
    names: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The task's ``result`` with the caller's names in all that is said to people.

    :param options: the module's argument spec.
    :param names: what the caller calls an option, where that is not its own name.
    """
    names = names or {}

    def in_text(text: str) -> str:
        def named(found: re.Match[str]) -> str:
            name = names.get(found[1], found[1])
            return name if found[2] is None else f"{name}: {found[2]}"

        return _MARK.sub(named, _marked(text, options))

    rendered = dict(result)
    for key in ("msg", "skip_reason"):
        if isinstance(result.get(key), str):
            rendered[key] = in_text(result[key])
    if isinstance(result.get("warnings"), (list, tuple)):
        # Ansible's own warnings of a shipped module are no text, from 2.19 on.
        rendered["warnings"] = [in_text(one) if isinstance(one, str) else one for one in result["warnings"]]
    return rendered


def _marked(text: str, options: Mapping[str, Mapping[str, Any]]) -> str:
    """What ansible-core says of arguments that do not fit, with its names of options marked as ours are. One
    that is missing and may come from the environment is named with its environment variable."""
    found = next(filter(None, (pattern.match(text) for pattern in _VALIDATION)), None)
    if found is None:
        return text
    missing = text.startswith("missing required")
    parts, at = [], 0
    for group in range(1, len(found.groups()) + 1):
        begin, end = found.span(group)
        names = re.sub(r"\w+", lambda word: _mark(word[0], options, missing), text[begin:end])
        parts += [text[at:begin], names]
        at = end
    return "".join([*parts, text[at:]])


def _mark(name: str, options: Mapping[str, Mapping[str, Any]], missing: bool) -> str:
    if name not in options:
        return name
    variables = options[name].get("fallback", (None, ()))[1]
    if missing and variables:
        return f"O({name}) (or {' or '.join(variables)} in the environment)"
    return f"O({name})"
