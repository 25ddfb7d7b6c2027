# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the real `ansible-playbook` in a clean environment, and reads back what every task did.

play() runs a list of tasks, playbook() a playbook of the collection, module() and modules() single modules;
started() gives a run while it is still going.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import psutil
import yaml

Door = Literal["in_process", "module"]
Hosts = Sequence[str] | Mapping[str, Mapping[str, Any]]

DOORS: tuple[Door, ...] = ("in_process", "module")
ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = ROOT / ".build" / "collections"


class HarnessError(Exception):
    """A run did not get as far as the results that were asked for; the text is what Ansible printed."""


@dataclass
class Result:
    """What one task did on one host."""

    host: str
    task: str
    action: str
    status: Literal["ok", "changed", "failed", "unreachable", "skipped"]
    ignored: bool
    result: dict[str, Any]


@dataclass
class Run:
    """A finished run.

    recap: per host, how many tasks were ok, changed, failed, unreachable, skipped, rescued, ignored.
    """

    rc: int
    stdout: str
    stderr: str
    seconds: float
    results: list[Result] = field(default_factory=list)
    recap: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All that Ansible printed."""
        return self.stdout + self.stderr

    def result(self, task_name: str, host: str | None = None) -> Result:
        """Returns the one result of a task, on that host if given; raises HarnessError if it is not just one.

        A role's task goes by its own name or by "role : name".
        """
        found = [
            result
            for result in self.results
            if task_name in (result.task, result.task.rpartition(" : ")[2]) and host in (None, result.host)
        ]
        if len(found) != 1:
            on = f" on {host}" if host else ""
            raise HarnessError(f"{len(found)} results of task {task_name!r}{on}\n{self.text}")
        return found[0]


class Playing:
    """A run that is going on, and every process that belongs to it."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], folder: Path) -> None:
        # Found in the environment of each process of the run: Ansible's workers leave its process group.
        self._marker = str(uuid.uuid4())
        self._results = folder / "results.jsonl"
        self._stdout, self._stderr = folder / "stdout", folder / "stderr"
        self._begin = time.monotonic()
        with self._stdout.open("wb") as stdout, self._stderr.open("wb") as stderr:
            # Into files: a pipe would stay open for as long as any process left behind.
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                cwd=folder,
                env={**env, "HARNESS_RESULTS": str(self._results), "HARNESS_RUN": self._marker},
                start_new_session=True,
            )

    def interrupt(self) -> None:
        """What Ctrl-C does: SIGINT to the whole process group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def processes(self) -> list[psutil.Process]:
        """Returns the run's processes that are alive, those that ansible-playbook left behind included."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("HARNESS_RUN") == self._marker:
                    found.append(process)
        return found

    def finish(self, timeout: float = 120) -> Run:
        """Waits for the run's end. Raises HarnessError, with the output so far, after `timeout` seconds."""
        try:
            rc = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise HarnessError(f"still running after {timeout:g} s\n{self.output()}") from None
        run = Run(rc, self._stdout.read_text(), self._stderr.read_text(), time.monotonic() - self._begin)
        if self._results.exists():
            for line in map(json.loads, self._results.read_text().splitlines()):
                if "recap" in line:
                    run.recap = line["recap"]
                else:
                    run.results.append(Result(**line))
        return run

    def output(self) -> str:
        """Returns what the run has printed so far."""
        return self._stdout.read_text() + self._stderr.read_text()

    def kill(self) -> None:
        """Ends whatever of the run is still there."""
        self.process.kill()
        self.process.wait()
        while left := self.processes():
            for process in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(left, timeout=5)


@contextlib.contextmanager
def started(
    source: str | Path | Sequence[Mapping[str, Any]],
    *,
    door: Door,
    hosts: Hosts | None = None,
    vars: Mapping[str, Any] | None = None,
    check: bool = False,
    diff: bool = False,
    verbosity: int = 0,
    tags: Sequence[str] = (),
    extra_args: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
) -> Iterator[Playing]:
    """Starts ansible-playbook, and ends whatever is left of it when the block ends.

    source: a playbook's path or collection name, or a list of plays.
    door: which of the two doors the collection's tasks shall take.
    hosts: names, or variables by name; default: localhost alone. Their connection is local.
    vars: variables of all hosts, in the inventory.
    env: on top of an environment that has nothing of the caller's but its temporary directory.
    """
    if hosts is None or not isinstance(hosts, Mapping):
        hosts = {name: {} for name in hosts or ["localhost"]}
    common: dict[str, Any] = {"ansible_connection": "local", "omni_connect_in_process": door == "in_process"}
    if door == "module":
        common["ansible_python_interpreter"] = sys.executable
    inventory = {
        "all": {
            "vars": {**common, **(vars or {})},
            "hosts": {name: dict(host_vars) for name, host_vars in hosts.items()},
        }
    }
    with tempfile.TemporaryDirectory(prefix="omni-play-") as temporary:
        folder = Path(temporary)
        _write_yaml(folder / "inventory.yml", inventory)
        if not isinstance(source, str | Path):
            source = _write_yaml(folder / "playbook.yml", source)
        command = [str(_ansible_playbook()), "-i", str(folder / "inventory.yml"), str(source)]
        command += ["--check"] * check + ["--diff"] * diff
        command += ["-" + "v" * verbosity] if verbosity else []
        command += ["--tags", ",".join(tags)] if tags else []
        playing = Playing([*command, *extra_args], {**_clean_env(folder), **(env or {})}, folder)
        try:
            yield playing
        finally:
            playing.kill()


def playbook(
    source: str | Path | Sequence[Mapping[str, Any]], *, timeout: float = 120, **options: Any
) -> Run:
    """Runs a playbook to its end, in at most `timeout` seconds; for the options see started()."""
    with started(source, **options) as playing:
        return playing.finish(timeout)


def play(
    tasks: Sequence[Mapping[str, Any]],
    *,
    door: Door,
    hosts: Hosts | None = None,
    vars: Mapping[str, Any] | None = None,
    check: bool = False,
    diff: bool = False,
    verbosity: int = 0,
    tags: Sequence[str] = (),
    extra_args: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    timeout: float = 120,
    play_keywords: Mapping[str, Any] | None = None,
) -> Run:
    """Runs tasks in one play over all hosts, with `play_keywords` on it. For the rest see started()."""
    return playbook(
        plays(tasks, play_keywords),
        door=door,
        hosts=hosts,
        vars=vars,
        check=check,
        diff=diff,
        verbosity=verbosity,
        tags=tags,
        extra_args=extra_args,
        env=env,
        timeout=timeout,
    )


def plays(
    tasks: Sequence[Mapping[str, Any]], play_keywords: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Returns the list of plays that play() runs, for started()."""
    return [{"hosts": "all", "gather_facts": False, "tasks": list(tasks), **(play_keywords or {})}]


def modules(calls: Sequence[tuple[Any, ...]], *, door: Door, **options: Any) -> list[dict[str, Any]]:
    """Runs modules one after the other in a single play, failed or not, and returns their results.

    calls: (name, arguments) or (name, arguments, task keywords); a name without a dot is the collection's.
    Each result has `failed` and `changed`, as in a registered variable. Options: see play().
    """
    tasks = []
    for number, (name, arguments, *keywords) in enumerate(calls):
        fqcn = name if "." in name else f"omni_analytics.connect.{name}"
        tasks.append(
            {"name": f"call {number}", "ignore_errors": True, fqcn: arguments, **(keywords or [{}])[0]}
        )
    run = play(tasks, door=door, **options)
    results = [run.result(task["name"]) for task in tasks]
    return [
        {"changed": False, **item.result, "failed": item.status in ("failed", "unreachable")}
        for item in results
    ]


def module(name: str, arguments: Mapping[str, Any], *, door: Door, **options: Any) -> dict[str, Any]:
    """Runs one module and returns its result; see modules()."""
    return modules([(name, arguments)], door=door, **options)[0]


def link_collection() -> Path:
    """Makes the checkout importable as the collection that it is; returns the collections folder."""
    link = COLLECTIONS / "ansible_collections" / "omni_analytics" / "connect"
    link.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):  # made before, or by another test worker just now
        link.symlink_to(os.path.relpath(ROOT, link.parent), target_is_directory=True)
    return COLLECTIONS


def _ansible_playbook() -> Path:
    return Path(sys.prefix) / "bin" / "ansible-playbook"


def _clean_env(folder: Path) -> dict[str, str]:
    (folder / "ansible.cfg").touch()
    return {
        "TMPDIR": tempfile.gettempdir(),
        # Not the caller's, where Ansible would discover any Python, such as a version manager's shim.
        "PATH": f"{sys.prefix}/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "HOME": str(folder),
        "LC_ALL": "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8",
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "local"),
        "ANSIBLE_REMOTE_TEMP": str(folder / "remote"),
        "ANSIBLE_COLLECTIONS_PATH": str(link_collection()),
        "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false",
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callback_plugins"),
        "ANSIBLE_CALLBACKS_ENABLED": "json_lines",
        "ANSIBLE_PYTHON_INTERPRETER": "auto_silent",
        # A shipped module costs a tenth less so. Tests of how it is shipped, and ends, put it back.
        "ANSIBLE_PIPELINING": "true",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_NOCOWS": "true",
    }


def _write_yaml(path: Path, data: Any) -> Path:
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return path
