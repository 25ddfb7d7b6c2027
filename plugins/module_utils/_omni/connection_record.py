# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record: what was last set on a connection, in a file, because Omni's API does not show it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

try:
    import yaml
except ImportError as error:
    YAML_ERROR: ImportError | None = error
else:
    YAML_ERROR = None

from .._definition import Library
from .._errors import InvalidInput

LIBRARY = Library("yaml", "PyYAML", YAML_ERROR)

FORMAT = 1
HEAD = """\
# What omni_analytics.connect last set on a connection in Omni, whose API does not show all of it.
# Nothing is changed in Omni by changing this file. Without it, the settings are unverifiable again.
"""


class Record:
    """One connection's record, read from its file. What is not known is not in ``settings``.

    :param folder: where the records are; each is a file of its own.
    :param about: the connection's ``name``, ``id`` and ``instance``, for people who read the file.
    :raises InvalidInput: a newer version of the collection wrote it.
    """

    def __init__(self, folder: str, about: Mapping[str, str]) -> None:
        name = re.sub(r"[^\w-]+", "_", about["name"])[:60]
        self.path = os.path.join(folder, f"{name}.{about['id'][:8]}.yml")
        self.about = {"format": FORMAT, **about}
        self.settings: dict[str, Any] = {}
        self.password: str | None = None
        #: id of the connection that is to replace this one, and the values that it has to serve, by the base
        #: connections that this one may be no environment of any more
        self.successor: str | None = None
        self.serves: dict[str, list[str]] = {}
        #: why the file could not be read, or was not written
        self.unread = self.unwritten = ""
        self._load()

    def _load(self) -> None:
        try:
            with open(self.path, encoding="utf-8") as file:
                found = yaml.safe_load(file)
        except (FileNotFoundError, NotADirectoryError):
            return
        except (OSError, ValueError, yaml.YAMLError) as error:
            self.unread = " ".join(str(error).split())
            return
        found = found if isinstance(found, dict) else {}
        written_by = found.get("format")
        if isinstance(written_by, int) and written_by > FORMAT:
            raise InvalidInput(
                f"Reading {self.path}",
                f"its format is {written_by}, and this version knows up to {FORMAT}",
                "Update omni_analytics.connect, or delete the file.",
            )
        if (written_by, found.get("id")) != (FORMAT, self.about["id"]):
            self.unread = f"it is no record of connection {self.about['id']}"
            return
        if isinstance(found.get("settings"), dict):
            self.settings = found["settings"]
        if isinstance(found.get("successor"), str):
            self.successor = found["successor"]
            self.serves = found["serves"] if isinstance(found.get("serves"), dict) else {}
        if isinstance(found.get("password"), str):
            self.password = found["password"]

    def text(self) -> str:
        """The record as its file has it."""
        record = {**self.about, "settings": self.settings}
        if self.password:
            record["password"] = self.password
        if self.successor:
            record.update(successor=self.successor, serves=self.serves)
        return HEAD + yaml.safe_dump(record, sort_keys=False, allow_unicode=True, width=1000)

    def save(self) -> bool:
        """Write the file, whole or not at all; say whether it is there now, else why not in ``unwritten``."""
        temporary = f"{self.path}.{secrets.token_hex(4)}~"
        try:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            try:
                with open(temporary, "x", encoding="utf-8") as file:
                    file.write(self.text())
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, self.path)
            finally:
                with suppress(OSError):
                    os.unlink(temporary)
        except (OSError, UnicodeError) as error:
            self.unwritten = str(error)
            return False
        self.unread = self.unwritten = ""
        return True

    def remove(self) -> None:
        """Delete the file, since its connection is no more."""
        try:
            os.unlink(self.path)
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            self.unwritten = str(error)

    def set_password(self, password: str | None) -> None:
        """Note the password that Omni has; None where that is unknown."""
        self.password = None if password is None else digest(password, secrets.token_bytes(16))

    def fits(self, password: str) -> bool | None:
        """Whether that is the password which was set last; None where the record does not tell."""
        found = re.fullmatch(r"scrypt:16384:8:1:([\w+/]{22}==):[\w+/]{43}=", self.password or "", re.ASCII)
        if found is None:
            return None
        return hmac.compare_digest(found[0], digest(password, base64.b64decode(found[1])))


def digest(password: str, salt: bytes) -> str:
    """A text that tells whether another password is the same one, and not which it is."""
    key = hashlib.scrypt(password.encode("utf-8", "surrogatepass"), salt=salt, n=16384, r=8, p=1, dklen=32)
    return ":".join(("scrypt:16384:8:1", *(base64.b64encode(part).decode() for part in (salt, key))))
