# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""psycopg2, where it imports. Everything else of this half takes it from here."""

from __future__ import annotations

try:
    import psycopg2
    from psycopg2 import extensions, sql
except ImportError as error:
    _ERROR: ImportError | None = error
    # Whoever imports the names gets that far, and then LIBRARY fails the task.
    psycopg2 = extensions = sql = None  # type: ignore[assignment]
else:
    _ERROR = None

from .._definition import Library

__all__ = ["LIBRARY", "extensions", "psycopg2", "sql"]

#: What each Definition of this half needs; it fails the task, with advice, before anything else is done.
LIBRARY = Library("psycopg2", "psycopg2-binary", _ERROR)
