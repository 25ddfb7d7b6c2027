# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The least that a module for Postgres can be: it imports psycopg2, and reads its options."""

from __future__ import annotations

import psycopg2
from ansible.module_utils.basic import AnsibleModule

if __name__ == "__main__":
    AnsibleModule({"login_db": {"required": True}}).exit_json(libpq=psycopg2.__libpq_version__)
