# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the whole role costs a host where all is as wanted, as far as it can be counted: nobody pays for more unseen."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from tests.helpers import harness
from tests.helpers.postgres_modules import Watch, unwritten
from tests.sandbox.fake_omni import FakeOmni
from tests.sandbox.postgres import PostgresServer
from tests.sandbox.way import Way

CONNECT = "omni_analytics.connect.connect"
ROLE = "omni_analytics.connect.omni_postgres"
#: One for each way to Omni that a run needs, however many hosts it has.
REQUESTS = ["GET /api/v1/connections", "GET /api/v1/models"]
#: At most; of the server, where the login may read pg_authid. A query is sent with the settings of its transaction,
#: and is one. Three of the round trips of a connection are its login, and one asks for TLS.
LIMITS = {
    "connections": 4,
    "queries": 7,
    "round trips": 23,
    "tasks": 10,
    "templates in the controller": 1,
    "templates of a task": 3,
    "lexers of all tasks": 0,
}


def test_a_converged_host_costs_little(
    server: PostgresServer,
    database: str,
    omni: FakeOmni,
    admin_login: dict[str, Any],
    role_vars: dict[str, Any],
    tmp_path: Path,
) -> None:
    role_vars |= {f"omni_postgres_{name}": admin_login[name] for name in ("login_user", "login_password")}
    role_vars["omni_postgres_port"] = 5432
    made = harness.playbook(CONNECT, door="in_process", hosts={database: role_vars})
    assert made.rc == 0, made.text

    before = len(omni.requests)
    compiled = tmp_path / "templates"
    environment = {"ANSIBLE_CALLBACKS_ENABLED": "json_lines,templates", "HARNESS_TEMPLATES": str(compiled)}
    with Way(server.port) as way, unwritten(server, database):
        role_vars["omni_postgres_login_port"] = way.port
        watch = Watch(server, database)
        # In a play of one's own, since the playbook has a template in it that Ansible evaluates before it forks.
        run = harness.play(
            [],
            door="in_process",
            hosts={database: role_vars},
            env=environment,
            play_keywords={"roles": [ROLE]},
        )
        sent = watch.everything
    assert run.recap[database]["changed"] == run.recap[database]["failed"] == 0, run.text

    # Ansible keeps what is registered until the play ends, and looks through it for each task.
    assert not [one.task for one in run.results if "invocation" in one.result]

    controller, *others = compiled.read_text().splitlines()
    by_controller = controller.split()[0]
    lexers = [line.split()[0] for line in others if line.endswith(" lexer")]
    templates = Counter(line.split()[0] for line in others if not line.endswith(" lexer"))
    in_controller = templates.pop(by_controller, 0)
    assert [f"{request['method']} {request['path']}" for request in omni.requests[before:]] == REQUESTS
    found = {
        "connections": way.connections,
        "queries": len([text for text in sent if text != "COMMIT"]),
        "round trips": way.round_trips,
        "tasks": len(run.results),
        "templates in the controller": in_controller,
        "templates of a task": max(templates.values()),
        "lexers of all tasks": len(lexers) - lexers.count(by_controller),
    }
    assert {name: count for name, count in found.items() if count > LIMITS[name]} == {}, found
