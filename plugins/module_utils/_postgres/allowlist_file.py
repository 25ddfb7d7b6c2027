# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file that is replaced in one step, and stays what it is: its mode, its owner, its attributes."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Iterator

from .._errors import Moved, Refused, Unreachable

#: How long to wait for the other tasks that change files in the same folder, in seconds.
PATIENCE = 300
#: Begins the names of files that are being written; one that is there while nobody has the lock is left over.
UNFINISHED = ".omni_analytics.connect."

ADVICE = {
    errno.EACCES: "Run as the user that the folder belongs to, mostly postgres: O(become=true), and O(become_user).",
    errno.EPERM: "It may be immutable (chattr), or only root may do this.",
    errno.EBUSY: "The file alone is mounted there, as containers do: mount its folder, or change the file outside.",
    errno.EROFS: "It is mounted read-only, as a ConfigMap is: change the rules where the file comes from.",
    errno.ENOSPC: "Make room on that disk.",
}


def read(path: str) -> bytes:
    """The file's bytes.

    :raises Refused: it cannot be read here.
    """
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise Refused(
            f"Reading {path}",
            "there is no such file here",
            "Run the task on the database's own host, by its connection or delegate_to; or say with O(path) where "
            "the file is on this one.",
        ) from None
    except OSError as error:
        raise Refused(
            f"Reading {path}",
            _said(error),
            "Run as the user that the server runs as, which is mostly postgres: O(become=true), and O(become_user).",
        ) from None


@contextlib.contextmanager
def locked(path: str) -> Iterator[None]:
    """Nobody else of this collection changes a file in the folder of ``path`` meanwhile.

    It is the folder that is locked: a file that is replaced takes its lock along.
    """
    folder = os.path.dirname(path)
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise _refused(f"Opening {folder}", error) from None
    try:
        give_up = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > give_up:
                    raise Unreachable(
                        f"Locking {folder}",
                        f"somebody else has held the lock for {PATIENCE} s",
                        "See who does (lsof), and run again.",
                    ) from None
                time.sleep(0.05)
            except OSError as error:  # some network file systems have no locks
                raise _refused(f"Locking {folder}", error) from None
        yield
    finally:
        os.close(handle)


def replace(path: str, old: bytes, new: bytes, modified: int | None = None) -> None:
    """Give the file other bytes, in one step: whoever reads it meanwhile sees all of the old or all of the new.
    Everything else of it stays, or nothing is replaced. To be called under the lock.

    :param modified: the time of its last change, in nanoseconds; without it, now.
    :raises Moved: the file has other bytes than ``old``, from somebody who does not know the lock.
    """
    _write(path, new, path, old, modified)


def back_up(path: str, data: bytes) -> str:
    """Keep ``data``, which is what the file has, beside it, as closed as the file; return the name."""
    kept = f"{path}.{os.getpid()}.{time.strftime('%Y-%m-%d@%H:%M:%S')}~"
    _write(path, data, kept)
    return kept


def _write(
    path: str, data: bytes, target: str, old: bytes | None = None, modified: int | None = None
) -> None:
    folder, name = os.path.split(path)
    try:
        for left in os.listdir(folder):
            if left.startswith(UNFINISHED + name):
                os.unlink(os.path.join(folder, left))
        handle, unfinished = tempfile.mkstemp(prefix=f"{UNFINISHED}{name}.", dir=folder)
    except OSError as error:
        raise _refused(f"Making a file in {folder}, beside {name}", error) from None
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            _liken(file.fileno(), path)
            if modified is not None:
                os.utime(file.fileno(), ns=(modified, modified))
            os.fsync(file.fileno())
        if old is not None and read(path) != old:
            raise Moved(
                f"Replacing {path}",
                "somebody else changed it at the same time",
                "Their change is still there. Run again once they are done.",
            )
        os.replace(unfinished, target)
    except OSError as error:
        raise _refused(f"Replacing {target}", error) from None
    finally:
        with contextlib.suppress(OSError):
            os.unlink(unfinished)
    with contextlib.suppress(OSError):  # not every file system can
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _liken(handle: int, path: str) -> None:
    """Give an open file the owner, the mode and the extended attributes (SELinux, ACLs) of another."""
    model, mine = os.stat(path), os.fstat(handle)
    if (model.st_uid, model.st_gid) != (mine.st_uid, mine.st_gid):
        os.fchown(handle, model.st_uid, model.st_gid)
    os.fchmod(handle, stat.S_IMODE(model.st_mode))
    if not hasattr(os, "listxattr"):
        return
    try:
        wanted = {name: os.getxattr(path, name) for name in os.listxattr(path)}
        there = {name: os.getxattr(handle, name) for name in os.listxattr(handle)}
    except OSError as error:
        if error.errno in (errno.ENOTSUP, errno.ENOSYS):
            return
        raise
    for name, value in wanted.items():
        if there.get(name) != value:
            os.setxattr(handle, name, value)
    for name in there.keys() - wanted.keys():
        os.removexattr(handle, name)


def _refused(doing: str, error: OSError) -> Refused:
    return Refused(
        doing, _said(error), ADVICE.get(error.errno or 0, ""), errno=errno.errorcode.get(error.errno or 0, "")
    )


def _said(error: OSError) -> str:
    return error.strerror or str(error)
