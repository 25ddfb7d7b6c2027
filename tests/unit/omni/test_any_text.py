# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any text in any option of the modules that read or refresh: a result, or an error that says what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._omni import (
    connection_info,
    schema_model,
)
from tests.helpers.perform import perform

TEXTS = {
    "empty": "",
    "blank": " ",
    "nul": "a\0b",
    "surrogate": "\ud83d",
    "byte": "\udcff",
    "line": "a\nb",
    "emoji": "😀",
    "combining": "e\u0301" * 50,
    "right to left": "\u202eabc",
    "long": "x" * 100_000,
    "label": "https://" + "a" * 64 + ".example",
    "dots": "https://a..b",
    "url": "https://user:p@ss@host/?q#f",
    "percent": "%00%zz%",
    "braces": "{{ 1 }} {0} %s",
    "path": "../../etc",
    "quote": "'\"`;--",
    "uuid": "{00000000-0000-4000-8000-000000000001}",
    "digits": "٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣",
    "no space": "\u200b",
}
DEFINITIONS = {
    "omni_connection_info": connection_info.DEFINITION,
    "omni_schema_model": schema_model.DEFINITION,
}
CASES = [
    (module, option)
    for module, definition in DEFINITIONS.items()
    for option, spec in definition.options.items()
    if spec["type"] in ("str", "path", "list") and not spec.get("choices")
]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize(("module", "option"), CASES, ids=map("-".join, CASES))
def test_no_text_in_any_option_is_a_bug(omni, module, option, text):
    definition = DEFINITIONS[module]
    omni.add_connection("sales")
    usual: dict[str, Any] = {name: spec.get("default") for name, spec in definition.options.items()}
    usual.update(api_url=omni.url, api_token=omni.token, ca_path=omni.ca_file, total_timeout=5)
    if module == "omni_schema_model":
        usual.update(connection=None if option == "connection_id" else "sales", refresh="always", wait=False)
    value = [text] if definition.options[option]["type"] == "list" else text
    result = perform(definition, {**usual, option: value})
    if result.get("failed"):
        assert result["error"]["kind"] in ("invalid_input", "unreachable", "refused", "prerequisite"), result
        assert len(result["msg"]) < 1000 or len(text) > 1000
    omni.violations.clear()
