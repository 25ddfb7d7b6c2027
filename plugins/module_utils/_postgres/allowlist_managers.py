# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs that write the whole pg_hba.conf themselves, so that what anybody else adds is lost."""

from __future__ import annotations

import re

from .._errors import Conflict

#: What such a file says above its first rule, whose it is, and where its rules are set instead.
HEADERS = (
    (
        rb"overwritten by Patroni",
        "Patroni",
        "postgresql.pg_hba in its configuration (patronictl edit-config)",
    ),
    (rb"managed by Puppet", "Puppet", "postgresql::server::pg_hba_rule"),
    (rb"(?:generated|managed|dropped off) by Chef", "Chef", "the resource postgresql_access"),
    (rb"managed by Salt", "Salt", "the pillar postgres:acls"),
    (
        rb"Ansible managed",
        "a template of Ansible",
        "the variable of its role, such as postgresql_hba_entries",
    ),
)
CLOUDNATIVEPG = ("CloudNativePG", "spec.postgresql.pg_hba of the Cluster")


def manager(data: bytes, cloudnativepg: bool) -> tuple[str, str] | None:
    """Who writes the file with these bytes, and the setting that has its rules.

    :param cloudnativepg: whether the server has CloudNativePG's own settings.
    """
    if cloudnativepg or re.search(rb"(?m)^[^#\n]*\bmap=\"?cnpg_", data):
        return CLOUDNATIVEPG
    header = re.match(rb"(?:[ \t\r]*(?:#[^\n]*)?\n)*", data)
    if header is None:
        raise AssertionError(data)
    for words, name, setting in HEADERS:
        if re.search(words, header[0]):
            return name, setting
    return None


def refuse(path: str, data: bytes, cloudnativepg: bool) -> None:
    """Raise Conflict where somebody else writes the file."""
    found = manager(data, cloudnativepg)
    if found:
        raise Conflict(
            f"Changing {path}",
            f"{found[0]} writes this file, and would undo the change",
            f"Add the rules there: {found[1]}.",
            manager=found[0],
        )
