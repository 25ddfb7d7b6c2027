# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the two runs of converge.yml said, and what each left behind."""

from __future__ import annotations

import pytest
from fixtures import history
from outside import DATABASES, look

ALL = {database for databases in DATABASES.values() for database in databases}
FAILING = {"archive", "billing"}
WORKING = ALL - FAILING
FIRST, SECOND = "first_run", "second_run"


def test_eight_are_done_and_two_failed():
    first = history(FIRST)
    failed, changed = first.recap("failed"), first.recap("changed")
    assert {host for host in failed if failed[host]} == FAILING
    assert {host for host in changed if changed[host]} == WORKING
    # Ansible's word for "hosts failed".
    assert first.rc == 2


@pytest.mark.parametrize(
    ("host", "said"),
    [
        # What was being done, to what, as whom; what the server said; what to do.
        ("billing", "Logging in to database billing on localhost"),
        ("billing", 'password authentication failed for user "dba_billing"'),
        ("billing", "Check omni_postgres_login_user and omni_postgres_login_password."),
        ("archive", "In database archive on localhost"),
        ("archive", "in a read-only transaction"),
        ("archive", "switch default_transaction_read_only off"),
    ],
)
def test_each_of_the_two_has_one_clear_error(host, said):
    errors = [line for line in history(FIRST).said.splitlines() if line.startswith(f"fatal: [{host}]")]
    assert len(errors) == 1
    assert said in errors[0].replace('\\"', '"')


def test_the_summary_tells_the_two_from_the_eight():
    said = history(FIRST).said
    assert sorted(host for host in ALL if f'"{host}: FAILED in ' in said) == sorted(FAILING)
    assert sorted(
        host for host in ALL if f'"{host}: 11 of 11 relations readable; uploads work; ' in said
    ) == sorted(WORKING)


def test_nothing_is_half_done_on_the_two():
    outside = history(FIRST).outside
    assert [outside[host] for host in sorted(FAILING)] == [{"traces": [], "connections": []}] * 2
    assert all(outside[host]["traces"] and len(outside[host]["connections"]) == 1 for host in WORKING)


def test_the_run_after_the_repair_succeeds_and_changes_the_two_alone():
    second = history(SECOND)
    changed = second.recap("changed")
    assert (second.rc, set(changed)) == (0, ALL)
    assert {host for host in changed if changed[host]} == FAILING


def test_it_leaves_the_eight_as_they_were():
    before, after = history(FIRST).outside, history(SECOND).outside
    assert {host: after[host] for host in WORKING} == {host: before[host] for host in WORKING}


def test_all_ten_are_alike_now():
    """Of what there is, as of the rest: nothing of it was undone since."""
    now = look()
    assert now == history(SECOND).outside
    assert len({tuple(found["traces"]) for found in now.values()}) == 1


@pytest.mark.parametrize("run", [FIRST, SECOND])
def test_no_secret_was_said(run, instance, fake):
    said = history(run).said
    secrets = {name: instance[name] for name in ("admin_password", "omni_password")} | {"token": fake.token}
    assert [name for name, secret in secrets.items() if secret in said] == []
