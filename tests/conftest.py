# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import gc
import importlib
import os
import signal

from tests.helpers.harness import link_collection

# What the caller's shell says about Postgres, Omni or Ansible is not what a test means.
for name in list(os.environ):
    if name.startswith(("PG", "OMNI_", "ANSIBLE_")):
        del os.environ[name]

# A shell starts what runs in the background deaf to Ctrl-C, and ansible-playbook up to 2.18 would stay so; some tests
# interrupt it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

link_collection()
importlib.invalidate_caches()  # the folder may be newer than the path that names it


def pytest_collection_finish() -> None:
    # What collection made stays until the end: looking through it for garbage is a tenth of what unit tests cost.
    gc.collect()
    gc.freeze()
