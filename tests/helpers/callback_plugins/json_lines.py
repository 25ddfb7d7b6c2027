# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what each task did as a line of JSON, for the tests to read (ansible-core 2.16 to 2.20)."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: json_lines
type: notification
short_description: One line of JSON per task and host
description:
  - Appends to the file that E(HARNESS_RESULTS) names.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]  # Ansible ships no types
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "json_lines"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._path = Path(os.environ["HARNESS_RESULTS"])

    def _write(self, **line):
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, default=str) + "\n")

    def _write_result(self, result, status, ignored=False):
        self._write(
            host=result._host.get_name(),
            task=result._task.get_name(),
            action=result._task.action,
            status=status,
            ignored=ignored,
            result=result._result,
        )

    def v2_runner_on_ok(self, result):
        self._write_result(result, "changed" if result.is_changed() else "ok")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._write_result(result, "failed", bool(ignore_errors))

    def v2_runner_on_unreachable(self, result):
        self._write_result(result, "unreachable")

    def v2_runner_on_skipped(self, result):
        self._write_result(result, "skipped")

    def v2_playbook_on_stats(self, stats):
        recap = {}
        for host in stats.processed:
            recap[host] = stats.summarize(host)
            recap[host]["failed"] = recap[host].pop("failures")
        self._write(recap=recap)
