#!/bin/sh
# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Prints a Python that the virtual environment can be made with: $PYTHON, or the first that fits.
# Where something is missing, says in one line how to install it, and fails.
set -eu

fits='import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))'
on_glibc='import platform, sys; sys.exit(sys.platform == "linux" and platform.libc_ver()[0] != "glibc")'

missing=
command -v git >/dev/null || missing=git

found=
for python in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
    if "$python" -c "$fits" 2>/dev/null; then
        found=$python
        break
    fi
done

if [ -n "$found" ] && ! "$found" -c "$on_glibc"; then
    echo "The embedded Postgres runs on macOS and on Linux with glibc; this is another libc." >&2
    exit 1
fi

if [ -z "$found" ] && [ -n "${PYTHON:-}" ]; then
    echo "PYTHON=$PYTHON is not a Python 3.11 or newer with its venv module." >&2
    exit 1
fi

if [ -z "$found" ] || [ -n "$missing" ]; then
    [ -n "$found" ] || missing="$missing Python>=3.11 with venv"
    sudo=
    [ "$(id -u)" = 0 ] || sudo='sudo '
    if command -v apt-get >/dev/null; then
        # What the release calls python3 may be too old: then the newer one has a package of its own.
        python=python3
        newest=$(apt-cache show python3 2>/dev/null | sed -n 's/^Version: 3\.\([0-9]*\).*/\1/p' | sort -n | tail -1)
        [ "${newest:-11}" -ge 11 ] || python=python3.11
        install="${sudo}apt-get update && ${sudo}apt-get install -y git $python $python-venv"
    elif command -v dnf >/dev/null; then
        install="${sudo}dnf install -y git python3.12"
    elif command -v brew >/dev/null; then
        install="brew install git python@3.13"
    else
        install="your system's packages of git and Python 3.11 or newer, with its venv module"
    fi
    echo "Missing: ${missing# }. Install with: $install" >&2
    exit 1
fi

command -v "$found"
