#!/usr/bin/python
# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: omni_pg_grants
short_description: What the Omni role may read in a Postgres database, now and later
version_added: 0.1.0
description:
  - Gives a role what Omni needs to read a database. CONNECT on the database, USAGE on the schemas, SELECT on their
    tables, partitioned tables, views, materialized views, foreign tables and sequences, and default privileges, so
    that tables made later are readable too.
  - The catalog is read first, and only what is missing is granted, in statements that each name at most 500 relations
    and are a transaction of their own. A database that is as wanted costs two queries and no write.
  - A table that somebody has locked is left for the end, and the others are granted meanwhile. What is still locked
    when O(lock_timeout) is over, for all such tables together, fails the task. RV(granted) and RV(revoked) of the
    failed task say what was done, and C(error.locked) and C(error.pids) what was not, and whose lock it is.
  - Postgres ties default privileges to the role that makes a table. They are therefore set for each role that
    already owns something in a schema, and for the schema's owner. Without that, tables that others make later stay
    unreadable.
  - Objects of extensions are left alone. Privileges of other roles, and of C(PUBLIC), are never touched.
author:
  - The omni_analytics.connect authors (@omni-analytics)
extends_documentation_fragment:
  - omni_analytics.connect.postgres
  - omni_analytics.connect.attributes
  - omni_analytics.connect.attributes.action_group_postgres
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
    description:
      - Schemas to leave out of O(schemas), as names or with C(*).
      - What the role has there is left as it is, with O(exclusive) too. The schema for uploads belongs here.
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
      - What to do about privileges that O(login_user) can neither grant nor revoke, because somebody else owns the
        object, or granted them, because O(login_user) lacks USAGE on the schema, without which it cannot name what is
        in it, or because the role has granted them further.
      - V(warn) does the rest and says what is left, with the statement that somebody who can should run.
      - V(fail) does nothing then.
      - V(ignore) only lists it in RV(unmanageable).
    type: str
    default: warn
    choices: [fail, warn, ignore]
  mode:
    description:
      - V(direct) grants everything to the role itself.
      - V(effective) does not grant what the role has already in another way, as a member of another role (such as
        C(pg_read_all_data)) or as everybody has it (C(PUBLIC)). If that goes, the next run grants it.
      - Only for O(state=present).
    type: str
    default: direct
    choices: [direct, effective]
  exclusive:
    description:
      - Whether the role loses what it was granted beyond what this task gives it, on the database, on all schemas but
        those of O(exclude_schemas), on their relations, and as default privileges for tables, sequences and schemas.
        That includes the right to grant further what it has.
      - What it owns, and what it has as a member of another role or as C(PUBLIC), it keeps.
      - A REVOKE takes back what one role granted. Where that is another than Postgres would take for O(login_user),
        the statement is run as that role (C(SET LOCAL ROLE)). Where O(login_user) cannot act as it, the privilege
        stays, and is listed in RV(unmanageable).
      - So does what a role granted that lost the grant option since. The statement given for it grants the option once
        more, revokes, and takes the option back. Where others hold the privilege from that role too, and it has no
        rights of the owner any more, the server refuses the last step (C(dependent privileges exist)). There grant it
        to the others as the owner first, and add C(CASCADE) to the last REVOKE.
      - A privilege that the role has granted further stays too, since others would lose what they hold through it.
        RV(unmanageable) says who that is, and the statement that takes it from them. The next run does the rest.
      - A REVOKE on a table takes the same privilege on its columns along. Those are listed in RV(revoked) too.
      - With O(default_privileges_for=auto), default privileges for SELECT in O(schemas) stay whoever makes the tables.
      - Only for O(state=present).
    type: bool
    default: false
  state:
    description:
      - V(present) grants.
      - V(absent) revokes what V(present) gives with the same options, default privileges included, and nothing else.
        What another role granted than O(login_user) would grant as stays, and is listed in RV(unmanageable).
        Privileges on single columns that somebody granted stay as they are, with the right to grant them further.
        With O(default_privileges_for=auto), default privileges in O(schemas) go whoever makes the tables.
    type: str
    default: present
    choices: [present, absent]
seealso:
  - name: Connecting Postgres to Omni
    description: Omni's guide, which this collection follows.
    link: https://docs.omni.co/docs/connections/database/postgres
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

- name: Nothing but reading public, whatever was granted before
  omni_analytics.connect.omni_pg_grants:
    login_host: db1.example.com
    login_db: sales
    login_user: admin
    login_password: "{{ vault_admin_password }}"
    exclude_schemas: [omni_uploads]
    exclusive: true

- name: Omni reads nothing here any more
  omni_analytics.connect.omni_pg_grants:
    login_host: db1.example.com
    login_db: sales
    login_user: admin
    login_password: "{{ vault_admin_password }}"
    schemas: ['*']
    state: absent
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
already:
  description: How many of the wanted privileges were there already. 0 with O(state=absent).
  returned: success
  type: int
  sample: 43
granted:
  description: What was granted, or in check mode would be.
  returned: success and failure
  type: dict
  contains:
    count:
      description: How many privileges.
      type: int
    list:
      description: The first O(max_listed) of them.
      type: list
      elements: str
    truncated:
      description: Whether there are more than are listed.
      type: bool
  sample: {count: 2, list: [CONNECT on database sales, SELECT on table public.orders], truncated: false}
revoked:
  description: What was revoked, or in check mode would be.
  returned: success and failure
  type: dict
  contains:
    count:
      description: How many privileges.
      type: int
    list:
      description: The first O(max_listed) of them.
      type: list
      elements: str
    truncated:
      description: Whether there are more than are listed.
      type: bool
  sample: {count: 1, list: [INSERT on table public.orders], truncated: false}
unmanageable:
  description: What this login can neither grant nor revoke. Default privileges of one role count once.
  returned: success
  type: dict
  contains:
    count:
      description: How many privileges.
      type: int
    list:
      description: The first O(max_listed) of them.
      type: list
      elements: dict
      contains:
        what:
          description: The privilege, and on what.
          type: str
        owner:
          description:
            - The role that can do it. It owns the object, makes the tables, or granted the privilege, or granted it
              further.
          type: str
        reason:
          description: Why this login cannot.
          type: str
        statement:
          description: What a superuser, or somebody else with the rights of that role, should run.
          type: str
    truncated:
      description: Whether there are more than are listed.
      type: bool
of_public:
  description:
    - What every role may do in the database and in the schemas beyond what is wanted, so this role too. Up to
      Postgres 14, that is usually CREATE on schema C(public), and in every version TEMPORARY on the database.
    - With O(exclusive) and O(state=absent), there is a warning about it too.
  returned: success
  type: list
  elements: str
  sample: [TEMPORARY on database sales]
unmatched:
  description: Names with C(*) in O(schemas) and O(exclude_schemas) that match no schema. There is a warning too.
  returned: success
  type: list
  elements: str
statements:
  description: The SQL that was sent, or in check mode would be. A failed task lists what it had done by then.
  returned: success and failure
  type: list
  elements: str
  sample: ['GRANT SELECT ON TABLE "public"."orders" TO "omni"']
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
from ..module_utils._postgres.grants import DEFINITION


def main() -> None:
    run(DEFINITION)


if __name__ == "__main__":
    main()
