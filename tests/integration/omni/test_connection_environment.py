# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""omni_connection_environment through both doors, against the fake Omni."""

from __future__ import annotations

from typing import Any

from tests.helpers import harness

ENVIRONMENTS = "/api/v1/connection-environments"
CHECK = {"check_mode": True}


def test_invalid_then_check_apply_again_changed_outside_repaired(omni, api, door):
    base, europe, asia = (omni.add_connection(name) for name in ("Sales", "Europe", "Asia"))

    def call(*keywords: dict[str, Any], **given: Any) -> tuple[Any, ...]:
        options = {
            **api,
            "base_connection": "Sales",
            "attribute": "region",
            "default_values": ["us"],
            "environments": [
                {"connection": "Europe", "values": ["emea"]},
                {"connection": asia, "values": ["apac", "anz"]},
            ],
            **given,
        }
        return ("omni_connection_environment", options, *keywords)

    invalid, missing, checked, made, again, again_checked = harness.modules(
        [
            call(default_values=["emea"]),
            call(base_connection="sales"),
            call(CHECK),
            call(),
            call(),
            call(CHECK),
        ],
        door=door,
        diff=True,
    )
    assert "'emea' is there twice" in invalid["msg"]
    assert missing["error"] == {"kind": "prerequisite"}
    sent = [line.replace("<new id>", "") for line in checked["requests"]]
    patch = f"PATCH /api/v1/connections/{base}"
    assert sent == [f"POST {ENVIRONMENTS}"] * 2 + [f"PUT {ENVIRONMENTS}/"] * 2 + [patch]
    ids = {one["connectionId"]: one["id"] for one in omni.instance.environments.values()}
    assert made["requests"] == [
        *[f"POST {ENVIRONMENTS}"] * 2,
        f"PUT {ENVIRONMENTS}/{ids[europe]}",
        f"PUT {ENVIRONMENTS}/{ids[asia]}",
        patch,
    ]
    assert {one["connection_id"]: one["user_attribute_values"] for one in made["environments"]} == {
        europe: ["emea"],
        asia: ["apac", "anz"],
    }
    for result in (again, again_checked):
        assert (result["changed"], result["requests"]) == (False, [])

    omni.instance.environments[ids[europe]]["userAttributeValues"] = ["x"]
    gone = {"environments": [{"connection": "Europe"}], "default_values": None, "state": "absent"}
    repaired, absent, once_more = harness.modules([call(), *[call(**gone)] * 2], door=door)
    assert repaired["requests"] == [f"PUT {ENVIRONMENTS}/{ids[europe]}"]
    assert absent["requests"] == [f"DELETE {ENVIRONMENTS}/{ids[europe]}", patch]
    assert not once_more["changed"]
    assert omni.violations == []
