# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shortens the collection's constants of time before Ansible forks, so that tests need no minutes."""

from __future__ import annotations

import importlib
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: patches
type: notification
short_description: Other values for constants
description:
  - E(HARNESS_PATCHES) has them, such as C(_omni.rate_limiter:MINUTE=0.5), separated by blanks.
"""

HOME = "ansible_collections.omni_analytics.connect.plugins.module_utils."


class CallbackModule(CallbackBase):  # type: ignore[misc]  # Ansible ships no types
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "patches"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for patch in os.environ["HARNESS_PATCHES"].split():
            where, _equals, value = patch.partition("=")
            module, _colon, name = where.partition(":")
            found = importlib.import_module(HOME + module)
            assert isinstance(getattr(found, name), float)
            setattr(found, name, float(value))
