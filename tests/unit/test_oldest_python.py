# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is shipped to hosts runs there on Python 3.8, which may not be on the machine that runs the tests.

`dict[str, int]` is an error there, except in an annotation, which nobody evaluates.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
BUILTIN = {"dict", "frozenset", "list", "set", "tuple", "type"}
SHIPPED = sorted([*PLUGINS.glob("module_utils/**/*.py"), *PLUGINS.glob("modules/*.py")])


def evaluated(node: ast.AST) -> Iterator[ast.AST]:
    """All below the node but annotations, and what is for type checkers alone."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            only_checked = isinstance(child, ast.If) and getattr(child.test, "id", "") == "TYPE_CHECKING"
            if isinstance(child, ast.AST) and not only_checked:
                yield from evaluated(child)


def subscripted(source: str) -> list[int]:
    """The lines on which a type is subscripted that Python 3.8 cannot subscript."""
    tree: Any = ast.parse(source, feature_version=(3, 8))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    abstract = {
        name.asname or name.name
        for node in imports
        if node.module == "collections.abc"
        for name in node.names
    }
    return [
        node.lineno
        for node in evaluated(tree)
        if isinstance(node, ast.Subscript) and getattr(node.value, "id", "") in BUILTIN | abstract
    ]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(PLUGINS)))
def test_nothing_newer_is_evaluated(path: Path) -> None:
    assert subscripted(path.read_text()) == []


def test_what_would_be_found() -> None:
    head = "from collections.abc import Callable\nfrom typing import Dict\n"
    for bad in ("A = dict[str, int]", "A = Callable[[], int]", "class A(tuple[int, int]): ..."):
        assert subscripted(head + bad) == [3]
    for good in (
        "A = Dict[str, int]",
        "a: dict[str, int] = {}",
        "def f(a: Callable[[], int]) -> list[int]: ...",
    ):
        assert subscripted(head + good) == []
