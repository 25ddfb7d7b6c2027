# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations


class ModuleDocFragment:
    """The login to a database, as community.postgresql names it."""

    DOCUMENTATION = r"""
options:
  login_db:
    description:
      - The database to work in, and to log in to.
      - A name. What looks like a URL or a connection string is refused, and is not repeated.
    type: str
    required: true
    aliases: [database]
  login_host:
    description:
      - Address of the server. Several, separated by commas, are tried in turn, and so are several addresses of
        one name, each for O(connect_timeout). All of them are tried at O(login_port).
      - Without it and without O(login_unix_socket), libpq decides (C(PGHOST), or the local socket).
    type: str
  login_port:
    description: Port of the server.
    type: int
    default: 5432
  login_unix_socket:
    description: Folder of the server's Unix socket. Used where O(login_host) is not given.
    type: path
  login_user:
    description:
      - The role that logs in. It needs no superuser rights.
      - A login that may grant on the objects (their owner, a member of the owner, a superuser) is what the
        work takes; what it cannot do is reported.
    type: str
  login_password:
    description: Password of O(login_user).
    type: str
  ssl_mode:
    description:
      - How far TLS is required and checked, as in libpq's C(sslmode).
      - V(verify-full) also checks that the server is the one that O(login_host) names.
    type: str
    default: prefer
    choices: [disable, allow, prefer, require, verify-ca, verify-full]
  ca_cert:
    description: File with the certificate of the authority that signed the server's.
    type: path
  ssl_cert:
    description: File with the client's certificate.
    type: path
  ssl_key:
    description: File with the client's key.
    type: path
  ssl_key_password:
    description: Password of the client's key, where it has one (libpq's C(sslpassword)).
    type: str
  session_role:
    description: A role to work as after the login (C(SET ROLE)), for the length of each transaction.
    type: str
  connect_params:
    description:
      - More of libpq's connection keywords, such as C(target_session_attrs), C(hostaddr) or C(service).
      - What has an option of its own is refused here, and so is a C(role) in C(options). So a login is always the
        one that the other options name.
    type: dict
    default: {}
  connect_timeout:
    description:
      - How long to wait for each address's answer to a login, in seconds.
      - Name servers that do not answer are given up after that time, too.
    type: int
    default: 10
  lock_timeout:
    description:
      - How long a statement waits for a lock that somebody else holds, in seconds.
      - For another run of this collection that changes the same database, a task waits up to 5 minutes instead.
    type: int
    default: 5
  statement_timeout:
    description:
      - How long one statement may take, in seconds.
      - A server that stays silent longer than that is given up 5 seconds later.
    type: int
    default: 30
  on_standby:
    description:
      - What to do where something has to be changed, and the server is a standby, which only reads.
      - V(skip) skips the task with the reason, for inventories that list standbys too.
      - Check mode, and a task that has nothing to change, work on a standby.
    type: str
    default: fail
    choices: [fail, skip]
  max_listed:
    description:
      - The most names that a list in the result, a diff, or a statement in the result shows; V(0) shows all.
      - It changes what is shown, never what is done.
    type: int
    default: 50
requirements:
  - psycopg2 >= 2.8 (the package psycopg2-binary has it), on the host that runs the module
notes:
  - Works with PostgreSQL 12 and newer, and through PgBouncer in transaction mode.
  - Where the connection is local and nothing of the task asks for a process of its own, the module runs inside
    Ansible's worker, in the Python that runs Ansible; C(omni_connect_in_process=false) as a variable switches
    that off. At C(-vvv) a line says which way was taken, and why.
"""
