# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The in-process door of omni_analytics.connect.omni_pg_user; see plugin_utils/_in_process_door.py."""

from __future__ import annotations

from ..module_utils._postgres.user import DEFINITION
from ..plugin_utils._in_process_door import InProcess
from ..plugin_utils._role_check import what_does_not_fit


class ActionModule(InProcess):
    definition = DEFINITION
    check_all = staticmethod(what_does_not_fit)
