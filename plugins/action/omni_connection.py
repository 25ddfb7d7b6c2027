# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The in-process door of omni_analytics.connect.omni_connection; see plugin_utils/_in_process_door.py."""

from __future__ import annotations

from typing import Any

from ..module_utils._omni.connection import DEFINITION
from ..plugin_utils._in_process_door import InProcess
from ..plugin_utils._role_check import what_does_not_fit
from ..plugin_utils._role_variables import ONLY_LOOKS


class ActionModule(InProcess):
    definition = DEFINITION
    check_all = staticmethod(what_does_not_fit)

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        if (task_vars or {}).get(ONLY_LOOKS) and "differences" in result.get("error", {}):
            # What differs is for the step connection to say, unless a new password could not be sent for it.
            result["failed"] = self._task.args.get("update_password") == "always"
        return result
