#!/usr/bin/python
# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: omni_pg_grants
short_description: What the Omni role may read in a Postgres database, now and later
description:
  - Gives a role what Omni needs to read a database. CONNECT on the database, USAGE on the schemas, SELECT on their
    tables, partitioned tables, views, materialized views, foreign tables and sequences, and default privileges, so
    that tables made later are readable too.
  - The catalog is read first, and only what is missing is granted. A database that is as wanted costs two queries
    and no write.
  - Postgres ties default privileges to the role that makes a table. They are therefore set for each role that
    already owns something in a schema, and for the schema's owner. Without that, tables that others make later stay
    unreadable.
  - Objects of extensions are left alone. Privileges of other roles are never touched.
author:
  - The omni_analytics.connect authors (@omni-analytics)
extends_documentation_fragment:
  - omni_analytics.connect.postgres
  - omni_analytics.connect.attributes
  - omni_analytics.connect.attributes.postgres
options:
  role:
    description: The role that gets the privileges. See M(omni_analytics.connect.omni_pg_user).
    type: str
    default: omni
  schemas:
    description:
      - The schemas that Omni models. C(*) in a name stands for any run of characters, so V(stats_*) means every
        schema whose name starts so, and V(*) every schema of the database.
      - A name without C(*) must exist. Schemas of Postgres itself and of extensions are never meant.
    type: list
    elements: str
    default: [public]
  exclude_schemas:
    description: Schemas to leave out of O(schemas), as names or with C(*).
    type: list
    elements: str
    default: []
  sequences:
    description: Whether SELECT is granted on sequences too, as in Omni's guide.
    type: bool
    default: true
  default_privileges_for:
    description:
      - The roles whose later tables (and sequences) shall be readable.
      - V(auto) means those that own something in the schema, and the schema's owner.
      - V(none) sets no default privileges.
    type: list
    elements: str
    default: [auto]
  on_unmanageable:
    description:
      - What to do about missing privileges that O(login_user) cannot grant, because somebody else owns the object.
      - V(warn) grants the rest and says what is left, with the statement that the owner can run.
      - V(fail) grants nothing then.
      - V(ignore) only lists it in RV(unmanageable).
    type: str
    default: warn
    choices: [fail, warn, ignore]
seealso:
  - module: omni_analytics.connect.omni_pg_user
  - module: omni_analytics.connect.omni_pg_access_info
    description: Proves with a login that the role can read.
"""

EXAMPLES = r"""
- name: Omni reads everything in public and in the schemas of the statistics team
  omni_analytics.connect.omni_pg_grants:
    login_host: db1.example.com
    login_db: sales
    login_user: admin
    login_password: "{{ vault_admin_password }}"
    role: omni
    schemas: [public, 'stats_*']

- name: Every schema but two, and what these two roles will make
  omni_analytics.connect.omni_pg_grants:
    login_host: db1.example.com
    login_db: sales
    login_user: admin
    login_password: "{{ vault_admin_password }}"
    schemas: ['*']
    exclude_schemas: [audit, omni_uploads]
    default_privileges_for: [app_owner, etl]
"""

RETURN = r"""
role:
  description: The role that has the privileges.
  returned: success
  type: str
  sample: omni
database:
  description: The database.
  returned: success
  type: str
  sample: sales
schemas:
  description: The schemas that O(schemas) means in this database.
  returned: success
  type: list
  elements: str
  sample: [public, stats_daily]
relations:
  description: How many relations there are in them, sequences included.
  returned: success
  type: int
  sample: 41
granted:
  description: What was granted, or in check mode would be.
  returned: success
  type: dict
  contains:
    count:
      description: How many privileges.
      type: int
    names:
      description: The first O(max_listed) of them.
      type: list
      elements: str
    truncated:
      description: Whether there are more than are listed.
      type: bool
  sample: {count: 2, names: [CONNECT on database sales, SELECT on table public.orders], truncated: false}
unmanageable:
  description: What is missing and cannot be granted by this login.
  returned: success
  type: dict
  contains:
    count:
      description: How many privileges.
      type: int
    items:
      description:
        - The first O(max_listed) of them, each with its owner and the statement that somebody who can should run.
      type: list
      elements: dict
    truncated:
      description: Whether there are more than are listed.
      type: bool
unmatched:
  description: Names with C(*) in O(schemas) that match no schema.
  returned: success
  type: list
  elements: str
statements:
  description: The SQL that was sent, or in check mode would be.
  returned: success
  type: list
  elements: str
  sample: ['GRANT SELECT ON TABLE "public"."orders" TO "omni"']
error:
  description: Facts of what went wrong, such as its C(kind) and the server's C(sqlstate).
  returned: failure
  type: dict
"""

from ansible_collections.omni_analytics.connect.plugins.module_utils._entry import run
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.grants import DEFINITION


def main() -> None:
    run(DEFINITION)


if __name__ == "__main__":
    main()
