#!/usr/bin/python
# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: omni_pg_user
short_description: The Postgres role that Omni logs in as
description:
  - Keeps one login role, and its password, as wanted. It is the first step of Omni's guide to Postgres.
  - The password is turned into a SCRAM-SHA-256 verifier where the module runs. The server gets the verifier only,
    so the password is neither in its log nor in C(pg_stat_statements).
  - Whether the password already fits is seen from C(pg_authid) where O(login_user) may read it, and else by
    logging in as the role over O(login_host). A password that fits is not set again.
author:
  - The omni_analytics.connect authors (@omni-analytics)
extends_documentation_fragment:
  - omni_analytics.connect.postgres
  - omni_analytics.connect.attributes
  - omni_analytics.connect.attributes.postgres
options:
  name:
    description:
      - Name of the role. Any name that Postgres can keep works, quotes and upper case included.
      - Names of more than 63 bytes, which Postgres would cut, are refused.
    type: str
    default: omni
    aliases: [role]
  password:
    description:
      - Password of the role. Needed to create it.
      - The same role serves every database of a server, so it has one password there.
    type: str
  update_password:
    description:
      - V(on_create) sets the password of a new role only. One that differs later is reported by a warning and
        in RV(password).
      - V(always) also repairs a password that differs. Where the server lets nobody find out (it trusts the
        login, or refuses it from here), the password is set in every run.
    type: str
    default: on_create
    choices: [on_create, always]
seealso:
  - module: omni_analytics.connect.omni_pg_grants
  - module: omni_analytics.connect.omni_pg_access_info
"""

EXAMPLES = r"""
- name: The role that Omni logs in as
  omni_analytics.connect.omni_pg_user:
    login_host: db1.example.com
    login_db: sales
    login_user: admin
    login_password: "{{ vault_admin_password }}"
    ssl_mode: verify-full
    ca_cert: files/db-ca.pem
    name: omni
    password: "{{ vault_omni_password }}"

- name: Change its password, where it is not the new one already
  omni_analytics.connect.omni_pg_user:
    login_host: db1.example.com
    login_db: sales
    login_user: admin
    login_password: "{{ vault_admin_password }}"
    password: "{{ vault_new_omni_password }}"
    update_password: always
"""

RETURN = r"""
name:
  description: Name of the role.
  returned: success
  type: str
  sample: omni
exists:
  description: Whether the role is there. False only in check mode, before it is created.
  returned: success
  type: bool
password:
  description: What is known of the role's password.
  returned: success
  type: dict
  contains:
    state:
      description:
        - V(fits) or V(differs), compared with O(password).
        - V(set) by this run.
        - V(unknown) where there was no way to find out.
        - V(not_checked) where no password was given, or there is no role yet.
      type: str
      sample: fits
    how:
      description: How that is known, or why not.
      type: str
      sample: by pg_authid
statements:
  description: The SQL that was sent, or in check mode would be; secrets are masked.
  returned: success
  type: list
  elements: str
  sample: ['CREATE ROLE "omni" LOGIN PASSWORD ''********''']
error:
  description: Facts of what went wrong, such as its C(kind) and the server's C(sqlstate).
  returned: failure
  type: dict
"""

from ansible_collections.omni_analytics.connect.plugins.module_utils._entry import run
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.user import DEFINITION


def main() -> None:
    run(DEFINITION)


if __name__ == "__main__":
    main()
