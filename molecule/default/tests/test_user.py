# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Step user: Omni has a login of its own, without a right too many."""

from __future__ import annotations

import psycopg2
import pytest


def test_it_is_a_login_and_nothing_more(psql):
    assert psql(
        "SELECT rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls"
        " FROM pg_roles WHERE rolname = 'omni'"
    ) == ["t|f|f|f|f|f"]


def test_the_server_keeps_a_scram_verifier(psql):
    assert psql("SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = 'omni'") == ["t"]


def test_it_logs_in_over_tls(omni):
    omni.execute("SELECT current_user::text, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    assert omni.fetchall() == [("omni", True)]


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        pytest.param({"password": "another"}, "password authentication failed", id="another password"),
        pytest.param({"sslmode": "disable"}, "no pg_hba.conf entry", id="no TLS"),
    ],
)
def test_the_server_checks(log_in, arguments, refusal):
    """The logins of the other tests prove nothing where any login succeeds."""
    with pytest.raises(psycopg2.OperationalError, match=refusal):
        log_in(**arguments)
