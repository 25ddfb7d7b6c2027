#!/usr/bin/python
# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: omni_schema_model
short_description: The schema model of a connection in Omni
version_added: 0.1.0
description:
  - Makes the schema model of a connection where there is none, and has Omni refresh it. That is what Omni's own pages
    do when a person adds a connection, and what its API leaves out.
  - A refresh that succeeds is Omni's own proof that it can log in to the database and read its schemas. The module
    waits for it, and fails where Omni says that it failed.
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
      - With O(refresh=always), every run refreshes, and reports a change.
options:
  connection:
    description:
      - Display name of the connection, compared character by character. Where several have it, the task fails and
        lists their ids.
      - In check mode it may be one that does not exist yet. RV(requests) then have V(<new id>) in place of its id.
      - Exactly one of this and O(connection_id) is needed.
    type: str
  connection_id:
    description: Id of the connection.
    type: str
  refresh:
    description:
      - V(on_create) refreshes a model that this task makes, and no other one.
      - V(if_unread) also refreshes a model that has no schemas, since no refresh has ever read the database then;
        such as after a first refresh that failed. It asks Omni for the model's schemas, one request a task. Where an
        instance does not tell, it is the same as V(on_create).
      - V(always) refreshes in every run, and so reports a change in every run.
      - V(never) makes the model and leaves it empty until Omni refreshes it by a schedule or by hand.
      - What is gone from the database is kept in the model, unless O(hard_refresh=true).
    type: str
    default: on_create
    choices: [never, on_create, if_unread, always]
  hard_refresh:
    description:
      - Whether a refresh builds the model anew, and so drops from it what is gone from the database.
      - Omni's own default is a hard one; this module asks for it only where it is set.
    type: bool
    default: false
  schemas:
    description:
      - Schemas that a refresh reads; all that the connection includes, unless given.
      - Needs O(hard_refresh=false). Not every instance of Omni knows it.
    type: list
    elements: str
  tables:
    description:
      - Tables that a refresh reads, as Omni names them; all, unless given.
      - Needs O(hard_refresh=false). Not every instance of Omni knows it.
    type: list
    elements: str
  wait:
    description:
      - Whether to wait for the end of the refresh, and to fail where it fails.
      - Where the module runs inside Ansible's own process, a line every ten seconds says that it still waits.
    type: bool
    default: true
  wait_timeout:
    description: How long to wait for the end of the refresh, in seconds. After that the task fails, and Omni goes on.
    type: int
    default: 600
notes:
  - After a first refresh that failed, or that was cut off, the model is there, so O(refresh=on_create) does not refresh
    it again. O(refresh=if_unread) does, where Omni tells which schemas a model has, and O(refresh=always) in any case.
  - A connection whose schema is refreshed by branch in Omni takes no refresh of its model as a whole. The task fails
    and says so; O(refresh=never) is for it.
  - A job's state is asked for after 1, 4, 13, 33 seconds, and then every 20 seconds, out of the requests that the API
    key has in a minute.
seealso:
  - module: omni_analytics.connect.omni_connection
  - module: omni_analytics.connect.omni_refresh_schedule
  - module: omni_analytics.connect.omni_pg_access_info
"""

EXAMPLES = r"""
- name: Make the model of a connection, and let Omni prove that it reads the database
  omni_analytics.connect.omni_schema_model:
    api_url: https://example.omniapp.co
    api_token: "{{ vault_omni_token }}"
    connection: Sales

- name: Refresh it now, without waiting
  omni_analytics.connect.omni_schema_model:
    api_url: https://example.omniapp.co
    api_token: "{{ vault_omni_token }}"
    connection: Sales
    refresh: always
    wait: false
"""

RETURN = r"""
connection_id:
  description: Id of the connection; null in check mode before it is created.
  returned: success
  type: str
  sample: 3f2b8c1e-9d4a-4c55-8a3e-0f5f3c1f7b21
model_id:
  description: Id of the schema model, which is its connection's; null in check mode before it is made.
  returned: success
  type: str
  sample: 3f2b8c1e-9d4a-4c55-8a3e-0f5f3c1f7b21
job_id:
  description: Id of the job with which Omni refreshes the model; null where this task started none.
  returned: success
  type: str
  sample: 5d41402abc4b2a76b9719d91
job_status:
  description:
    - V(COMPLETED), or V(IN_PROGRESS) where the task did not wait for the end; null where there is no job.
  returned: success
  type: str
  sample: COMPLETED
schemas:
  description:
    - The schemas that the model has. Null where that was not asked for, or Omni does not tell it.
    - It is asked for with O(refresh=if_unread), and after the first refresh of a model if Omni named no job for it.
  returned: success
  type: list
  elements: str
  sample: [public]
requests:
  description:
    - The requests that were sent to change something, or in check mode would be, by method and path.
    - A failed task lists what was sent before it failed.
    - The diff shows them in full.
  returned: success and failure
  type: list
  elements: str
  sample: [POST /api/v1/models]
msg:
  description: What went wrong.
  returned: failure
  type: str
error:
  description:
    - Facts of what went wrong, such as its C(kind), the HTTP C(status) that Omni answered, or the C(job_id) and
      C(job_status) of a refresh that failed or took too long.
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
from ..module_utils._omni.schema_model import DEFINITION


def main() -> None:
    run(DEFINITION)


if __name__ == "__main__":
    main()
