# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The firewall rules of docs/recipes/azure_flexible_server.yml. Nothing plays Azure here, so the recipe runs with
stand-ins of the two modules that it uses: their options are those that the modules' own documentation has, and
they keep the rules in a file as the modules keep them in Azure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import harness
from tests.integration.recipes.conftest import ADDRESSES, RECIPES, Play, documented_options

RECIPE = RECIPES / "azure_flexible_server.yml"
RULE = "azure.azcollection.azure_rm_postgresqlflexiblefirewallrule"
INFO = f"{RULE}_info"

STAND_IN = '''\
import json
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

SPEC = json.loads("""{spec}""")
FILE = Path("{file}")
module = AnsibleModule(SPEC, supports_check_mode=True)
given = module.params
servers = json.loads(FILE.read_text())
rules = servers[given["server_name"]]
if "state" not in SPEC:
    module.exit_json(changed=False, firewall_rules=[{{"name": name, **rule}} for name, rule in rules.items()])
wanted = {{name: given[name] for name in ("start_ip_address", "end_ip_address")}}
old = rules.pop(given["name"], None)
if given["state"] == "present":
    rules[given["name"]] = wanted
changed = old != rules.get(given["name"])
if changed and not module.check_mode:
    FILE.write_text(json.dumps(servers))
module.exit_json(changed=changed)
'''


def rule(first: str, last: str | None = None) -> dict[str, str]:
    return {"start_ip_address": first, "end_ip_address": last or first}


THEIRS = {"office": rule("203.0.113.0", "203.0.113.255"), "AllowAllAzureServices": rule("0.0.0.0")}
KEPT = {
    "omni-192-0-2-10-32": rule("192.0.2.10"),
    "omni-192-0-2-11-32": rule("192.0.2.11"),
    "omni-198-51-100-16-29": rule("198.51.100.16", "198.51.100.23"),
}


@pytest.fixture(scope="module")
def options() -> dict[str, dict[str, Any]]:
    return documented_options(RULE, INFO)


class Azure:
    """The rules of the flexible servers, and the stand-ins that keep them."""

    def __init__(self, folder: Path, options: dict[str, dict[str, Any]], play: Play) -> None:
        self._file, self._folder, self._play = folder / "rules.json", folder / "collections", play
        self._file.write_text(json.dumps({"sales-prod": THEIRS, "support-prod": {}}))
        modules = self._folder / "ansible_collections" / "azure" / "azcollection" / "plugins" / "modules"
        modules.mkdir(parents=True)
        for name, spec in options.items():
            # Secrets among them, for which Ansible would want no_log.
            code = STAND_IN.format(spec=json.dumps(spec), file=self._file)
            (modules / f"{name.rpartition('.')[2]}.py").write_text(code)

    def play(self, **options: Any) -> harness.Run:
        return self._play(RECIPE, options.pop("variables", {}), collections=(self._folder,), **options)

    def rules(self, server: str) -> dict[str, Any]:
        return json.loads(self._file.read_text())[server]


@pytest.fixture
def azure(tmp_path: Path, options: dict[str, dict[str, Any]], play: Play) -> Azure:
    return Azure(tmp_path, options, play)


def test_lifecycle(azure: Azure) -> None:
    checked = azure.play(check=True, diff=True)
    assert checked.result("Keep a rule for each address").status == "changed", checked.text
    assert (azure.rules("sales-prod"), azure.rules("support-prod")) == (THEIRS, {})
    assert "left out: 2001:db8:100::7/128" in checked.text

    made = azure.play()
    assert made.rc == 0, made.text
    assert azure.rules("sales-prod") == {**THEIRS, **KEPT}
    assert azure.rules("support-prod") == KEPT
    again = azure.play()
    assert (again.rc, again.recap["localhost"]["changed"]) == (0, 0), again.text

    fewer = azure.play(variables={"omni_postgres_allowlist": [*ADDRESSES[1:3], "203.0.113.5"]})
    assert fewer.rc == 0, fewer.text
    left = {name: KEPT[name] for name in list(KEPT)[1:]}
    assert azure.rules("sales-prod") == {**THEIRS, **left, "omni-203-0-113-5-32": rule("203.0.113.5")}
