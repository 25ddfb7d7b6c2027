#!/usr/bin/python
# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: omni_pg_user
short_description: The Postgres role that Omni logs in as
version_added: 0.1.0
description:
  - Keeps one login role, its password and its attributes as wanted, or the role gone. It is the first step of
    Omni's guide to Postgres.
  - The password is turned into a SCRAM-SHA-256 verifier where the module runs. The server gets the verifier only,
    so the password is neither in its log nor in C(pg_stat_statements).
  - Whether the password already fits is seen from C(pg_authid) where O(login_user) may read it, and else by
    logging in as the role over O(login_host). A password that fits is not set again.
  - Only what differs is altered, and what no option names is left alone.
author:
  - The omni_analytics.connect authors (@omni-analytics)
extends_documentation_fragment:
  - omni_analytics.connect.postgres
  - omni_analytics.connect.attributes
  - omni_analytics.connect.attributes.action_group_postgres
attributes:
  idempotent:
    support: partial
    details:
      - With O(update_password=always), a password is set again in every run where neither C(pg_authid) nor a login
        as the role tells whether it fits.
options:
  name:
    description:
      - Name of the role. Any name that Postgres can keep works, quotes and upper case included.
      - Names of more than 63 bytes, which Postgres would cut, are refused.
    type: str
    default: omni
    aliases: [role]
  state:
    description:
      - V(present) makes the role, or changes it.
      - V(absent) drops it, with all that it was granted in the database O(login_db).
      - What it was granted or owns in other databases of the server stops the drop, and is listed. They may still
        be connected to Omni. See O(all_databases).
      - What it owns, such as the tables that Omni uploaded, stops the drop too, and is listed. See O(reassign_to).
      - Privileges that it was granted with the grant option, and passed on to others, stop the drop as well, and are
        listed, since the others would lose them; from PostgreSQL 16 on, so do memberships that it gave. Their owners
        have to grant them anew first.
    type: str
    default: present
    choices: [present, absent]
  password:
    description:
      - Password of the role. Needed to create it.
      - The same role serves every database of a server, so it has one password there.
    type: str
  update_password:
    description:
      - V(on_create) sets the password of a new role only. One that differs later is reported by a warning and
        in RV(password), and so is one that is stored as MD5.
      - V(always) also repairs a password that differs, and replaces an MD5 secret by a SCRAM verifier; user lists
        of PgBouncer that hold the secret need the new one then. Where the server lets nobody find out whether the
        password fits (it trusts the login, or refuses it from here), it is set in every run.
    type: str
    default: on_create
    choices: [on_create, always]
  password_encryption:
    description:
      - How the password is sent where it has to be set.
      - V(scram-sha-256) sends a verifier, made where the module runs.
      - V(plaintext) sends the password itself, for servers that take no verifier, such as Neon. The server chooses
        how to store it, and its log and C(pg_stat_statements) may keep the statement with the password in it.
    type: str
    default: scram-sha-256
    choices: [scram-sha-256, plaintext]
  connection_limit:
    description: How many connections the role may have at once. V(-1) means any number.
    type: int
  valid_until:
    description:
      - The password's last moment, such as V(2030-01-31 12:00+00). V(infinity) means that it stays valid.
      - A time without an offset is one of the server's time zone.
      - Whether it is given or not, from 14 days before the end on, each run warns.
    type: str
  comment:
    description: The comment on the role. An empty one removes it.
    type: str
  settings:
    description:
      - Settings of the role's sessions by name, as C(ALTER ROLE … SET) takes them, in all databases of the server.
        Useful ones are C(statement_timeout), C(idle_in_transaction_session_timeout) and C(search_path).
      - A setting that is a list of names, such as C(search_path), takes a list, or a text with commas.
      - A value of V(null) resets the setting. Settings that are not named are left alone.
      - C(default_transaction_read_only) is refused where the role uploads tables, to O(upload_schema) or to any
        schema of the database that it may create in. Every upload would fail, and it would protect nothing, since
        the role can switch it off by itself.
    type: dict
    default: {}
  memberships:
    description:
      - Roles that the role shall be a member of, and have the rights of.
      - They are added. What it is a member of besides stays.
    type: list
    elements: str
    default: []
  upload_schema:
    description:
      - The schema that the role uploads tables to, or will.
      - It is only used to refuse O(settings) that would break the uploads.
    type: str
  reassign_to:
    description:
      - With O(state=absent), the role that gets what the dropped one owns (C(REASSIGN OWNED)).
      - The login needs the rights of both.
    type: str
  all_databases:
    description:
      - With O(state=absent), whether the role is removed from all databases of the server, and not from O(login_db)
        alone. Each one that has a trace of it is logged in to, with the same login.
    type: bool
    default: false
seealso:
  - name: Connecting Postgres to Omni
    description: Omni's guide, which this collection follows.
    link: https://docs.omni.co/docs/connections/database/postgres
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

- name: The same role, with a limit, an end, and a timeout of its own
  omni_analytics.connect.omni_pg_user:
    login_host: db1.example.com
    login_db: sales
    login_user: admin
    login_password: "{{ vault_admin_password }}"
    password: "{{ vault_omni_password }}"
    connection_limit: 20
    valid_until: 2030-01-31 12:00+00
    comment: Logs in for Omni
    settings:
      statement_timeout: 10min
      search_path: [public, stats]
    memberships: [reporting]

- name: Look what would have to go for the role to go (ansible-playbook --check --diff)
  omni_analytics.connect.omni_pg_user:
    login_host: db1.example.com
    login_db: sales
    login_user: admin
    login_password: "{{ vault_admin_password }}"
    state: absent
    all_databases: true
    reassign_to: app_owner
"""

RETURN = r"""
name:
  description: Name of the role.
  returned: success
  type: str
  sample: omni
exists:
  description: Whether the role is there. In check mode, whether it was.
  returned: success
  type: bool
password:
  description: What is known of the role's password.
  returned: success, with O(state=present)
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
    algorithm:
      description: How the stored secret was made. V(scram-sha-256), V(md5) or V(unknown).
      returned: where O(login_user) may read C(pg_authid), and a password was given
      type: str
      sample: scram-sha-256
statements:
  description:
    - The SQL that was sent, or in check mode would be; secrets are masked.
    - With O(state=absent), a comment behind each says in which database.
    - A failed task lists those that went through.
  returned: always
  type: list
  elements: str
  sample: ['CREATE ROLE "omni" LOGIN PASSWORD ''********''']
error:
  description:
    - Facts of what went wrong. What was already done is in C(changed) and RV(statements) of the failure.
    - C(kind) is V(invalid_input), V(missing_library), V(unreachable) (no answer, or a login that was refused),
      V(refused) (by the server, with its C(sqlstate)), V(prerequisite), V(conflict), V(moved) (others kept changing
      the role), V(not_converged), V(abandoned) (ansible-playbook is gone), or V(bug).
    - C(databases) are the other databases that stop a drop, C(owned) is what the role owns, and C(passed_on)
      what it gave to others (C(count), C(list), C(truncated)).
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
from ..module_utils._postgres.user import DEFINITION


def main() -> None:
    run(DEFINITION)


if __name__ == "__main__":
    main()
