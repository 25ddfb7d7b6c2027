# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tests and the quality gates: runs them all, then says in one table how each ended.

The tests run beside the gates, which run one after the other: tests wait for servers half of their time. What
the tests print is shown as it comes, what a gate prints when it has ended.

``python -m tests.runners.gates [GATE …]`` runs the named ones, or all. It exits 1 if a gate failed or could not run;
with ``ALLOW_SKIP=1`` in the environment, one that could not run counts as skipped.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from ansible_test._util.target.common.constants import CONTROLLER_PYTHON_VERSIONS, REMOTE_ONLY_PYTHON_VERSIONS

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / ".build"
# Not resolved: a virtual environment's Python is a link to the one it was made with.
BIN = Path(sys.executable).parent
# Where a gate runs that must see the collection under its name, and nothing that git does not.
TREE = BUILD / "tree"
COLLECTION = TREE / "ansible_collections" / "omni_analytics" / "connect"
AS_COLLECTION = {"ANSIBLE_COLLECTIONS_PATH": str(TREE)}

# In place of the script that ansible-test downloads: Python brings a pip of its own. It runs in a process of
# its own, since imported it would switch pip's configuration off for the installation too.
PIP_BOOTSTRAP = """\
import subprocess
import sys

arguments = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
subprocess.run([sys.executable, "-m", "ensurepip"], check=True)
subprocess.run([sys.executable, "-m", "pip", "install", *arguments], check=True)
"""
# What pip has below the home folder: configuration, credentials and cache.
PIP_AT_HOME = (
    ".config/pip",
    ".pip",
    ".netrc",
    ".cache/pip",
    "Library/Application Support/pip",
    "Library/Caches/pip",
)


# What the gate that runs in this thread prints, until it is shown; None: it is shown as it comes.
printed = threading.local()


class Failed(Exception):
    """A gate found something wrong. Its second argument is what the tool printed."""


class CouldNotRun(Exception):
    """A gate lacks something that this machine does not have."""


def say(text: str) -> None:
    """Print a text now, or when the gate that says it has ended."""
    if getattr(printed, "lines", None) is None:
        print(text, end="", flush=True)
    else:
        printed.lines.append(text)


def run(
    tool: str, *arguments: str | Path, cwd: Path = ROOT, environment: Mapping[str, str] | None = None
) -> str:
    """Run a tool of the virtual environment, show what it prints while it does, and return that.

    Raises Failed if it exits non-zero.
    """
    say(f"$ {tool} {' '.join(map(str, arguments))}\n")
    path = os.pathsep.join([str(BIN), os.environ["PATH"]])
    try:
        process = subprocess.Popen(
            [BIN / tool, *arguments],
            cwd=cwd,
            env={**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except FileNotFoundError as error:
        raise CouldNotRun(f"{tool} is not in {BIN}") from error
    assert process.stdout
    lines = []
    for line in process.stdout:
        say(line)
        lines.append(line)
    output = "".join(lines)
    if process.wait():
        raise Failed(f"{tool} exited with {process.returncode}", output)
    return output


def tracked_files() -> list[str]:
    """The files that belong to the checkout, whether committed yet or not, relative to its root."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


def copy_tree() -> None:
    shutil.rmtree(TREE, ignore_errors=True)
    for name in tracked_files():
        target = COLLECTION / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target, follow_symlinks=False)
    # ansible-test takes its list of files from git.
    subprocess.run(["git", "init", "--quiet"], cwd=COLLECTION, check=True)


def tests() -> None:
    # The matrix has the clusters, whose programs few machines have.
    run("python", "-m", "pytest", "-n", "auto", "--dist", "worksteal", "--ignore=tests/integration/clusters")


def sanity() -> str:
    """All of ansible-test's sanity tests, on the Pythons that are here. Returns which they are."""
    # ansible-test keeps its environments and the script below the home folder, and passes little else of the
    # environment on to pip.
    home = BUILD / "sanity-home"
    home.mkdir(parents=True, exist_ok=True)
    for name in PIP_AT_HOME:
        if (Path.home() / name).exists() and not (home / name).exists():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).symlink_to(Path.home() / name)

    controller = ".".join(map(str, sys.version_info[:2]))
    versions = [*REMOTE_ONLY_PYTHON_VERSIONS, *CONTROLLER_PYTHON_VERSIONS]
    folders = {version: folder for version in versions if (folder := python_folder(version))}
    folders[controller] = str(BIN)

    def ansible_test() -> str:
        return run(
            "ansible-test",
            "sanity",
            "--color=no",
            f"--controller=origin:python={controller}",
            *(f"--target-python={version}" for version in folders),
            cwd=COLLECTION,
            environment={
                "HOME": str(home),
                "PATH": os.pathsep.join([str(BIN), *folders.values(), os.environ["PATH"]]),
            },
        )

    try:
        try:
            output = ansible_test()
        except Failed as failure:
            script = re.search(r"bootstrap script can be manually .* saved to: (.+)", failure.args[1])
            if not script:
                raise
            Path(script[1]).write_text(PIP_BOOTSTRAP)
            output = ansible_test()
    except Failed as failure:
        # It stopped early and found nothing wrong: its surroundings failed, the package index for example.
        fatal = re.search(r"^FATAL: (.+)", failure.args[1], re.MULTILINE)
        if fatal and not re.search(
            r"^ERROR: Found |sanity test\(s\) listed below", failure.args[1], re.MULTILINE
        ):
            raise CouldNotRun(fatal[1]) from failure
        raise

    absent = [version for version in versions if version not in folders]
    without = sorted(set(re.findall(r'Required program "(.+?)" not found', output)))
    note = f"Python {', '.join(folders)}"
    return f"{note}; not on this machine: {', '.join(absent + without)}" if absent or without else note


def python_folder(version: str) -> str | None:
    """The folder of that Python's executable, if there is one here that can make a virtual environment."""
    find = "import os, sys, ensurepip, venv; print(os.path.dirname(os.path.realpath(sys.executable)))"
    try:
        # A version manager's stand-in may be on the path for a Python that it does not run.
        found = subprocess.run([f"python{version}", "-c", find], check=True, capture_output=True, text=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()


def ansible_lint() -> None:
    run("ansible-lint", "--strict", "--nocolor", cwd=COLLECTION, environment=AS_COLLECTION)


def ruff() -> None:
    run("ruff", "check")
    run("ruff", "format", "--check")


def mypy() -> None:
    run("mypy")


def shellcheck() -> None:
    scripts = []
    for name in tracked_files():
        with (ROOT / name).open("rb") as file:
            if re.match(rb"#!.*\b(ba)?sh\b", file.readline()):
                scripts.append(name)
    # SC1091: a script sources a file of the machine that it runs on.
    run("shellcheck", "--exclude=SC1091", *scripts)


def changelog() -> None:
    run("antsibull-changelog", "lint", cwd=COLLECTION)
    if (COLLECTION / "changelogs" / "changelog.yaml").exists():
        run("antsibull-changelog", "lint-changelog-yaml", "changelogs/changelog.yaml", cwd=COLLECTION)


def docs() -> None:
    run(
        "antsibull-docs",
        "lint-collection-docs",
        "--plugin-docs",
        "--validate-collection-refs=all",
        ".",
        cwd=COLLECTION,
        environment=AS_COLLECTION,
    )


def artifact() -> None:
    """What users install, built and installed into an empty folder, must run the demo from there."""
    built = BUILD / "artifact"
    installed = built / "installed"
    shutil.rmtree(built, ignore_errors=True)
    environment = {"ANSIBLE_HOME": str(BUILD / "ansible-home"), "ANSIBLE_COLLECTIONS_PATH": str(installed)}
    run("ansible-galaxy", "collection", "build", COLLECTION, "--output-path", built, environment=environment)
    (archive,) = built.glob("*.tar.gz")
    run(
        "ansible-galaxy",
        "collection",
        "install",
        "--offline",
        archive,
        "--collections-path",
        installed,
        environment=environment,
    )
    run("python", "-m", "tests.sandbox.demo", "--collections-path", installed, environment=environment)


GATES: dict[str, Callable[[], str | None]] = {
    "tests": tests,
    "sanity": sanity,
    "ansible-lint": ansible_lint,
    "ruff": ruff,
    "mypy": mypy,
    "shellcheck": shellcheck,
    "changelog": changelog,
    "docs": docs,
    "artifact": artifact,
}


class Ended(NamedTuple):
    """How a gate ended: a line of the table."""

    name: str
    state: str
    seconds: float
    note: str


def pass_through(name: str, at_the_end: bool) -> Ended:
    """Run one gate. What it prints is shown when it has ended, if ``at_the_end``."""
    printed.lines = [] if at_the_end else None
    say(f"\n== {name}\n")
    started = time.monotonic()
    try:
        state, note = "ok", GATES[name]() or ""
    except Failed as failure:
        state, note = "FAILED", failure.args[0]
    except CouldNotRun as reason:
        state, note = "COULD NOT RUN", str(reason)
    if at_the_end:
        print("".join(printed.lines), end="", flush=True)
    return Ended(name, state, time.monotonic() - started, note)


def pass_all(names: Sequence[str]) -> list[Ended]:
    """Run the gates, and the tests beside them."""
    copy_tree()
    with ThreadPoolExecutor(1) as beside:
        running = beside.submit(pass_through, "tests", False) if "tests" in names else None
        ended = [pass_through(name, running is not None) for name in names if name != "tests"]
        return [running.result(), *ended] if running else ended


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs the tests and the quality gates.")
    parser.add_argument("gates", nargs="*", metavar="GATE", help=f"one of {', '.join(GATES)}; none means all")
    parser.add_argument("--without", action="append", default=[], choices=GATES, help="leave a gate out")
    options = parser.parse_args()
    if unknown := set(options.gates) - set(GATES):
        parser.error(f"no such gate: {', '.join(sorted(unknown))}")
    allow_skip = os.environ.get("ALLOW_SKIP") == "1"

    rows = pass_all([name for name in options.gates or GATES if name not in options.without])

    print()
    for row in rows:
        state = "skipped" if allow_skip and row.state == "COULD NOT RUN" else row.state
        print(f"{row.name:13} {state:13} {row.seconds:6.1f} s  {row.note}".rstrip())
    could_not = [row.name for row in rows if row.state == "COULD NOT RUN"]
    if could_not and allow_skip:
        print(f"Skipped, since they could not run here: {', '.join(could_not)}.")
    elif could_not:
        print("A gate that cannot run counts as failed; ALLOW_SKIP=1 lets it be skipped.")
    failed = any(row.state == "FAILED" for row in rows)
    return 1 if failed or (could_not and not allow_skip) else 0


if __name__ == "__main__":
    sys.exit(main())
