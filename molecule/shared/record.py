# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a command, and keeps how it ended and what can be seen from outside afterwards.

    record.py NAME COMMAND [ARGUMENT …]

What is seen is the answer of look() in the scenario's outside.py. The tests read it with fixtures.history().
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

from fixtures import HISTORY

sys.path.insert(0, os.environ["MOLECULE_SCENARIO_DIRECTORY"])
from outside import look  # the scenario's


def main() -> None:
    name, *command = sys.argv[1:]
    # A record keeps plain text, whatever molecule asks of its own output.
    plain = {"ANSIBLE_NOCOLOR": "true", "ANSIBLE_FORCE_COLOR": "false", "COLUMNS": "500"}
    done = subprocess.run(
        command,
        check=False,
        env=os.environ | plain,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    HISTORY.mkdir(mode=0o700, exist_ok=True)
    record = {"rc": done.returncode, "said": done.stdout, "outside": look()}
    (HISTORY / f"{name}.json").write_text(json.dumps(record))
    print(done.stdout)


if __name__ == "__main__":
    main()
