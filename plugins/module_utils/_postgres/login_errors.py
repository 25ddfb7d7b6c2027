# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What it means that a login failed. libpq tells the reason in words only, without a SQLSTATE."""

from __future__ import annotations

#: What the server or libpq says, and what to do about it. The first one that fits counts.
ADVICE = (
    ("authentication failed", "Check login_user and login_password."),
    ("no password supplied", "Set login_password."),
    ("pg_hba.conf", "The server's pg_hba.conf does not allow this login from here."),
    ("does not support SSL", "The server has no TLS: set ssl_mode to what it offers."),
    ("certificate", "Check ca_cert and ssl_mode: the server's certificate must name login_host."),
    ("could not translate host name", "Check login_host."),
    ('database "', "Check login_db: it is the database that Omni will read."),
    ("Connection refused", "Check login_host and login_port, and that the server runs."),
)


def wrong_password(said: str) -> bool:
    """Whether a login failed for its password: in Postgres' words, or in PgBouncer's."""
    return "password authentication failed" in said or "SASL authentication failed" in said


def advice(said: str) -> str:
    """What to do about a login that failed."""
    return next((todo for words, todo in ADVICE if words in said), "Check the login options.")
