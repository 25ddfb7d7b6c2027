#!/usr/bin/python
# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: omni_pg_access_info
short_description: What the Omni role can and cannot do in a Postgres database
version_added: 0.1.0
description:
  - Logs in as the Omni role, and reads from the catalog which relations of the modelled schemas it can read, which
    not and why, whether it may upload, what it could write, and whether tables made later will be readable.
  - Two queries of the catalog tell it. No row of a table is read, no table is locked, and nothing is written, except
    by O(prove) and O(try_upload). What the catalog does not tell is returned in RV(unknown), and not taken for
    readable.
  - Where O(password) is not given, or the server refuses the role's login from here (C(pg_hba.conf), no route), the
    rights are read with O(login_user) instead, over O(login_unix_socket) as whoever runs the module.
  - What keeps Omni from working is returned in RV(problems), what works and deserves a look in RV(concerns). Without
    O(fail_on), finding some is no failure of the task.
author:
  - The omni_analytics.connect authors (@omni-analytics)
extends_documentation_fragment:
  - omni_analytics.connect.postgres
  - omni_analytics.connect.attributes.info
  - omni_analytics.connect.attributes.action_group_postgres
options:
  role:
    description: The role to look at.
    type: str
    default: omni
  password:
    description: Password of O(role), for the login as that role.
    type: str
  verify_host:
    description:
      - Address at which to log in as O(role), where it is not O(login_host) or O(login_unix_socket). O(login_user) logs
        in by those all the same.
      - Over a socket a server often looks at who runs the module and at no password; at C(127.0.0.1) it asks for it.
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
  try_upload:
    description:
      - Makes a table with one row in O(upload_schema) as the role, in a transaction that is rolled back.
      - It is not tried in check mode, nor where the role cannot log in from here.
    type: bool
    default: false
  prove:
    description:
      - Whether to prove by selecting what the role can read. It takes a login as the role; each relation has a
        read-only transaction of its own, and no value of a row leaves the server.
      - V(none) asks the catalog alone.
      - V(rights) selects no row (C(LIMIT 0)), which proves the rights, and calls no function.
      - V(row) selects one row, which proves that there is one. Functions in views are called, with all that they do,
        and foreign tables connect to their servers. Not in check mode.
      - What is RV(unknown) comes first, then views, then the rest, 100 at most. RV(proof) says how many it were.
    type: str
    choices: [none, rights, row]
    default: none
  system_timezone:
    description: The timezone that Omni takes the database's for, to compare it with the one that the database uses.
    type: str
  fail_on:
    description:
      - The kinds of findings that fail the task. The others become warnings. Left out, none fails or warns.
      - V(role), the role is not there, or cannot log in to the database with O(password).
      - V(schemas), one of O(schemas) is not there.
      - V(relations), modelled relations cannot be read, or show no rows. See RV(unreadable).
      - V(uploads), the role cannot upload to O(upload_schema).
      - V(login), the server refused the role's login from here, or none was tried since O(password) was not given, so
        that it is not proved.
      - V(unknown), of some relations the catalog does not tell whether the role can read them. See RV(unknown).
      - V(partitions), partitions cannot be read directly, but through their parent. See RV(unreadable).
      - V(columns), relations can be read because all of their columns were granted one by one, so that a column that is
        added later will not be readable.
      - V(future_tables), tables made later will not be readable. See RV(future_tables).
      - V(writes), the role could write or create outside O(upload_schema). See RV(writes).
      - V(privileges), the role has an attribute or a membership that Omni does not need. See RV(privileged).
      - V(timezone), O(system_timezone) is not the database's. See RV(timezone).
    type: list
    elements: str
    choices:
      - role
      - schemas
      - relations
      - uploads
      - login
      - unknown
      - partitions
      - columns
      - future_tables
      - writes
      - privileges
      - timezone
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

- name: Name what cannot be read, and why
  ansible.builtin.debug:
    msg: "{{ item.relation }}: {{ item.why }}"
  loop: "{{ access.unreadable.list + access.unknown.list }}"

- name: Stop if Omni could not work, and warn of the rest
  omni_analytics.connect.omni_pg_access_info:
    login_host: db1.example.com
    login_db: sales
    role: omni
    password: "{{ vault_omni_password }}"
    upload_schema: omni_uploads
    try_upload: true
    fail_on: [role, schemas, relations, uploads]
"""

RETURN = r"""
role:
  description: The role that was looked at.
  returned: when the database could be read
  type: str
  sample: omni
role_exists:
  description: Whether there is such a role.
  returned: when the database could be read
  type: bool
login:
  description: What became of the login as the role.
  returned: when the database could be read
  type: dict
  contains:
    state:
      description: V(succeeded), V(refused) or V(not_tried).
      type: str
    how:
      description: What the server said, or why no login was tried.
      type: str
server_version:
  description: The server's version.
  returned: when the database could be read
  type: str
  sample: '17.10'
tls:
  description: The protocol that protects the login that answered; null where it goes in clear.
  returned: when the database could be read
  type: str
  sample: TLSv1.3
timezone:
  description:
    - The TimeZone of the role's sessions, from the role's settings, the database's or the server's. Null where
      O(login_user) answered, and has a setting of its own which hides the server's.
  returned: when the database could be read
  type: str
  sample: UTC
relations:
  description: How many tables, views, materialized views and foreign tables there are in the modelled schemas.
  returned: when the database could be read
  type: int
  sample: 41
readable:
  description: How many of them the role is known to be able to read.
  returned: when the database could be read
  type: int
  sample: 41
schemas:
  description:
    - The schemas that O(schemas) means in this database, and how many relations of each are readable.
  returned: when the database could be read
  type: dict
  contains:
    count:
      description: How many there are.
      type: int
    list:
      description: The first O(max_listed) of them.
      type: list
      elements: dict
      sample: [{schema: public, relations: 41, readable: 41}]
    truncated:
      description: Whether there are more than are listed.
      type: bool
unreadable:
  description:
    - The relations that the role cannot read, or that would show it nothing.
  returned: when the database could be read
  type: dict
  contains:
    count:
      description: How many there are.
      type: int
    list:
      description:
        - The first O(max_listed) of them, each with the kind of the cause and a sentence.
        - "C(cause) is one of: C(no_usage) on the schema; C(no_select); C(partition), unreadable by itself and readable
          through its parent; C(row_security) whose policies show whoever reads no row, or which a C(row_security)
          setting refuses to apply; C(policy), that reads what whoever reads cannot; C(view_owner), who cannot read what
          the view is made of; C(security_invoker), a view that reads with the role's own rights, which do not suffice;
          C(no_execute) on a function that a view calls; C(not_populated), a materialized view that was never refreshed,
          read by itself or by a view; C(user_mapping), which a foreign table of postgres_fdw lacks; C(refused), when
          O(prove) selected from it."
      type: list
      elements: dict
      sample: [{relation: public.orders, cause: no_select, why: it lacks SELECT}]
    truncated:
      description: Whether there are more than are listed.
      type: bool
unknown:
  description:
    - The relations of which the catalog does not tell whether the role can read them, or sees a row.
  returned: when the database could be read
  type: dict
  contains:
    count:
      description: How many there are.
      type: int
    list:
      description:
        - The first O(max_listed) of them, each with the kind of the cause and a sentence.
        - "C(cause) is one of: C(policy) of row-level security, whose condition decides which rows the role sees;
          C(row_security), which hides all rows of what a view joins or counts; C(function) in a view, since what it
          reads with whose rights is not in the catalog; C(foreign_table), for which another server answers;
          C(view_owner), C(security_invoker), C(no_execute), C(not_populated) or C(user_mapping), of something deep in a
          view that Postgres may leave out; C(refused), when O(prove) selected from it and was refused for a lock, for
          O(statement_timeout), or because the transaction only reads."
      type: list
      elements: dict
      sample: [{relation: public.legacy, cause: foreign_table, why: another server answers for public.legacy}]
    truncated:
      description: Whether there are more than are listed.
      type: bool
filtered:
  description:
    - The readable relations of which O(prove=row) saw a row, and policies of row-level security decide which.
  returned: when the database could be read
  type: dict
  contains:
    count:
      description: How many there are.
      type: int
    list:
      description: The first O(max_listed) of them.
      type: list
      elements: str
      sample: [public.contracts]
    truncated:
      description: Whether there are more than are listed.
      type: bool
proof:
  description: What O(prove) selected from.
  returned: when the database could be read
  type: dict
  contains:
    mode:
      description: O(prove).
      type: str
    selected:
      description: How many relations were selected from.
      type: int
    of:
      description: How many there are that are not known to be unreadable.
      type: int
    how:
      description: V(done), or why not all of them were.
      type: str
uploads:
  description:
    - Whether uploads to O(upload_schema) may work; null if that was not asked, or there is no such schema.
  returned: when the database could be read
  type: bool
upload_tried:
  description: What became of O(try_upload).
  returned: when the database could be read
  type: dict
  contains:
    state:
      description: V(succeeded), V(failed) or V(not_tried).
      type: str
    how:
      description: What the server said, or why it was not tried.
      type: str
writes:
  description:
    - Where the role could write or create outside O(upload_schema), in all schemas.
    - Rights on single columns, and that to make temporary tables, are left out.
  returned: when the database could be read
  type: dict
  contains:
    count:
      description: How many there are.
      type: int
    list:
      description: The first O(max_listed) of them.
      type: list
      elements: dict
      sample: [{what: public.orders, privileges: [INSERT]}, {what: schema public, privileges: [CREATE]}]
    truncated:
      description: Whether there are more than are listed.
      type: bool
privileged:
  description:
    - The role itself where it has attributes that Omni does not need, and the roles that it is a member of, by any way,
      which have some or are Postgres' own for more than looking.
  returned: when the database could be read
  type: dict
  contains:
    count:
      description: How many there are.
      type: int
    list:
      description: The first O(max_listed) of them.
      type: list
      elements: dict
      sample: [{role: pg_write_all_data, attributes: []}, {role: admins, attributes: [CREATEROLE]}]
    truncated:
      description: Whether there are more than are listed.
      type: bool
future_tables:
  description:
    - For each role that makes tables in a modelled schema, whether what it makes later will be readable. These are the
      owners of what is there, and of the schema.
  returned: when the database could be read
  type: dict
  contains:
    count:
      description: How many there are.
      type: int
    list:
      description: The first O(max_listed) of them, those that will not be readable first.
      type: list
      elements: dict
      sample: [{schema: public, creator: etl, readable: true}]
    truncated:
      description: Whether there are more than are listed.
      type: bool
problems:
  description: What keeps Omni from working, one of each kind. For the kinds see O(fail_on).
  returned: when the database could be read
  type: list
  elements: dict
  sample: [{kind: relations, what: '3 cannot be read, first public.orders (it lacks SELECT)'}]
concerns:
  description: What works and deserves a look, one of each kind. For the kinds see O(fail_on).
  returned: when the database could be read
  type: list
  elements: dict
  sample: [{kind: future_tables, what: tables that etl makes later in schema public will not be readable}]
msg:
  description: The result in one sentence.
  returned: always
  type: str
  sample: Role omni can read 41 of 41 relations
error:
  description:
    - Facts of what went wrong, such as its C(kind) and the server's C(sqlstate). Where O(fail_on) failed the task, its
      C(kind) is V(access), and C(findings) lists the kinds that were found; all other values are returned too.
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
from ..module_utils._postgres.access_info import DEFINITION


def main() -> None:
    run(DEFINITION)


if __name__ == "__main__":
    main()
