# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pair of servers under a real Patroni: the primary is found, and may change at any time."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres import allowlist
from tests.helpers import harness
from tests.helpers.postgres_modules import perform
from tests.sandbox import patroni
from tests.sandbox.patroni import ADDRESSES, RULES, Patroni
from tests.sandbox.postgres import fill, wait_until

TEMPLATE = "sales"
ROLE = "omni"
UPLOADS = "omni_uploads"
DATABASE_STEPS = ["omni_user", "omni_grants", "omni_upload_schema", "omni_verify"]
GRANTS = "Grant what Omni reads, now and later"
#: Of the role in a database: the tables that it can read, those that it was told to read, and its upload schema.
STATE = f"""
SELECT count(*) FILTER (WHERE has_table_privilege('{ROLE}', c.oid, 'SELECT')), count(*),
       has_schema_privilege('{ROLE}', to_regnamespace('{UPLOADS}'), 'CREATE')
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v', 'm')
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Patroni]:
    if None in patroni.programs() and os.environ.get("CI") != "true":
        pytest.skip("NOT TESTED with Patroni: apt-get install patroni etcd-server")
    with Patroni() as running:
        fill(running.primary, TEMPLATE)
        yield running


@pytest.fixture
def pair(cluster: Patroni) -> dict[str, Any]:
    """The role's variables for a database of the pair, whichever is the primary: the standby is named first."""
    cluster.wait_for_both()
    primary = cluster.primary
    hosts = sorted(ADDRESSES, key=lambda address: address == primary.host)
    return {
        "omni_postgres_login_host": ",".join(hosts),
        "omni_postgres_login_port": primary.port,
        "omni_postgres_login_user": primary.dba_user,
        "omni_postgres_login_password": primary.dba_password,
        "omni_postgres_ssl_mode": "prefer",
        "omni_postgres_connect_params": {"target_session_attrs": "read-write"},
        "omni_postgres_role": ROLE,
        "omni_postgres_password": "wanted",
        "omni_postgres_upload_schema": UPLOADS,
    }


def test_a_switchover_in_the_middle_of_a_run(cluster: Patroni, pair: dict[str, Any]) -> None:
    """Each database ends in success or with one clear error and nothing half done; the next run converges."""
    names = [f"sales_{number}" for number in range(8)]
    for name in names:
        cluster.primary.create_database(name, template=TEMPLATE)
    cluster.catch_up()  # it is asked first
    hosts = {name: {"omni_postgres_database": name} for name in names}
    options: dict[str, Any] = {
        "door": "in_process",
        "hosts": hosts,
        "vars": pair,
        "tags": DATABASE_STEPS,
        "extra_args": ["--forks", "2"],
    }
    plays = harness.plays([], {"roles": ["omni_analytics.connect.omni_postgres"]})
    before = cluster.primary

    with harness.started(plays, **options) as playing:
        while GRANTS not in playing.output() and playing.process.poll() is None:
            time.sleep(0.02)
        with ThreadPoolExecutor(1) as pool:
            switched = pool.submit(cluster.switchover)
            interrupted = playing.finish()
        switched.result()
    cluster.wait_for_both()
    assert cluster.primary is not before

    for name in names:
        failed = [one.result for one in interrupted.results if one.host == name and one.status == "failed"]
        assert len(failed) <= 1, failed
        for result in failed:
            assert result["error"]["kind"] in ("unreachable", "refused"), result
            assert re.search(r"[Rr]un again", result["msg"]), result
        ((readable, tables, _uploads),) = cluster.primary.execute(name, STATE)
        grants = [one.status for one in interrupted.results if one.host == name and GRANTS in one.task]
        assert readable in ([tables] if grants == ["changed"] else [0, tables])

    again, last = (harness.playbook(plays, **options) for dummy in range(2))
    assert again.rc == last.rc == 0, again.text + last.text
    assert {recap["changed"] for recap in last.recap.values()} == {0}
    for name in names:
        ((readable, tables, uploads),) = cluster.primary.execute(name, STATE)
        assert (readable, uploads) == (tables, True)


def test_the_rules_are_left_to_patroni(cluster: Patroni) -> None:
    primary = cluster.primary
    options = {
        "login_db": "postgres",
        "login_user": primary.admin_user,
        "login_unix_socket": str(primary.socket_dir),
        "login_port": primary.port,
        "addresses": ["198.51.100.7"],
        "connection_type": "host",
    }
    path = primary.folder / "data" / "pg_hba.conf"
    before = path.read_bytes()
    refused = perform(allowlist.DEFINITION, options)
    assert refused["error"] == {"kind": "conflict", "manager": "Patroni"}
    assert "Add the rules there: postgresql.pg_hba in its configuration" in refused["msg"]
    assert path.read_bytes() == before

    # What the message says, done.
    rule = f"host all {ROLE} 198.51.100.7/32 scram-sha-256"
    cluster.configure({"postgresql": {"pg_hba": [rule, *RULES]}})

    def loaded() -> bool:
        ((when,),) = primary.execute("postgres", "SELECT extract(epoch FROM pg_conf_load_time())::float8")
        return bool(path.read_bytes() != before and when > path.stat().st_mtime)

    wait_until(loaded, "Patroni to write the file, and to have it loaded")
    content = perform(allowlist.DEFINITION, options)
    assert (content["failed"], content["changed"]) == (False, False), content
    assert {one["line"] for one in content["decided_by"]["list"]} == {
        path.read_text().splitlines().index(rule) + 1
    }
