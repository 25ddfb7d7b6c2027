# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's steps in Omni for a fleet of hosts, against the fake Omni: no database is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tests.helpers import harness
from tests.sandbox.fake_omni import FakeOmni

STEPS = ("omni_connection", "omni_model", "omni_schedule")
SCHEDULES = [{"schedule": "0 2 * * ? *", "timezone": "Europe/Berlin"}]
#: Models are there at once, and so are refreshed.
QUICK = ("_omni.schema_model:FIRST=0.01",)
PASSWORD = "a password that nobody may see"


def inventory(omni: FakeOmni, hosts: Sequence[str], **given: Any) -> dict[str, dict[str, Any]]:
    """The variables of each host."""
    usual = {
        "omni_postgres_login_host": "db.example.com",
        "omni_postgres_database": "sales",
        "omni_postgres_password": PASSWORD,
        "omni_postgres_api_url": omni.url,
        "omni_postgres_api_token": omni.token,
        "omni_postgres_ca_path": omni.ca_file,
    }
    return {host: {**usual, **given} for host in hosts}


def names(count: int) -> list[str]:
    return [f"db{number:03}" for number in range(count)]


def connect(
    hosts: Mapping[str, Mapping[str, Any]],
    *,
    tags: Sequence[str] = STEPS,
    forks: int = 20,
    play: Mapping[str, Any] | None = None,
    patches: Sequence[str] = (),
    extra_args: Sequence[str] = (),
    door: harness.Door = "in_process",
) -> harness.Run:
    """Run the role's steps of those tags.

    :param play: keywords of the play.
    :param patches: constants of the collection; see callback_plugins/patches.py.
    """
    role = {"name": "omni_analytics.connect.omni_postgres", "tasks_from": "main"}
    tasks = [{"ansible.builtin.import_role": role}]
    return harness.play(
        tasks,
        door=door,
        hosts=hosts,
        tags=tags,
        play_keywords=play,
        extra_args=["--forks", str(forks), *extra_args],
        env={
            "ANSIBLE_CALLBACKS_ENABLED": "json_lines,patches",
            "HARNESS_PATCHES": " ".join([*QUICK, *patches]),
        },
        timeout=600,
    )


def asked(omni: FakeOmni, since: int = 0) -> Counter[str]:
    """How many requests of each kind Omni got, from the one of that number on: method, and path with * for ids."""
    found: Counter[str] = Counter()
    for request in omni.requests[since:]:
        parts = request["path"].removeprefix("/api/v1/").split("/")
        path = "/".join("*" if number % 2 else part for number, part in enumerate(parts))
        found[f"{request['method']} {path}"] += 1
    return found
