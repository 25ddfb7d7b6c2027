#!/usr/bin/python
# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: omni_connection
short_description: The connection to a Postgres database in Omni
version_added: 0.1.0
description:
  - Keeps one connection in Omni as wanted. It is the fourth step of Omni's guide to Postgres, and has the fields of
    its form.
  - The connection is found by its exact name among those that are not in Omni's trash. Where several have that name,
    the task fails and lists their ids, and O(connection_id) chooses.
  - Names are no keys in Omni. So after a connection is created, its name is looked for once more; where another run
    has created one of the name meanwhile, the one that Omni made first stays, and the other is taken back.
  - Omni's API can change O(password) and O(base_role) of a connection, and nothing else. What happens where another
    setting differs is for O(on_immutable_change) to say. By default the task fails, and names what differs.
  - Omni's API shows little of a connection. With O(record_path), a file beside the inventory keeps what was last set,
    so that a host, a timeout or a password that changes in the inventory is noticed.
  - Omni creates a connection without trying it. M(omni_analytics.connect.omni_pg_access_info) logs in to the database
    as Omni will.
author:
  - The omni_analytics.connect authors (@omni-analytics)
extends_documentation_fragment:
  - omni_analytics.connect.omni
  - omni_analytics.connect.attributes
  - omni_analytics.connect.attributes.action_group_omni
attributes:
  idempotent:
    support: partial
    details:
      - With O(update_password=always), every run sends the password, unless a record proves that Omni was given
        this one last. Omni does not tell which one it has.
options:
  name:
    description:
      - Display name of the connection, compared character by character.
      - Required with O(state=present), and with O(state=absent) unless there is O(connection_id).
    type: str
  connection_id:
    description:
      - Id of a connection that exists. Needed only where several have the same name.
      - One whose name is not O(name) is an error, since the API cannot rename a connection.
    type: str
  host:
    description:
      - Host, by the address at which Omni reaches the database. It may differ from the one at which Ansible does.
      - An address that only this machine itself can reach, such as V(localhost) or the path of a socket, is refused.
      - Required with O(state=present).
    type: str
  port:
    description: Port of the database server.
    type: int
    default: 5432
  database:
    description:
      - Database to connect to.
      - Required with O(state=present).
    type: str
  username:
    description: Username, which is the role of M(omni_analytics.connect.omni_pg_user).
    type: str
    default: omni
  password:
    description:
      - Password of O(username). Needed to create the connection.
      - It is sent as it is, blanks at its ends included.
    type: str
  update_password:
    description:
      - V(on_create) sends the password when the connection is created, and never again.
      - V(always) sends it wherever the record of O(record_path) does not prove that Omni was given the same one last.
        Without a record every run sends it and reports a change, in check mode too, because Omni does not tell which
        password it has.
      - With V(on_create), a password that differs from the record's is reported by a warning and by RV(password).
    type: str
    default: on_create
    choices: [on_create, always]
  default_schema:
    description:
      - Default schema. It has to be among O(include_schemas), where there are any.
      - Left out, it is C(public) where O(include_schemas) has or matches that, else the first plain name there. Where
        there are only other wildcards, it has to be given.
      - Omni may keep it to itself; it is then listed in RV(unverifiable) and not compared.
    type: str
  include_schemas:
    description:
      - Include schemas, as names or with C(*) for any run of characters.
      - Left out, or with a lone V(*) in it, every schema. An empty list is an error, since it names none.
    type: list
    elements: str
  offloaded_schemas:
    description:
      - Offloaded schemas, by their names. Omni tells upper and lower case apart in them.
      - Left out, there are none.
    type: list
    elements: str
  scratch_schema:
    description:
      - Schema for Table Uploads, which is that of M(omni_analytics.connect.omni_upload_schema). It cannot be among
        O(include_schemas), nor be O(default_schema).
      - Left out, uploads are not pushed to the database.
    type: str
    aliases: [upload_schema]
  system_timezone:
    description: Database Timezone, as an IANA name. It is the timezone that the database uses.
    type: str
    default: UTC
    aliases: [database_timezone]
  query_timezone:
    description:
      - Query timezone, as an IANA name. Queries convert data from O(system_timezone) to it.
      - V(NONE) means no conversion.
    type: str
    default: NONE
  allows_user_specific_timezones:
    description: Allow User-Specific Timezones, so that a user's own timezone is used for queries.
    type: bool
    default: false
  query_timeout_seconds:
    description:
      - Query timeout in seconds, from 1 to 3600, after which the database cancels a query.
      - Left out, Omni uses its own, which its documentation gives as 900.
    type: int
    aliases: [query_timeout]
  infer_relationships_from_foreign_keys:
    description:
      - Whether Omni takes foreign keys of the database for relationships of the model.
      - Left out, Omni's own default holds, which the description of its API gives as V(false).
    type: bool
  infer_relationships_from_column_names:
    description:
      - Whether Omni infers relationships from names of columns.
      - Left out, Omni's own default holds, which the description of its API gives as V(true).
    type: bool
  always_scope_view_names:
    description:
      - Whether the names of views in the model always have their schema in them.
      - Left out, Omni's own default holds, which the description of its API gives as V(false) for Postgres.
    type: bool
  base_role:
    description:
      - The role that every user of the organization has on the connection, such as V(NO_ACCESS), V(VIEWER),
        V(RESTRICTED_QUERIER), V(QUERIER), V(MODELER), V(CONNECTION_ADMIN), or a role of your own.
      - V(RESTRICTED_QUERIER) and V(QUERY_TOPICS) are two names of one role.
      - Left out, Omni chooses it for a new connection, and that of another one stays as it is.
    type: str
  on_immutable_change:
    description:
      - What to do about a setting that differs and that Omni's API cannot change. RV(differences) lists them. It
        differs if Omni shows it with another value, or if it is in the record of O(record_path) with another value. One
        that the record has, and that is left out here now, differs too.
      - V(fail) fails the task before anything is changed.
      - V(warn) leaves the setting as it is, with a warning in every run.
      - V(accept) says that somebody has set it in Omni by hand. All settings of the task go into the record, nothing is
        sent to Omni for them, and the next run is quiet. It needs O(record_path). Where Omni itself shows
        another value, the task fails all the same. The password is not part of it.
      - V(replace) makes a new connection, with a schema model, the refresh schedules and the environments of
        the old one, and then deletes the old one. B(The models and dashboards of the old one go to Omni's trash with
        it.) The new one has another id, which RV(connection_id) tells, and RV(replaced) the old id. Needs
        O(password). Where the instance does not list environments and there may be some, or cannot delete a connection
        through its API, the task fails before it changes anything. Disabled schedules, environments of branches, and
        switches that the API shows and cannot set are not carried over, and a warning names them. With O(record_path),
        a replacement that was cut off at any point is finished by the next run. Without, the next run may find two
        connections of the name, and fails with their ids.
    type: str
    default: fail
    choices: [fail, warn, accept, replace]
  record_path:
    description:
      - Folder for the records, on the host that runs the module. It is made if it is not there. A relative one is
        relative to the playbook.
      - A record is a YAML file, one for each connection, with the settings that were last sent, or accepted, and is
        meant to be committed beside the inventory. It is written only when one of these changes, and never in
        check mode.
      - Where it is missing, or cannot be read, the settings are RV(unverifiable), and a warning says so. Where it
        cannot be written, the task returns it as RV(record).
      - Omni may answer that it made a connection, and not show it for a while. The record says so, and no later run
        makes a second one.
      - A connection that was made without a record gets one with V(accept) as O(on_immutable_change), or, for its
        password alone, when that is sent.
    type: path
  record_password:
    description:
      - Whether the record has a digest (scrypt, with a salt of its own) of the password, which tells whether another
        password is the same one. Where the Python that runs the module has no scrypt to use, as in FIPS mode, the
        record is written without it, and a warning says so.
    type: bool
    default: true
  state:
    description:
      - V(present) creates the connection where there is none, and updates what can be.
      - V(absent) deletes it. Its models and its content go to Omni's trash with it, and its password is destroyed.
    type: str
    default: present
    choices: [present, absent]
notes:
  - Without O(record_path), a host, port, username, schema list, upload schema, timezone or timeout that is changed
    here after the connection was created changes nothing in Omni, and the API lets nobody notice. RV(unverifiable)
    lists these options, and a person can compare them with the connection's page in Omni.
  - O(record_path) needs PyYAML in the Python that runs the module. The Python that runs Ansible has it.
seealso:
  - name: Connecting Postgres to Omni
    description: Omni's guide, which this collection follows.
    link: https://docs.omni.co/docs/connections/database/postgres
  - module: omni_analytics.connect.omni_connection_info
  - module: omni_analytics.connect.omni_pg_user
  - module: omni_analytics.connect.omni_upload_schema
"""

EXAMPLES = r"""
- name: Connect Omni to the database
  omni_analytics.connect.omni_connection:
    api_url: https://example.omniapp.co
    api_token: "{{ vault_omni_token }}"
    name: Sales
    host: db1.example.com
    database: sales
    username: omni
    password: "{{ vault_omni_password }}"
    include_schemas: [public, 'stats_*']
    upload_schema: omni_uploads
    database_timezone: Europe/Berlin
    query_timeout: 600
    base_role: NO_ACCESS
  register: sales

- name: Tell Omni the new password of its role
  omni_analytics.connect.omni_connection:
    api_url: https://example.omniapp.co
    api_token: "{{ vault_omni_token }}"
    name: Sales
    host: db1.example.com
    database: sales
    include_schemas: [public, 'stats_*']
    password: "{{ vault_new_omni_password }}"
    update_password: always

- name: Notice what Omni does not show, and take over what was set there by hand
  omni_analytics.connect.omni_connection:
    api_url: https://example.omniapp.co
    api_token: "{{ vault_omni_token }}"
    name: Sales
    host: db2.example.com
    database: sales
    password: "{{ vault_omni_password }}"
    record_path: connections
    on_immutable_change: accept

- name: Delete the connection, with its models and its content
  omni_analytics.connect.omni_connection:
    api_url: https://example.omniapp.co
    api_token: "{{ vault_omni_token }}"
    name: Sales
    state: absent
"""

RETURN = r"""
connection_id:
  description: Id of the connection; null in check mode before it is created, and where there is none to delete.
  returned: success, and on failure after it was created
  type: str
  sample: 3f2b8c1e-9d4a-4c55-8a3e-0f5f3c1f7b21
name:
  description: Name of the connection.
  returned: success
  type: str
  sample: Sales
connection:
  description:
    - The connection as Omni's API shows it, with its fields in snake case; null where there is none.
    - Besides those below there may be more, such as the settings of connection environments.
  returned: success
  type: dict
  contains:
    id:
      description: Its id.
      type: str
    name:
      description: Its display name.
      type: str
    dialect:
      description: The kind of database.
      type: str
      sample: postgres
    database:
      description: The database.
      type: str
    default_schema:
      description: The default schema, or null where Omni keeps it to itself.
      type: str
    base_role:
      description: The base role.
      type: str
    created_at:
      description: When it was created.
      type: str
    updated_at:
      description: When it was last changed.
      type: str
unverifiable:
  description:
    - The options that were given, or have a default, and cannot be compared with a connection that was there before
      this run, because neither Omni's API nor a record shows them.
  returned: success
  type: list
  elements: str
  sample: [host, port, username, password]
differences:
  description:
    - For each option that differs and that Omni's API cannot change, what it C(is) and what is C(wanted). That is null
      where the record has a value, and none is given any more.
  returned: success, with O(state=present)
  type: dict
  sample: {host: {is: db1.example.com, wanted: db2.example.com}}
password:
  description: What is known of the password that Omni has.
  returned: success, with O(state=present)
  type: dict
  contains:
    state:
      description:
        - V(fits) or V(differs), compared with O(password).
        - V(set) by this run.
        - V(unknown) where no record tells.
        - V(not_checked) where no password was given.
      type: str
      sample: fits
    how:
      description: How that is known, or why not.
      type: str
      sample: by the record
archived:
  description:
    - Ids of connections in Omni's trash that have the same name. They are left there. Where the connection was found by
      O(connection_id), they are not looked for.
  returned: success
  type: list
  elements: str
  sample: []
replaced:
  description: Id of the connection that was replaced, and is in Omni's trash.
  returned: when O(on_immutable_change=replace) replaced one
  type: str
record:
  description: The record, where O(record_path) cannot be written.
  returned: when there is something to record and it could not be stored
  type: dict
  contains:
    path:
      description: The file that it should be in.
      type: str
    content:
      description: The text that should be in it.
      type: str
requests:
  description:
    - The requests that were sent to change something, or in check mode would be, by method and path.
    - A failed task lists what was sent before it failed.
    - The diff shows them in full, with the password masked.
  returned: success and failure
  type: list
  elements: str
  sample: [POST /api/v1/connections]
msg:
  description: What deleting the connection does to what was made from it; otherwise, what went wrong.
  returned: when the connection is deleted, and on failure
  type: str
error:
  description:
    - Facts of what went wrong, such as its C(kind), the HTTP C(status) that Omni answered, the C(ids) of several
      connections of one name, or for each option in C(differences) what it C(is) and what is C(wanted).
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
from ..module_utils._omni.connection import DEFINITION


def main() -> None:
    run(DEFINITION)


if __name__ == "__main__":
    main()
