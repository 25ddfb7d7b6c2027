# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages name tests and pages that there are, and each module documents what it shares with others."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from ansible_collections.omni_analytics.connect.plugins.module_utils import _errors

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "quirks.md").read_text()


def test_every_test_that_the_page_names_is_there() -> None:
    named = re.findall(r"`((?:unit|integration)/[\w/]+\.py)(?:::(\w+))?`", PAGE)
    assert len(named) > 22
    for file, test in named:
        text = (ROOT / "tests" / file).read_text()
        assert not test or f"def {test}(" in text, (file, test)


def headings(page: Path) -> set[str]:
    """The anchors of a page, as its headings make them."""
    found = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


def test_every_link_to_a_page_of_the_project_leads_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("roles/**/*.md")]
    followed = 0
    for page in pages:
        for target, anchor in re.findall(r"\]\(([^)#\s:]*)(?:#([^)]*))?\)", page.read_text()):
            led_to = page.parent / target if target else page
            assert led_to.exists(), (page, target)
            assert not anchor or anchor in headings(led_to), (page, target, anchor)
            followed += 1
    assert followed > 20


def test_every_quirk_is_on_the_page() -> None:
    found = re.findall(r"^\| Q(\d+) \|", PAGE, re.MULTILINE)
    assert len(found) >= 22
    assert found == [str(number) for number in range(1, len(found) + 1)]


def test_every_test_that_the_page_on_postgres_names_is_there() -> None:
    page = (ROOT / "docs" / "postgres.md").read_text()
    found = 0
    for group in re.findall(r"`([a-z]+/test_\w+)\.py`: ((?:`[\w]+…?`(?:, )?)+)", page):
        text = (ROOT / "tests" / "integration" / f"{group[0]}.py").read_text()
        for name in re.findall(r"`(\w+)…?`", group[1]):
            assert f"def test_{name}" in text, (group[0], name)
            found += 1
    assert found > 40


PAGES = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "roles" / "omni_postgres" / "README.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_of_the_inventory_are_found_from_any_playbook(page: Path) -> None:
    """A relative name begins at the playbook, which for the collection's own is the installed collection."""
    assert not re.findall(r"lookup\('ansible\.builtin\.file', '(?!/)[^)]*\)", page.read_text())
    assert not re.findall(r"omni_postgres_record_path: (?![\"'{/]).*", page.read_text())


MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))


@pytest.mark.parametrize("module", MODULES)
def test_every_kind_of_error_is_documented(module: str) -> None:
    """All but those that nobody sees: the family's root, and a task that is skipped."""
    kinds = {
        one.kind
        for dummy, one in inspect.getmembers(_errors, inspect.isclass)
        if issubclass(one, _errors.ConnectError)
    }
    kinds = kinds - {"error", "skipped"} | {"bug"}
    documented = import_module(f"ansible_collections.omni_analytics.connect.plugins.modules.{module}").RETURN
    text = " ".join(yaml.safe_load(documented)["error"]["contains"]["kind"]["description"])
    assert set(re.findall(r"C\((\w+)\) (?:is|are) ", text)) == kinds


def test_the_least_version_of_requests_is_the_same_everywhere() -> None:
    said = {
        path: re.search(pattern, (ROOT / path).read_text())
        for path, pattern in {
            "requirements.txt": r"(?m)^requests>=([\d.]+)$",
            "README.md": r"`requests` ([\d.]+)\+",
            "plugins/doc_fragments/omni.py": r"requests >= ([\d.]+)",
        }.items()
    }
    assert {found and found[1] for found in said.values()} == {"2.25"}, said


def test_each_module_documents_its_action_group_and_no_note_twice() -> None:
    names = [f"omni_analytics.connect.{module}" for module in MODULES]
    listed = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-doc")), "--json", *names],
        env={"ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "collections"), "HOME": str(ROOT / ".build")},
        check=True,
        capture_output=True,
        text=True,
    )
    documented = {name: entry["doc"] for name, entry in json.loads(listed.stdout).items()}
    assert sorted(documented) == names
    for name, doc in documented.items():
        assert doc["attributes"].keys() >= {"check_mode", "diff_mode", "idempotent", "action_group"}, name
        assert len(doc["notes"]) == len(set(doc["notes"])), name
