# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what the controller itself cost, and how the run ended."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: usage
type: notification
short_description: What the controller cost
description:
  - Writes to the file that E(BENCH_USAGE) names.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]  # Ansible ships no types
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "usage"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_stats(self, stats: Any) -> None:
        own = resource.getrusage(resource.RUSAGE_SELF)
        hosts = [stats.summarize(host) for host in stats.processed]
        found = {
            "cpu": own.ru_utime + own.ru_stime,
            "memory": own.ru_maxrss / 1024,
            "failed": sum(host["failures"] + host["unreachable"] for host in hosts),
            "changed": sum(host["changed"] for host in hosts),
        }
        Path(os.environ["BENCH_USAGE"]).write_text(json.dumps(found))
