#!/usr/bin/python
# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: omni_connection_info
short_description: What connections there are in Omni
version_added: 0.1.0
description:
  - Reads connections from Omni, to databases of every kind; all of them, those of one name, or one by its id.
  - Finding none is no failure of the task.
author:
  - The omni_analytics.connect authors (@omni-analytics)
extends_documentation_fragment:
  - omni_analytics.connect.omni
  - omni_analytics.connect.attributes.info
  - omni_analytics.connect.attributes.action_group_omni
options:
  name:
    description:
      - Exact display name of the connections to read.
      - Mutually exclusive with O(connection_id).
    type: str
  connection_id:
    description: Id of the connection to read.
    type: str
  include_archived:
    description: Whether connections in Omni's trash are read too.
    type: bool
    default: false
seealso:
  - module: omni_analytics.connect.omni_connection
"""

EXAMPLES = r"""
- name: Read the connections
  omni_analytics.connect.omni_connection_info:
    api_url: https://example.omniapp.co
    api_token: "{{ vault_omni_token }}"
  register: omni

- name: Show the names of those to Postgres
  ansible.builtin.debug:
    msg: "{{ omni.connections | selectattr('dialect', 'eq', 'postgres') | map(attribute='name') }}"
"""

RETURN = r"""
connections:
  description:
    - The connections, ordered by name and id, with their fields in snake case.
    - Besides those below there may be more, such as the settings of connection environments. Omni's API never shows
      host, port, username, password, include schemas, upload schema, timezones and query timeout.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Its id.
      type: str
      sample: 3f2b8c1e-9d4a-4c55-8a3e-0f5f3c1f7b21
    name:
      description: Its display name.
      type: str
      sample: Sales
    dialect:
      description: The kind of database.
      type: str
      sample: postgres
    database:
      description: The database.
      type: str
      sample: sales
    default_schema:
      description: The default schema, or null where Omni keeps it to itself.
      type: str
      sample: public
    base_role:
      description: The role that every user of the organization has on it.
      type: str
      sample: NO_ACCESS
    deleted_at:
      description: When it was moved to the trash, or null.
      type: str
    created_at:
      description: When it was created.
      type: str
    updated_at:
      description: When it was last changed.
      type: str
error:
  description: Facts of what went wrong, such as its C(kind) and the HTTP C(status) that Omni answered.
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
from ..module_utils._omni.connection_info import DEFINITION


def main() -> None:
    run(DEFINITION)


if __name__ == "__main__":
    main()
