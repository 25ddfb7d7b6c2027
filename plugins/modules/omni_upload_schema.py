#!/usr/bin/python
# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: omni_upload_schema
short_description: The Postgres schema for Omni's table uploads
version_added: 0.1.0
description:
  - Keeps a schema of its own for the tables that people upload in Omni, with USAGE and CREATE for the Omni role. It
    is the second step of Omni's guide to Postgres.
  - Omni allows no modelled tables in that schema. One that is modelled too, or that already holds tables of
    somebody else when it is first used, is refused. So is one that belongs to Postgres or to an extension.
author:
  - The omni_analytics.connect authors (@omni-analytics)
extends_documentation_fragment:
  - omni_analytics.connect.postgres
  - omni_analytics.connect.attributes
  - omni_analytics.connect.attributes.action_group_postgres
options:
  name:
    description: Name of the schema.
    type: str
    required: true
    aliases: [upload_schema]
  role:
    description: The role that uploads. See M(omni_analytics.connect.omni_pg_user).
    type: str
    default: omni
  owner:
    description:
      - Owner of the schema. Without it, a new schema belongs to O(login_user), and an old one stays with its owner.
      - With the schema, a new owner gets what the old one had on it. Where that was O(role), it is granted what it
        needs anew.
      - The owner can drop uploaded tables, but not read them.
    type: str
  readers:
    description:
      - Roles that may read what O(role) has uploaded and will upload. They get USAGE on the schema, SELECT on the
        tables of O(role) in it, and default privileges on those that it makes later.
      - What O(role) uploads is its own, so that O(login_user) needs the rights of O(role), by membership with
        INHERIT or as a superuser. Where it does not have them, the module fails and names the statement that helps.
      - Roles that are not listed keep what they have.
    type: list
    elements: str
    default: []
  modelled_schemas:
    description:
      - The schemas that Omni models. The module fails if O(name) is one of them; a name with C(*) never means it.
    type: list
    elements: str
    default: []
  cascade:
    description:
      - Whether O(state=absent) also drops what is in the schema, and what depends on that elsewhere, such as views.
      - Without it, the module fails and lists what would go.
    type: bool
    default: false
  state:
    description: Whether there shall be the schema, or not.
    type: str
    default: present
    choices: [absent, present]
seealso:
  - name: Connecting Postgres to Omni
    description: Omni's guide, which this collection follows.
    link: https://docs.omni.co/docs/connections/database/postgres
"""

EXAMPLES = r"""
- name: The schema for uploads
  omni_analytics.connect.omni_upload_schema:
    login_host: db1.example.com
    login_db: sales
    login_user: admin
    login_password: "{{ vault_admin_password }}"
    name: omni_uploads
    role: omni
    modelled_schemas: [public]

- name: Let the analysts read what people upload
  omni_analytics.connect.omni_upload_schema:
    login_host: db1.example.com
    login_db: sales
    login_user: admin
    login_password: "{{ vault_admin_password }}"
    name: omni_uploads
    readers: [analysts]

- name: Drop the schema, with all that was uploaded
  omni_analytics.connect.omni_upload_schema:
    login_host: db1.example.com
    login_db: sales
    login_user: admin
    login_password: "{{ vault_admin_password }}"
    name: omni_uploads
    state: absent
    cascade: true
"""

RETURN = r"""
name:
  description: Name of the schema.
  returned: success
  type: str
  sample: omni_uploads
role:
  description: The role that uploads.
  returned: success
  type: str
  sample: omni
owner:
  description: Owner of the schema; null where there is none.
  returned: success
  type: str
  sample: admin
dropped:
  description: What was dropped, or in check mode would be.
  returned: success, with O(state=absent)
  type: dict
  contains:
    count:
      description: How many objects.
      type: int
    list:
      description: The schema, and the first of what goes with it, O(max_listed) in all.
      type: list
      elements: str
      sample: [schema omni_uploads, table omni_uploads.targets]
    truncated:
      description: Whether there are more than are listed.
      type: bool
statements:
  description: The SQL that was sent, or in check mode would be. A failed task lists what it had done by then.
  returned: success and failure
  type: list
  elements: str
  sample: ['CREATE SCHEMA "omni_uploads"', 'GRANT USAGE, CREATE ON SCHEMA "omni_uploads" TO "omni"']
error:
  description: Facts of what went wrong, such as its C(kind) and the server's C(sqlstate).
  returned: failure
  type: dict
  contains:
    kind:
      description:
        - What kind of trouble it was.
        - C(invalid_input) are options that contradict each other, or that no server could accept; nothing was sent.
        - C(missing_library) is a Python library that does not import where the module runs.
        - C(unreachable) is no usable connection to the other side, be it for address, TLS, login or silence.
        - C(refused) is a server, or Omni, that said no.
        - C(prerequisite) is something that another task makes, and that is not there.
        - C(conflict) is something that cannot be made what is wanted, so that a person has to choose.
        - C(not_converged) is something that is still missing although all was accepted.
        - C(moved) is something that kept changing at the same time; run again.
        - C(abandoned) is a task that nobody waits for any more; nothing more was written.
        - C(bug) is a defect of this collection.
      type: str
      sample: refused
"""

from ..module_utils._module_door import run
from ..module_utils._postgres.upload_schema import DEFINITION


def main() -> None:
    run(DEFINITION)


if __name__ == "__main__":
    main()
