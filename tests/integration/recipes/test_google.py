# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The authorized networks of docs/recipes/google_cloud_sql.yml, in a fake of the routes that it uses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.helpers import harness
from tests.integration.recipes.conftest import ADDRESSES, RECIPES, Play
from tests.integration.recipes.fake_cloud_sql import TOKEN, FakeCloudSql

RECIPE = RECIPES / "google_cloud_sql.yml"
OFFICE = {
    "kind": "sql#aclEntry",
    "name": "office",
    "value": "203.0.113.0/24",
    "expirationTime": "2030-01-01T00:00:00Z",
}
TRIAL = {"name": "trial", "value": "192.0.2.11", "expirationTime": "2030-01-01T00:00:00Z"}
NAMELESS = {"kind": "sql#aclEntry", "value": "203.0.113.77"}
KEPT = ["192.0.2.10/32", "192.0.2.11/32", "198.51.100.16/29"]


@pytest.fixture
def google() -> Iterator[FakeCloudSql]:
    with FakeCloudSql(["sales-prod", "support-prod"]) as running:
        running.change("sales-prod", {"ipConfiguration": {"authorizedNetworks": [OFFICE, NAMELESS]}})
        running.change("support-prod", {"ipConfiguration": {"authorizedNetworks": [TRIAL]}})
        yield running


def run(google: FakeCloudSql, play: Play, token: str = TOKEN, **options: Any) -> harness.Run:
    variables = {
        "google_api": google.url,
        # Two databases of one instance name it twice.
        "google_instances": ["sales-prod", "support-prod", "sales-prod"],
        **options.pop("variables", {}),
    }
    ended = play(RECIPE, variables, {"GCP_ACCESS_TOKEN": token}, verbosity=3, **options)
    assert token not in ended.text
    return ended


def omnis(google: FakeCloudSql, name: str) -> list[str]:
    return [network["value"] for network in google.networks(name) if network.get("name") == "omni"]


def test_lifecycle(google: FakeCloudSql, play: Play) -> None:
    checked = run(google, play, check=True, diff=True)
    assert (checked.rc, checked.result("Say what changes").status, google.writes) == (0, "changed", 0), (
        checked.text
    )
    assert (
        "Lets in: 192.0.2.10/32, 192.0.2.11/32, 198.51.100.16/29. Lets in no more: nothing." in checked.text
    )
    assert "left out: 2001:db8:100::7/128" in checked.text

    made = run(google, play)
    assert (made.rc, made.recap["localhost"]["changed"], google.writes) == (0, 1, 2), made.text
    assert [omnis(google, name) for name in google.instances] == [KEPT, KEPT]
    assert google.networks("sales-prod")[:2] == [OFFICE, NAMELESS]
    # What lets an address in for a time only is not enough.
    assert google.networks("support-prod")[0] == TRIAL
    settings: dict[str, Any] = google.instances["sales-prod"]["settings"]  # type: ignore[assignment]
    assert (settings["tier"], settings["ipConfiguration"]["sslMode"]) == (
        "db-custom-2-7680",
        "ENCRYPTED_ONLY",
    )

    again = run(google, play)
    assert (again.rc, again.recap["localhost"]["changed"], google.writes) == (0, 0, 2), again.text

    # An address is given up; another one comes, which somebody lets in already.
    other = {"omni_postgres_allowlist": [*ADDRESSES[1:3], "203.0.113.77"]}
    fewer = run(google, play, variables=other)
    assert fewer.rc == 0, fewer.text
    assert "Lets in: nothing new. Lets in no more: 192.0.2.10/32." in fewer.text
    assert omnis(google, "sales-prod") == KEPT[1:]
    assert omnis(google, "support-prod") == [*KEPT[1:], "203.0.113.77/32"]
    assert google.networks("sales-prod")[:2] == [OFFICE, NAMELESS]
    assert run(google, play, variables=other).recap["localhost"]["changed"] == 0


def test_what_google_refuses(google: FakeCloudSql, play: Play) -> None:
    """Each in the words of Google, and nothing is overwritten."""
    one = {"google_instances": ["sales-prod"]}
    assert (
        "Reading the Cloud SQL instance sales-prod: Request had invalid" in run(google, play, "no-token").text
    )
    missing = run(google, play, variables={"google_instances": ["nowhere"]})
    assert "Reading the Cloud SQL instance nowhere: The Cloud SQL instance does not exist." in missing.text

    google.before_patch = lambda: google.change("sales-prod", {"tier": "db-custom-4-15360"})
    moved = run(google, play, variables=one)
    assert moved.rc == 2
    assert "authorized networks of sales-prod: Condition does not match. Somebody else" in moved.text
    assert (google.writes, google.networks("sales-prod")) == (0, [OFFICE, NAMELESS])

    google.before_patch = lambda: None
    google.operation_error = "The instance is out of order."
    failed = run(google, play, variables=one)
    assert failed.rc == 2
    assert "of sales-prod were sent to Google, and The instance is out of order." in failed.text


def test_the_list_of_an_inventory(google: FakeCloudSql, play: Play) -> None:
    """A recipe's localhost, which no inventory names, has the list that all hosts have. What was made to expire in the
    meantime is set right."""
    expiring = [{**TRIAL, "name": "omni", "value": value} for value in KEPT]
    google.change("support-prod", {"ipConfiguration": {"authorizedNetworks": expiring}})
    inventory = ("--inventory", str(RECIPES / "inventory"))
    ended = run(google, play, variables={"google_instances": ["support-prod"]}, vars={}, extra_args=inventory)
    assert ended.rc == 0, ended.text
    assert google.networks("support-prod") == [{"name": "omni", "value": value} for value in KEPT]
