# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record: what was last set on a connection, in a file, because Omni's API does not show it."""

from __future__ import annotations

import base64
import glob
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
        self.path = os.path.join(folder, f"{_file_name(about['name'])}.{about['id'][:8]}.yml")
        self.about = {"format": FORMAT, **about}
        self.settings: dict[str, Any] = {}
        self.password: str | None = None
        #: whether Omni answered that it made the connection, and has not shown it since
        self.unseen = False
        #: while it is being replaced: the ids of the connections of its name that were there before, the id of
        #: the one that replaces it, and the values that that one has to serve, by base connection
        self.beside: list[str] | None = None
        self.successor: str | None = None
        self.serves: dict[str, list[str]] = {}
        #: its environments, where Omni does not list them: their ids and values, by the connection's id
        self.environments: dict[str, dict[str, Any]] = {}
        #: why the file could not be read, or was not written, or lacks a digest of the password
        self.unread = self.unwritten = self.undigested = ""
        self._load()

    def _load(self) -> None:
        try:
            found = _read(self.path)
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
        self.unseen = found.get("unseen") is True
        for name, kind in (
            ("settings", dict),
            ("password", str),
            ("beside", list),
            ("successor", str),
            ("serves", dict),
            ("environments", dict),
        ):
            if isinstance(found.get(name), kind):
                setattr(self, name, found[name])

    def text(self) -> str:
        """The record as its file has it."""
        record = {**self.about, "settings": self.settings}
        for name in ("password", "unseen", "beside", "successor", "serves", "environments"):
            if getattr(self, name) or (name == "beside" and self.beside is not None):
                record[name] = getattr(self, name)
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
        except (OSError, ValueError) as error:
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
        self.password = None
        if password is not None:
            try:
                self.password = digest(password, secrets.token_bytes(16))
            except (AttributeError, ValueError) as error:
                self.undigested = str(error)

    def fits(self, password: str) -> bool | None:
        """Whether that is the password which was set last; None where the record does not tell."""
        found = re.fullmatch(r"scrypt:16384:8:1:([\w+/]{22}==):[\w+/]{43}=", self.password or "", re.ASCII)
        if found is None:
            return None
        try:
            return hmac.compare_digest(found[0], digest(password, base64.b64decode(found[1])))
        except (AttributeError, ValueError) as error:
            self.undigested = str(error)
            return None


def unseen(folder: str, name: str, instance: str) -> tuple[str, str] | None:
    """The path of a record, and the id in it, of a connection of that name that Omni made and has not shown
    since; None where there is none."""
    for path in sorted(
        glob.glob(os.path.join(glob.escape(folder), f"{glob.escape(_file_name(name))}.*.yml"))
    ):
        with suppress(OSError, ValueError, yaml.YAMLError):
            found = _read(path)
            found = found if isinstance(found, dict) else {}
            if (found.get("unseen"), found.get("name"), found.get("instance")) == (True, name, instance):
                return path, str(found.get("id"))
    return None


def digest(password: str, salt: bytes) -> str:
    """A text that tells whether another password is the same one, and not which it is.

    :raises AttributeError: this Python has no scrypt.
    :raises ValueError: it may not be used here, as in FIPS mode.
    """
    key = hashlib.scrypt(password.encode("utf-8", "surrogatepass"), salt=salt, n=16384, r=8, p=1, dklen=32)
    return ":".join(("scrypt:16384:8:1", *(base64.b64encode(part).decode() for part in (salt, key))))


def _read(path: str) -> Any:
    with open(path, encoding="utf-8") as file:
        return yaml.safe_load(file)


def _file_name(name: str) -> str:
    """A connection's name as the beginning of a file's name, which has room for 255 bytes."""
    return re.sub(r"[^\w-]+", "_", name).encode()[:180].decode(errors="ignore")[:60]
