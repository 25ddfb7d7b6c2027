# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pages and the metadata say of versions is what is tested."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.runners import versions
from tests.sandbox import postgres_versions

ROOT = Path(__file__).resolve().parents[2]
ANSIBLE_CORE = sorted(versions.VERSIONS, key=lambda version: int(version.partition(".")[2]))
README = " ".join((ROOT / "README.md").read_text().split())


def only(pattern: str, text: str) -> tuple[str, ...]:
    """What the groups of the pattern match in the one place where it does."""
    (found,) = re.finditer(pattern, text, re.MULTILINE)
    return found.groups()


def test_the_readme_names_the_tested_versions_of_ansible_core() -> None:
    oldest, listed, newest = only(
        r"ansible-core (\d+\.\d+) or newer on the controller, tested with ((?:\d+\.\d+, )*\d+\.\d+) and (\d+\.\d+)",
        README,
    )
    assert [*listed.split(", "), newest] == ANSIBLE_CORE
    assert oldest == ANSIBLE_CORE[0]


def test_the_metadata_wants_what_is_tested() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())
    assert runtime["requires_ansible"] == f">={ANSIBLE_CORE[0]}.0"
    role = yaml.safe_load((ROOT / "roles" / "omni_postgres" / "meta" / "main.yml").read_text())
    assert str(role["galaxy_info"]["min_ansible_version"]) == ANSIBLE_CORE[0]
    oldest, bound = only(
        r"^ansible-core>=([\d.]+),<([\d.]+)$", (ROOT / "tests" / "requirements-demo.txt").read_text()
    )
    assert oldest == ANSIBLE_CORE[0]
    major, minor = ANSIBLE_CORE[-1].split(".")
    assert bound == f"{major}.{int(minor) + 1}"


def test_the_pages_name_the_tested_pythons_and_servers() -> None:
    assert only(r"Python (\d\.\d+) or newer on hosts to which modules are shipped", README) == (
        versions.TARGET_PYTHON,
    )
    servers = [str(major) for major in (min(postgres_versions.VERSIONS), max(postgres_versions.VERSIONS))]
    assert only(r"PostgreSQL (\d+) or newer, tested with \d+ to (\d+)", README) == tuple(servers)
    assert only(r"PostgreSQL \d+ or newer, tested with (\d+) to \d+", README) == (servers[0],)


def test_contributing_says_how_the_newest_is_had() -> None:
    page = " ".join((ROOT / "CONTRIBUTING.md").read_text().split())
    needs = versions.VERSIONS[ANSIBLE_CORE[-1]][0]
    assert only(r"ansible-core (\d+\.\d+), the newest, needs Python (\d+\.\d+)", page) == (
        ANSIBLE_CORE[-1],
        needs,
    )


@pytest.mark.parametrize(("allow_skip", "code"), [("", 1), ("1", 0)])
def test_a_python_that_is_missing_is_said(
    allow_skip: str,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("ALLOW_SKIP", allow_skip)
    monkeypatch.setattr("sys.argv", ["versions", ANSIBLE_CORE[-1]])
    assert versions.main() == code
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith(f"ansible-core {ANSIBLE_CORE[-1]}  NOT TESTED")
