# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long to leave Omni alone before a request is tried again: Retry-After, or pauses of our own."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from .._errors import ConnectError

#: How long to wait before each further try, in seconds; then it is over. An answer of 429 does not say
#: when the key has requests left again.
SOON = (0.5, 1.0, 2.0)
ONCE = (0.5,)
LATER = (5.0, 10.0, 20.0, 40.0)

#: The longest Retry-After that is waited for, in seconds.
LONGEST = 120.0


class Transient(Exception):
    """Trouble that another try may not meet.

    :param error: what to say when it does not pass.
    :param pauses: SOON, ONCE or LATER.
    :param retry_after: for how many seconds the server wants to be left alone.
    """

    def __init__(self, error: ConnectError, pauses: tuple[float, ...], retry_after: float = 0.0) -> None:
        super().__init__()
        self.error = error
        self.pauses = pauses
        self.retry_after = retry_after

    def pause(self, tried: int) -> float | None:
        """How long to wait for the next try, in seconds; None where there is to be none."""
        if tried >= len(self.pauses) or self.retry_after > LONGEST:
            return None
        return max(self.pauses[tried], self.retry_after) * random.uniform(1, 1.25)


def retry_after(headers: Mapping[str, str]) -> float:
    """The Retry-After of an answer in seconds, 0 where there is none that can be understood.

    It may be a number, or a date. A date is compared with the server's own clock, the header Date, where that
    is given: then it does not matter whether the two clocks agree.
    """
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,6}", value):
        return float(value)
    until = _moment(value)
    if until is None:
        return 0.0
    now = _moment(headers.get("Date", ""))
    return max(0.0, until - (time.time() if now is None else now))


def _moment(date: str) -> float | None:
    """An HTTP date, such as "Tue, 24 Nov 2026 20:00:00 GMT", as time.time() has it."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
