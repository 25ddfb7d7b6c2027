#!/usr/bin/python
# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: omni_connection_environment
short_description: Which connection serves which value of a user attribute in Omni
version_added: 0.1.0
description:
  - Keeps the environments of a base connection. Omni sends the queries of a user to the environment that has the value
    of the user's attribute, and to the base connection where none has it.
  - What is not listed is left alone.
author:
  - The omni_analytics.connect authors (@omni-analytics)
extends_documentation_fragment:
  - omni_analytics.connect.omni
  - omni_analytics.connect.attributes
  - omni_analytics.connect.attributes.action_group_omni
options:
  base_connection:
    description: Exact name, or id, of the base connection.
    type: str
    required: true
  attribute:
    description:
      - Name of the user attribute that chooses the environment. Where the base connection has another one yet, and
        Omni tells which attributes there are, one that does not exist fails the task before anything is changed.
      - Left out, it stays as it is.
      - With O(state=absent), the base connection loses this one; another one stays.
    type: str
  default_values:
    description:
      - The values of O(attribute) that the base connection itself serves. An empty list is none.
      - Left out, they stay as they are.
    type: list
    elements: str
  environments:
    description: The other connections.
    type: list
    elements: dict
    default: []
    suboptions:
      connection:
        description: Exact name, or id, of a connection of the same dialect.
        type: str
        required: true
      values:
        description:
          - The values of O(attribute) that it serves. No other environment of the base connection can have one of them.
          - Needed with O(state=present), and ignored with O(state=absent).
        type: list
        elements: str
        default: []
  record_path:
    description:
      - Folder for the records of connections, which M(omni_analytics.connect.omni_connection) has too.
      - Needed only where Omni does not list environments. There, the record of the base connection keeps the ids and
        the values of those that this module makes, so that later runs can compare and change them.
    type: path
  state:
    description:
      - V(present) makes the environments and gives them their values.
      - V(absent) ends that the connections in O(environments) are environments. The connections stay.
    type: str
    default: present
    choices: [present, absent]
notes:
  - Newer instances do not list environments. There, what is not in the record of O(record_path) cannot be compared. The
    task then tries to make it, takes Omni's word that it is there already, changes nothing of it, and lists it in
    RV(unverifiable), with a warning. Check mode cannot know that, predicts a change, and warns too. O(state=absent)
    fails for those that are not in the record.
  - Whether Omni takes lists as such or as text with commas differs in its own documentation. Both are tried.
seealso:
  - module: omni_analytics.connect.omni_connection
"""

EXAMPLES = r"""
- name: Users whose attribute region is emea query the database in Europe
  omni_analytics.connect.omni_connection_environment:
    api_url: https://example.omniapp.co
    api_token: "{{ vault_omni_token }}"
    base_connection: Sales
    attribute: region
    default_values: [americas]
    environments:
      - connection: Sales Europe
        values: [emea]
      - connection: Sales Asia
        values: [apac, anz]
"""

RETURN = r"""
base_connection_id:
  description: Id of the base connection; null in check mode before it is created.
  returned: success
  type: str
  sample: 3f2b8c1e-9d4a-4c55-8a3e-0f5f3c1f7b21
environments:
  description:
    - What is known of the environments in O(environments). In check mode they are those before the change.
  returned: success
  type: list
  elements: dict
  contains:
    connection:
      description: The name or id that was given.
      type: str
    connection_id:
      description: Id of the connection.
      type: str
    id:
      description: Id of the environment.
      type: str
    user_attribute_values:
      description: The values of the user attribute that it serves.
      type: list
      elements: str
unverifiable:
  description:
    - The connections in O(environments) that are environments, and whose values neither Omni nor a record tells.
  returned: success
  type: list
  elements: str
requests:
  description:
    - The requests that were sent to change something, or in check mode would be, by method and path.
    - A failed task lists what was sent before it failed.
    - The diff shows them in full.
  returned: success and failure
  type: list
  elements: str
  sample: [POST /api/v1/connection-environments]
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
from ..module_utils._omni.connection_environment import DEFINITION


def main() -> None:
    run(DEFINITION)


if __name__ == "__main__":
    main()
