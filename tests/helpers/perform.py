# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module's definition, run in this process without Ansible around; what it says names options plainly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.omni_analytics.connect.plugins.module_utils._definition import Definition
from ansible_collections.omni_analytics.connect.plugins.module_utils._option_marks import render


def perform(
    definition: Definition, params: Mapping[str, Any], check: bool = False, **door: Any
) -> dict[str, Any]:
    """Returns the module's result as people see it.

    params: validated ones. door: what else a door hands to Definition.perform.
    """
    result, _secrets = definition.perform(params, check, **door)
    return render(result, definition.options)


def said(error: BaseException, definition: Definition) -> str:
    """Returns the text of an error that was caught below the doors, as people see it."""
    return str(render({"msg": str(error)}, definition.options)["msg"])
