# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What files/server.sql makes in the modelled schemas."""

from __future__ import annotations

RELATIONS = [
    "orders.by_customer",
    "orders.by_day",
    "orders.orders",
    "orders.orders_2025",
    "orders.orders_2026",
    "orders.returns",
    "public.customers",
    "public.regions",
    'stats_daily."Visits per Day (%)"',
    "stats_daily.busy_days",
    "stats_daily.targets",
]
SEQUENCES = [
    "orders.invoice_number",
    "orders.orders_id_seq",
    "public.customers_id_seq",
    "public.regions_id_seq",
]
