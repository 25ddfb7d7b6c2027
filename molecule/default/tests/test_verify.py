# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Step verify: no connection to a database that Omni could not read. side_effect.yml is what happened."""

from __future__ import annotations


def test_what_omni_cannot_read_has_no_connection(fake):
    assert fake.connections("unreadable") == []


def test_what_omni_can_read_has_one(fake):
    """The one table made the difference."""
    assert len(fake.connections("readable")) == 1
