# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts the requests that a fleet costs in Omni: `python -m tests.bench.omni_requests [HOSTS …]`.

For each number of hosts: a first run of the role's steps in Omni, one with nothing to do, and a first run under a
rate limit with a shortened minute.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from tests.helpers import fleet
from tests.sandbox.fake_omni import FakeOmni

#: The minute of the last run, in seconds: what the fake counts in, and what the collection takes it for.
WINDOW, MINUTE = 3.0, 3.05
#: For the others: no limit to speak of.
UNLIMITED = ("_omni.rate_limiter:MINUTE=0.0",)


def main(counts: list[int]) -> None:
    with FakeOmni() as omni:
        for count in counts:
            omni.reset()
            _show(omni, f"{count} hosts, new", fleet.inventory(omni, fleet.names(count)))
            _show(omni, f"{count} hosts, again", fleet.inventory(omni, fleet.names(count)))
            scheduled = fleet.inventory(
                omni, fleet.names(count), omni_postgres_refresh_schedules=fleet.SCHEDULES
            )
            _show(omni, f"{count} hosts, schedules new", scheduled)
            _show(omni, f"{count} hosts, schedules again", scheduled)
            omni.reset()
            omni.quirks.rate_limit, omni.quirks.rate_window = 60, WINDOW
            hosts = fleet.inventory(omni, fleet.names(count))
            _show(
                omni,
                f"{count} hosts, new, 60 requests in {WINDOW} s",
                hosts,
                [f"_omni.rate_limiter:MINUTE={MINUTE}"],
            )


def _show(
    omni: FakeOmni, what: str, hosts: dict[str, dict[str, Any]], patches: Sequence[str] = UNLIMITED
) -> None:
    since = len(omni.requests)
    run = fleet.connect(hosts, patches=patches)
    counts = fleet.asked(omni, since)
    refused = sum(request["status"] == 429 for request in omni.requests[since:])
    failed = sum(host["failed"] for host in run.recap.values())
    print(
        f"{what}: {sum(counts.values())} requests, {sum(counts.values()) / len(hosts):.2f} a host; "
        f"{refused} answers of 429; {failed} failed; {run.seconds:.1f} s; {dict(counts)}",
        flush=True,
    )


if __name__ == "__main__":
    main([int(count) for count in sys.argv[1:]] or [1, 20, 200])
