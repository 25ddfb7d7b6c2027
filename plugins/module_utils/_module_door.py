# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module door: what Ansible ships to a host, and runs there."""

from __future__ import annotations

import os
import select
import signal
import sys
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ._definition import UNRENDERED, Definition


def run(definition: Definition) -> None:
    """The main function of every module."""
    module = AnsibleModule(
        argument_spec={name: dict(option) for name, option in definition.options.items()},
        supports_check_mode=True,
        **definition.rules,
    )
    _end_when_abandoned()
    result, secrets = definition.perform(module.params, module.check_mode)
    module.no_log_values.update(secrets)
    warnings = result.pop("warnings", [])
    # What an async job returns goes past the action plugin, which renders it otherwise.
    if "ANSIBLE_ASYNC_DIR" in os.environ:
        from ._option_marks import render  # compiled only where it is needed

        result = render({**result, "warnings": warnings}, definition.options)
        for warning in result.pop("warnings"):
            module.warn(warning)
    elif warnings:
        result[UNRENDERED] = warnings
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


def _end_when_abandoned() -> None:
    """End the module when nobody reads its output any more.

    A task that ran into its ``timeout`` and a playbook that was interrupted close the pipe and leave
    the module running, with its database connection. Once a second it looks whether they did.
    """
    poller = select.poll()
    poller.register(sys.stdout.fileno(), 0)

    def look(*_: Any) -> None:
        if poller.poll(0):
            raise SystemExit(1)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, 1, 1)
