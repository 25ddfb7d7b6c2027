#!/usr/bin/python
# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: omni_pg_allowlist
short_description: Omni's addresses in a Postgres server's pg_hba.conf
version_added: 0.1.0
description:
  - Keeps the rules of C(pg_hba.conf) that let O(role) into O(login_db) from O(addresses), and has the server load
    them. It is the third step of Omni's guide to Postgres, for servers whose file you may write; a managed service
    has a firewall of its own instead.
  - The rules stand between two comments, in a block for each role and database. Nothing else in the file changes,
    not by a byte.
  - The block comes above the first rule that decides one of the addresses for that role and database, and never
    above a C(reject) that does. That is somebody's decision, so the module fails and names the line. A block that
    is in effect stays where it is; one that stands above a C(reject) already, or whose two comments somebody put there
    by hand, keeps that place.
  - The server is asked before it loads anything. The file is replaced in one step; what C(pg_hba_file_rules) then
    says is compared with what it said before; and where the server finds an error, or other rules than were meant,
    the file gets its old bytes back. What somebody else saves at the same time stays, and is read anew. Only then is
    the configuration loaded, and a new session proves that it was.
  - It runs on the database's host, as a user who may write to the folder of the file. It changes only a file whose
    bytes are those that the server itself reads.
author:
  - The omni_analytics.connect authors (@omni-analytics)
extends_documentation_fragment:
  - omni_analytics.connect.postgres
  - omni_analytics.connect.attributes
  - omni_analytics.connect.attributes.action_group_postgres
options:
  addresses:
    description:
      - Where Omni comes from, as IPv4 and IPv6 addresses and nets. Omni shows them on the page of a connection.
      - Their order makes no difference. V(all), and nets that add up to all addresses of a family, are refused
        unless O(allow_any_address) is set.
      - Needed with O(state=present).
    type: list
    elements: str
    default: []
  role:
    description: The role that Omni logs in as. See M(omni_analytics.connect.omni_pg_user).
    type: str
    default: omni
  method:
    description: How Omni has to prove its password.
    type: str
    default: scram-sha-256
    choices: [scram-sha-256, md5, password]
  connection_type:
    description:
      - Which logins the rules mean. V(hostssl) are those with TLS, V(host) all over the network.
      - A rule for V(hostssl) on a server without TLS lets nobody in, which is a warning.
    type: str
    default: hostssl
    choices: [hostssl, host]
  path:
    description:
      - The file on this host, where the server knows it by another name, as in a container whose folder is mounted.
      - Without it, what the server says (C(hba_file)). A symbolic link is followed.
    type: path
  backup:
    description: Whether to keep the old file beside the new one, as closed as that, under RV(backup_file).
    type: bool
    default: false
  allow_any_address:
    description: Whether O(addresses) may be every address that there is.
    type: bool
    default: false
  state:
    description:
      - Whether there shall be the block, or not. V(absent) removes it, and nothing else; O(addresses) then only says
        for which of them RV(decided_by) is told.
    type: str
    default: present
    choices: [absent, present]
notes:
  - In practice O(login_user) is a superuser. Else it takes the membership in C(pg_read_all_settings) and
    C(pg_read_server_files), SELECT on C(pg_hba_file_rules), and EXECUTE on C(pg_hba_file_rules()),
    C(pg_read_binary_file) and C(pg_reload_conf()).
  - The folder of the file has to be writable for the user that the module runs as, since a file is only replaced whole
    by a new one. Mode, owner, SELinux context and other extended attributes stay. Nothing is written in place, so that
    a file that is mounted alone into a container, a ConfigMap, or a file in a folder of root's is an error.
  - A C(pg_hba.conf) that Patroni, CloudNativePG, Puppet, Chef, Salt or a template of Ansible writes is left alone.
    Where its rules let every address in by O(method), nothing is to do; else the task fails, with the name of the
    setting that has them.
  - The file of a standby is its own, and O(on_standby) plays no part here. Run the task on each server of a cluster.
  - Where the file was changed after the server last loaded its configuration, and has the block already, the module has
    it loaded. Other people's changes that wait there are loaded with it, as they are with every change of the block.
  - Host names, C(samehost), C(samenet) and the less simple of Postgres' regular expressions cannot be judged from
    outside; RV(decided_by) then says why it is C(unsure).
seealso:
  - name: Connecting Postgres to Omni
    description: Omni's guide, which this collection follows.
    link: https://docs.omni.co/docs/connections/database/postgres
"""

EXAMPLES = r"""
- name: Let Omni's addresses in, on the database's host
  omni_analytics.connect.omni_pg_allowlist:
    login_unix_socket: /var/run/postgresql
    login_db: sales
    role: omni
    addresses:
      - 203.0.113.7
      - 203.0.113.64/28
      - 2001:db8:12::/48
    backup: true
  become: true
  become_user: postgres

- name: A server in a container, whose data folder is mounted from this host
  omni_analytics.connect.omni_pg_allowlist:
    login_host: 127.0.0.1
    login_db: sales
    login_user: postgres
    login_password: "{{ vault_postgres_password }}"
    addresses: "{{ omni_addresses }}"
    path: /srv/postgres/data/pg_hba.conf
  become: true

- name: Take the rules back
  omni_analytics.connect.omni_pg_allowlist:
    login_unix_socket: /var/run/postgresql
    login_db: sales
    state: absent
  become: true
  become_user: postgres
"""

RETURN = r"""
path:
  description: The file, all links followed.
  returned: success
  type: str
  sample: /etc/postgresql/17/main/pg_hba.conf
role:
  description: The role that is let in.
  returned: success
  type: str
  sample: omni
database:
  description: The database that it is let into.
  returned: success
  type: str
  sample: sales
addresses:
  description: The addresses as nets, in the order of the rules.
  returned: success
  type: list
  elements: str
  sample: [203.0.113.7/32, 203.0.113.64/28, '2001:db8:12::/48']
decided_by:
  description:
    - Which line decides a login of the role into the database, for each address, with TLS (where the server has it)
      and without. In check mode, the lines of the file as it would be.
  returned: success
  type: dict
  contains:
    count:
      description: How many decisions.
      type: int
    list:
      description: The first of them, O(max_listed) in all.
      type: list
      elements: dict
      contains:
        address:
          description: One of RV(addresses).
          type: str
        part:
          description: Which part of the net the line decides; empty for all of it.
          type: list
          elements: str
        tls:
          description: Whether the login comes with TLS.
          type: bool
        method:
          description: What the line asks for. V(reject), or V(none) where no line means the login, keep it out.
          type: str
        file:
          description: The file with the line, which may be one that C(pg_hba.conf) includes.
          type: str
        line:
          description: The number of the line; null where there is none.
          type: int
        unsure:
          description: Why it cannot be judged from outside whether this line decides; empty where it can.
          type: str
      sample:
        - {address: 203.0.113.7/32, part: [], tls: true, method: scram-sha-256,
           file: /etc/postgresql/17/main/pg_hba.conf, line: 97, unsure: ''}
    truncated:
      description: Whether there are more than are listed.
      type: bool
backup_file:
  description: Where the old file was kept.
  returned: where O(backup) is set and something changed
  type: str
  sample: /etc/postgresql/17/main/pg_hba.conf.4711.2026-11-24@12:30:00~
statements:
  description:
    - The SQL that was sent once the file was right, or in check mode would be. A file that was replaced is a comment
      before it.
    - A failed task lists what was sent before it failed.
  returned: success and failure
  type: list
  elements: str
  sample: ['-- Replace pg_hba.conf', SELECT pg_reload_conf()]
error:
  description: Facts of what went wrong, such as its C(kind), and the C(lines) that it is about.
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
from ..module_utils._postgres.allowlist import DEFINITION


def main() -> None:
    run(DEFINITION)


if __name__ == "__main__":
    main()
