# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plot of time against the number of hosts, as SVG. Both axes are logarithmic."""

from __future__ import annotations

import math
from collections.abc import Mapping

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 20, 50
COLOURS = ["#1f77b4", "#d62728", "#7f7f7f", "#2ca02c"]
Line = Mapping[int, float]


def svg(lines: Mapping[str, Line]) -> str:
    """:param lines: by name: the seconds for each number of hosts."""
    across = [math.log10(hosts) for line in lines.values() for hosts in line]
    up = [math.log10(seconds) for line in lines.values() for seconds in line.values()]
    first, last = math.floor(min(across)), max(across)
    low, high = math.floor(min(up)), math.ceil(max(up))

    def x(hosts: float) -> float:
        return LEFT + (math.log10(hosts) - first) / (last - first or 1) * (WIDTH - LEFT - RIGHT)

    def y(seconds: float) -> float:
        return HEIGHT - BOTTOM - (math.log10(seconds) - low) / (high - low or 1) * (HEIGHT - TOP - BOTTOM)

    def text(left: float, top: float, words: str, more: str = "") -> str:
        return f'<text x="{left:.0f}" y="{top:.0f}" {more}>{words}</text>'

    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for power in range(low, high + 1):
        at = y(10**power)
        drawn.append(f'<path d="M{LEFT} {at:.0f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        drawn.append(text(LEFT - 6, at + 4, f"{10**power:g} s", 'text-anchor="end"'))
    for hosts in sorted({hosts for line in lines.values() for hosts in line}):
        drawn.append(text(x(hosts), HEIGHT - BOTTOM + 18, str(hosts), 'text-anchor="middle"'))
    drawn.append(text((WIDTH + LEFT) / 2, HEIGHT - 10, "hosts", 'text-anchor="middle"'))
    for number, (name, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = [(x(hosts), y(seconds)) for hosts, seconds in sorted(line.items())]
        drawn.append(
            f'<polyline points="{" ".join(f"{left:.1f},{top:.1f}" for left, top in points)}" fill="none" '
            f'stroke="{colour}" stroke-width="2"/>'
        )
        drawn += [f'<circle cx="{left:.1f}" cy="{top:.1f}" r="3" fill="{colour}"/>' for left, top in points]
        drawn.append(text(LEFT + 12, TOP + 16 + 18 * number, name, f'fill="{colour}" font-weight="bold"'))
    return "\n".join([*drawn, "</svg>\n"])
