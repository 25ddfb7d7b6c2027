#!/usr/bin/python
# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: omni_refresh_schedule
short_description: When Omni refreshes the schema of a connection
version_added: 0.1.0
description:
  - Keeps the schedules by which Omni refreshes the schema model of a connection.
  - A schedule is known by its cron expression and its timezone. Blanks and letter case in the expression do not count.
author:
  - The omni_analytics.connect authors (@omni-analytics)
extends_documentation_fragment:
  - omni_analytics.connect.omni
  - omni_analytics.connect.attributes
  - omni_analytics.connect.attributes.action_group_omni
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
  schedules:
    description: The schedules. With O(exclusive=true) it may be an empty list.
    type: list
    elements: dict
    required: true
    suboptions:
      schedule:
        description:
          - Cron expression of six fields, as AWS EventBridge has it, namely minute, hour, day of month, month, day of
            week and year. One of the two days is C(?).
          - V(0 2 * * ? *) is every day at 2:00, and V(30 6 ? * MON-FRI *) every working day at 6:30.
          - It is checked before anything is sent.
        type: str
        required: true
      timezone:
        description: The timezone of the expression, as an IANA name.
        type: str
        default: UTC
      hard_refresh:
        description:
          - Whether the refresh also drops what is gone from the database.
          - Left out, that of a schedule that exists stays as it is, and a new one has none.
          - Ignored with O(state=absent).
        type: bool
  exclusive:
    description:
      - Whether the connection has no schedules but those in O(schedules).
      - One that is not listed is changed into one that is missing, or deleted.
    type: bool
    default: false
  state:
    description:
      - V(present) makes the schedules that are missing.
      - V(absent) deletes those in O(schedules), and cannot be O(exclusive=true).
    type: str
    default: present
    choices: [present, absent]
notes:
  - Omni takes no schedule before the connection has a schema model. M(omni_analytics.connect.omni_schema_model) makes
    it.
  - Omni's API cannot enable a schedule that is disabled. The task warns of a wanted one, and leaves it.
  - Omni lets two schedules be the same. One is enough. The task warns of more, and O(exclusive=true) deletes
    them.
seealso:
  - module: omni_analytics.connect.omni_connection
  - module: omni_analytics.connect.omni_schema_model
"""

EXAMPLES = r"""
- name: Refresh the schema every night, and at noon on working days
  omni_analytics.connect.omni_refresh_schedule:
    api_url: https://example.omniapp.co
    api_token: "{{ vault_omni_token }}"
    connection: Sales
    schedules:
      - schedule: '0 2 * * ? *'
        timezone: Europe/Berlin
        hard_refresh: true
      - schedule: '0 12 ? * MON-FRI *'
        timezone: Europe/Berlin

- name: Only on Sundays, whatever else was there
  omni_analytics.connect.omni_refresh_schedule:
    api_url: https://example.omniapp.co
    api_token: "{{ vault_omni_token }}"
    connection: Sales
    schedules:
      - schedule: '0 2 ? * SUN *'
    exclusive: true
"""

RETURN = r"""
connection_id:
  description: Id of the connection; null in check mode before it is created.
  returned: success
  type: str
  sample: 3f2b8c1e-9d4a-4c55-8a3e-0f5f3c1f7b21
schedules:
  description:
    - The schedules of the connection, those of others included, as Omni's API shows them with fields in snake case.
      In check mode they are those before the change.
  returned: success
  type: list
  elements: dict
  contains:
    schedule_id:
      description: Its id.
      type: str
    schedule:
      description: The cron expression.
      type: str
    timezone:
      description: The timezone of the expression.
      type: str
    hard_refresh:
      description: Whether what is gone from the database is dropped. Older instances do not tell.
      type: bool
    description:
      description: Omni's words for it.
      type: str
    disabled_at:
      description: Since when it is disabled, or null.
      type: str
requests:
  description:
    - The requests that were sent to change something, or in check mode would be, by method and path.
    - A failed task lists what was sent before it failed.
    - The diff shows them in full.
  returned: success and failure
  type: list
  elements: str
  sample: [POST /api/v1/connections/3f2b8c1e-9d4a-4c55-8a3e-0f5f3c1f7b21/schedules]
msg:
  description: What went wrong.
  returned: failure
  type: str
error:
  description: Facts of what went wrong, such as its C(kind), and the HTTP C(status) that Omni answered.
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
from ..module_utils._omni.refresh_schedule import DEFINITION


def main() -> None:
    run(DEFINITION)


if __name__ == "__main__":
    main()
