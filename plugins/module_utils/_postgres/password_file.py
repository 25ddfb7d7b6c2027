# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A password as libpq reads it from a file (passfile), in memory where the system can keep one there.

libpq names that file in its message where the server refused the password, SQLSTATE 28P01, and for no other
reason: in any language, and without anybody else's say. For example::

    FATAL:  Passwort-Authentifizierung für Benutzer »omni« fehlgeschlagen
    password retrieved from file "/proc/self/fd/7"

https://www.postgresql.org/docs/current/libpq-pgpass.html
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

#: Older libpqs read no more of a line than that, with its colons.
_BYTES = 300


@contextmanager
def password_keywords(password: str | None) -> Iterator[tuple[dict[str, str], str]]:
    """libpq's keywords for ``password``, and the path that its message names if the server refuses it.

    None leaves it to libpq (PGPASSWORD, ~/.pgpass), and then there is no path ("").
    """
    if password is None:
        yield {}, ""
        return
    line = "*:*:*:*:" + password.replace("\\", "\\\\").replace(":", "\\:")
    if "\n" in password or password.endswith("\r") or len(line.encode()) > _BYTES:
        yield {"password": password}, ""  # the file has no way to write these
        return
    with _file(line + "\n") as path:
        # An empty password makes libpq look into the file, and not into PGPASSWORD.
        yield {"passfile": path, "password": ""}, path


@contextmanager
def _file(text: str) -> Iterator[str]:
    if hasattr(os, "memfd_create"):
        descriptor, path = os.memfd_create("omni_analytics.connect"), ""
        os.fchmod(descriptor, 0o600)
    else:
        descriptor, path = tempfile.mkstemp(prefix="omni_analytics.connect.")
    try:
        os.write(descriptor, text.encode())
        yield path or f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
        if path:
            os.unlink(path)
