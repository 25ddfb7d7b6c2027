# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""omni_connection_info through both doors, against the fake Omni."""

from __future__ import annotations

from tests.helpers import harness


def test_reads_and_only_reads(omni, door):
    b, a = (
        omni.add_connection(name, "a password", database="sales", defaultSchema="public", baseRole="VIEWER")
        for name in ("b", "a")
    )
    gone = omni.add_connection("gone", deletedAt="2026-01-01T00:00:00.000Z")
    api = {"api_url": omni.url, "api_token": omni.token, "ca_path": omni.ca_file}
    everything, named, by_id, trashed, none, wrong = harness.modules(
        [
            ("omni_connection_info", {**api, **given})
            for given in (
                {},
                {"name": "b"},
                {"connection_id": a},
                {"include_archived": True},
                {"name": "B"},
                {"name": "b", "connection_id": a},
            )
        ],
        door=door,
    )
    assert [one["id"] for one in everything["connections"]] == [a, b]
    assert [one["id"] for one in named["connections"]] == [b]
    assert [one["id"] for one in by_id["connections"]] == [a]
    assert [one["id"] for one in trashed["connections"]] == [a, b, gone]
    assert none["connections"] == []
    assert not any(result["changed"] for result in (everything, named, by_id, trashed, none))
    assert {
        "name": "b",
        "dialect": "postgres",
        "default_schema": "public",
        "base_role": "VIEWER",
    }.items() <= (named["connections"][0].items())
    assert wrong["failed"]
    assert "mutually exclusive" in wrong["msg"]
    assert {request["method"] for request in omni.requests} == {"GET"}
    assert omni.violations == []
