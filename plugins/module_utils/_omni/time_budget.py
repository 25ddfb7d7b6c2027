# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The time that one task may spend on its requests to Omni."""

from __future__ import annotations

import time
from collections.abc import Callable


class TimeBudget:
    """The seconds that are left of ``total_timeout``. Requests use them up, and so do the waits between them.

    :param total: how many seconds there are at first.
    :param request: how many seconds one request may take.
    """

    def __init__(self, total: float, request: float) -> None:
        self.total = self.left = float(total)
        self.request = float(request)
        #: called after each sleep; raises Abandoned where nobody waits for this task any more
        self.after_sleep: Callable[[], None] = lambda: None

    def sleep(self, seconds: float) -> None:
        """Wait, at the expense of what is left."""
        self.left -= seconds
        time.sleep(seconds)
        self.after_sleep()
