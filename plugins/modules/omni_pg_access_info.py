#!/usr/bin/python
# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: omni_pg_access_info
short_description: What the Omni role can and cannot do in a Postgres database
description:
  - Logs in as the Omni role, and reads from the catalog how many relations of the modelled schemas it can read, which
    not and what it lacks there, and whether it may upload. Nothing is written.
  - Where O(password) is not given, or the server refuses the role's login from here, the rights are read with
    O(login_user) instead.
  - What keeps Omni from working is returned in RV(problems); finding some is no failure of the task.
author:
  - The omni_analytics.connect authors (@omni-analytics)
extends_documentation_fragment:
  - omni_analytics.connect.postgres
  - omni_analytics.connect.attributes.info
  - omni_analytics.connect.attributes.postgres
options:
  role:
    description: The role to look at.
    type: str
    default: omni
  password:
    description: Password of O(role), for the login as that role.
    type: str
  schemas:
    description: The schemas that Omni models, as in M(omni_analytics.connect.omni_pg_grants).
    type: list
    elements: str
    default: [public]
  exclude_schemas:
    description: Schemas to leave out of O(schemas), as names or with C(*).
    type: list
    elements: str
    default: []
  upload_schema:
    description: The schema for table uploads. A C(*) in O(schemas) never means it.
    type: str
"""

EXAMPLES = r"""
- name: Look at the database as Omni will
  omni_analytics.connect.omni_pg_access_info:
    login_host: db1.example.com
    login_db: sales
    role: omni
    password: "{{ vault_omni_password }}"
    schemas: [public, 'stats_*']
    upload_schema: omni_uploads
  register: access

- name: Stop if something is missing
  ansible.builtin.assert:
    that: access.problems | length == 0
    fail_msg: "{{ access.msg }}"
"""

RETURN = r"""
role:
  description: The role that was looked at.
  returned: success
  type: str
  sample: omni
role_exists:
  description: Whether there is such a role.
  returned: success
  type: bool
login:
  description: What became of the login as the role.
  returned: success
  type: dict
  contains:
    state:
      description: V(succeeded), V(refused) or V(not_tried).
      type: str
    how:
      description: What the server said, or why no login was tried.
      type: str
schemas:
  description: The schemas that O(schemas) means in this database.
  returned: success
  type: list
  elements: str
relations:
  description: How many tables, views, materialized views and foreign tables there are in them.
  returned: success
  type: int
  sample: 41
readable:
  description: How many of them the role can read.
  returned: success
  type: int
  sample: 41
unreadable:
  description: The others.
  returned: success
  type: dict
  contains:
    count:
      description: How many.
      type: int
    items:
      description: The first O(max_listed) of them, each with what the role lacks.
      type: list
      elements: dict
      sample: [{relation: public.orders, lacks: SELECT}]
    truncated:
      description: Whether there are more than are listed.
      type: bool
uploads:
  description:
    - Whether the role may create tables in O(upload_schema); null if that was not asked, or there is no such schema.
  returned: success
  type: bool
problems:
  description: What keeps Omni from working, a sentence each.
  returned: success
  type: list
  elements: str
  sample: ['3 cannot be read, first public.orders (it lacks SELECT)']
msg:
  description: The result in one sentence.
  returned: always
  type: str
  sample: Role omni can read 41 of 41 relations
error:
  description: Facts of what went wrong, such as its C(kind) and the server's C(sqlstate).
  returned: failure
  type: dict
"""

from ansible_collections.omni_analytics.connect.plugins.module_utils._entry import run
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.access import DEFINITION


def main() -> None:
    run(DEFINITION)


if __name__ == "__main__":
    main()
