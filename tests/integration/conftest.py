# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.helpers import harness
from tests.helpers.admins import AsAdmin, admins
from tests.sandbox.postgres import PostgresServer, fill

if TYPE_CHECKING:
    from tests.sandbox.fake_omni import FakeOmni

TEMPLATE = "sales"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "strange_to_omni: sends Omni what it does not know, on purpose")
    config.addinivalue_line("markers", "postgres: needs a Postgres server; `make matrix` runs it on each")


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "server" in getattr(item, "fixturenames", ()):
            item.add_marker("postgres")


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """A server with the database `sales`, which is a template: nobody should stay connected to it."""
    with PostgresServer() as running:
        fill(running, TEMPLATE)
        yield running


@pytest.fixture
def database(server: PostgresServer) -> Iterator[str]:
    """The name of a copy of `sales` that belongs to one test."""
    name = f"sales_{secrets.token_hex(4)}"
    server.create_database(name, template=TEMPLATE)
    yield name
    server.drop_database(name)


@pytest.fixture
def role_name(server: PostgresServer) -> Iterator[str]:
    """A role name that no other test has; if the test makes the role, it is dropped afterwards."""
    name = f"omni_{secrets.token_hex(4)}"
    yield name
    server.drop_role(name)


@pytest.fixture
def login(server: PostgresServer, database: str) -> dict[str, Any]:
    """A module's login options for the test's database, as the dba, who is no superuser."""
    return {
        "login_host": server.host,
        "login_port": server.port,
        "login_user": server.dba_user,
        "login_password": server.dba_password,
        "login_db": database,
        "ssl_mode": "prefer",
    }


@pytest.fixture
def admin_login(server: PostgresServer, login: dict[str, Any]) -> dict[str, Any]:
    """The same as the superuser."""
    return {**login, "login_user": server.admin_user, "login_password": server.admin_password}


@pytest.fixture
def as_admin(server: PostgresServer, login: dict[str, Any]) -> Iterator[AsAdmin]:
    """The same as any kind of admin: `as_admin("createrole")`; admins.py has the kinds."""
    with admins(server, login) as logins:
        yield logins


@pytest.fixture(scope="session")
def _running_omni() -> Iterator[FakeOmni]:
    from tests.sandbox.fake_omni import FakeOmni

    with FakeOmni() as running:
        yield running


@pytest.fixture
def omni(_running_omni: FakeOmni, request: pytest.FixtureRequest) -> Iterator[FakeOmni]:
    """The fake Omni, with nothing in it yet. All that it is sent has to be what Omni would know, except in a
    test that is marked strange_to_omni."""
    _running_omni.reset()
    yield _running_omni
    if not request.node.get_closest_marker("strange_to_omni"):
        assert _running_omni.violations == []


@pytest.fixture
def api(omni: FakeOmni) -> dict[str, Any]:
    """A module's options for reaching the fake Omni as its administrator."""
    return {"api_url": omni.url, "api_token": omni.token, "ca_path": str(omni.ca_file)}


@pytest.fixture
def role_vars(login: dict[str, Any], omni: FakeOmni, role_name: str) -> dict[str, Any]:
    """The role's variables for the test's database and the fake Omni."""
    return {
        **{f"omni_postgres_{name}": value for name, value in login.items() if name != "login_db"},
        "omni_postgres_database": login["login_db"],
        "omni_postgres_role": role_name,
        "omni_postgres_password": secrets.token_urlsafe(18),
        "omni_postgres_upload_schema": "omni_uploads",
        "omni_postgres_host": "db.example.com",
        "omni_postgres_api_url": omni.url,
        "omni_postgres_api_token": omni.token,
        "omni_postgres_ca_path": omni.ca_file,
        # Ten hosts are more than sixty requests, and these tests are not about waiting for the next minute.
        "omni_postgres_requests_per_minute": 500,
    }


#: Both, unless `make matrix` chooses the quicker one: how a task gets to a database hardly depends on its version.
DOORS = [os.environ["TEST_DOOR"]] if "TEST_DOOR" in os.environ else list(harness.DOORS)


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> harness.Door:
    """Each of the two doors in turn."""
    door: harness.Door = request.param
    return door
