# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection that is replaced because the API cannot change it, and what hung on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from copy import deepcopy
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from ansible_collections.omni_analytics.connect.plugins.module_utils._omni import client, schema_model

from .test_connection import CONNECTIONS, PASSWORD, refuse, run
from .test_connection_creation import EARLY, another

#: FAULTS=all in the environment: killed before and after every single write.
ALL = os.environ.get("FAULTS") == "all"

ATTRIBUTE = "userAttributeNameForConnectionEnvironments"
DEFAULTS = "userAttributeValuesForDefaultEnvironment"
MOVED: dict[str, Any] = {"host": "db2.example.com", "on_immutable_change": "replace"}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    still = SimpleNamespace(sleep=lambda _seconds: None, monotonic=lambda: 0.0)
    monkeypatch.setattr(schema_model, "time", still)


@pytest.fixture
def here(tmp_path: Path) -> dict[str, Any]:
    return {"record_path": str(tmp_path / "records"), "record_password": False}


@pytest.fixture
def old(omni, here) -> str:
    """A connection with a model, schedules and environments; it is itself an environment of another one."""
    id: str = run(omni, **here, base_role="VIEWER")["connection_id"]
    other, base = (omni.add_connection(name, database="x", defaultSchema="public") for name in ("eu", "base"))
    instance = omni.instance
    instance.connections[id].update({ATTRIBUTE: "region", DEFAULTS: ["us"]})
    for link, of, one, values in (("1", id, other, ["eu"]), ("2", base, id, ["sales"])):
        key = f"00000000-0000-4000-8000-00000000000{link}"
        instance.environments[key] = {
            "id": key,
            "baseConnectionId": of,
            "connectionId": one,
            "userAttributeValues": values,
        }
    omni.instance.models_create(SimpleNamespace(path={}, query={}, body={"connectionId": id}))
    for cron, hard in (("0 2 * * ? *", True), ("30 3 ? * MON *", False)):
        instance.schedules_create(
            SimpleNamespace(
                path={"connectionId": id},
                query={},
                body={"schedule": cron, "timezone": "Europe/Berlin", "hardRefresh": hard},
            )
        )
    return id


def hanging(omni: Any, id: str) -> dict[str, Any]:
    """What hangs on a connection, without ids that differ from one to the other."""
    instance = omni.instance
    connection = instance.connections[id]
    return {
        "role": connection["baseRole"],
        "attribute": (connection[ATTRIBUTE], connection[DEFAULTS]),
        "model": id in instance.models,
        "schedules": sorted(
            (one["schedule"], one["timezone"], one["hardRefresh"])
            for one in instance.schedules.values()
            if one["connectionId"] == id
        ),
        "environments": sorted(
            (
                instance.connections[one["baseConnectionId"]]["name"],
                instance.connections[one["connectionId"]]["name"],
                one["userAttributeValues"],
            )
            for one in instance.environments.values()
            if id in (one["baseConnectionId"], one["connectionId"])
        ),
    }


def live(omni: Any) -> list[str]:
    return [one["id"] for one in omni.connections if one["name"] == "sales" and not one["deletedAt"]]


@pytest.mark.parametrize("shape", ["spec", "docs"])
def test_all_is_carried_over(omni, here, old, shape):
    before = hanging(omni, old)
    writes = len(omni.writes())
    checked = run(omni, True, **here, **MOVED)
    assert (checked["changed"], len(omni.writes())) == (True, writes)
    assert checked["requests"][0] == f"POST {CONNECTIONS}"
    assert checked["requests"][-1] == f"DELETE {CONNECTIONS}/{old}"
    if shape == "docs":
        # Where environments cannot be listed, they could be lost.
        omni.quirks.env_shape = "docs"
        result = run(omni, **here, **MOVED)
        assert "does not list them" in result["msg"]
        assert (live(omni), len(omni.writes())) == ([old], writes)
        return
    done = run(omni, **here, **MOVED)
    assert (done["changed"], done["replaced"]) == (True, old)
    (new,) = live(omni)
    assert done["connection_id"] == new != old
    assert hanging(omni, new) == before
    assert omni.instance.connections[new]["host"] == "db2.example.com"
    assert omni.password_of(new) == PASSWORD
    assert [one.split("/")[0] for one in checked["requests"]] == [
        one.split("/")[0] for one in done["requests"]
    ]
    (file,) = Path(here["record_path"]).iterdir()
    assert yaml.safe_load(file.read_text())["id"] == new
    again = run(omni, **here, **MOVED)
    assert (again["changed"], again["unverifiable"], again["archived"]) == (False, ["password"], [old])


def test_without_a_record_what_omni_shows_is_enough(omni):
    old = omni.add_connection("sales", database="old", defaultSchema="public")
    done = run(omni, on_immutable_change="replace")
    assert (done["replaced"], live(omni)) == (old, [done["connection_id"]])
    assert not run(omni, on_immutable_change="replace")["changed"]


def test_nothing_is_replaced_that_is_not_the_one_or_cannot_be_made_again(omni):
    omni.add_connection("sales", database="old", dialect="mysql")
    assert "dialect" in run(omni, on_immutable_change="replace")["error"]["differences"]
    omni.reset()
    omni.add_connection("sales", database="old")
    assert "Set password" in run(omni, on_immutable_change="replace", password=None)["msg"]
    assert omni.writes() == []


@pytest.mark.parametrize("kind", ["status 400", "drop_after"])
def test_a_replacement_that_is_cut_off_is_finished_by_the_next_run(omni, here, old, kind):
    """The nth request fails, and all after it; then the next run goes one further."""
    before = hanging(omni, old)
    for nth in count(1):
        omni.fault("*", "*", nth=nth, times=999, kind=kind)
        failed = run(omni, **here, **MOVED).get("failed")
        omni.clear_faults()
        if not failed:
            break
        assert run(omni, True, **here, **MOVED)["changed"]
    assert nth > 8
    (new,) = live(omni)
    assert (new != old, hanging(omni, new)) == (True, before)
    assert not run(omni, **here, **MOVED)["changed"]


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "status 503", "status_after 503"])
@pytest.mark.parametrize("kept", [True, False])
def test_a_lost_answer_to_the_post_of_a_replacement_is_settled_by_a_look(omni, here, kept, kind):
    given = {**MOVED, **(here if kept else {"database": "moved"})}
    old = run(omni, **(here if kept else {}))["connection_id"]
    omni.fault("POST", CONNECTIONS, kind=kind)
    done = run(omni, **given)
    assert (done["changed"], done["replaced"]) == (True, old)
    assert live(omni) == [done["connection_id"]]
    assert not run(omni, **given)["changed"]


@pytest.mark.parametrize("kind", ["status 503", "status_after 503", "drop_after"])
def test_a_twin_that_is_replaced_by_its_id_is_replaced_once(omni, here, kind):
    one, other = (omni.add_connection("sales", database="old", defaultSchema="public") for dummy in range(2))
    omni.fault("POST", CONNECTIONS, kind=kind)
    done = run(omni, **here, on_immutable_change="replace", connection_id=one)
    assert (done["changed"], done["replaced"]) == (True, one)
    assert sorted(live(omni)) == sorted([other, done["connection_id"]])


def test_one_of_the_name_that_the_list_of_the_run_lacks_is_no_replacement(omni, here, tmp_path):
    old = run(omni, **here)["connection_id"]
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    run(omni, **here, run_dir=str(run_dir))
    theirs = omni.add_connection("sales", database="theirs", **EARLY)
    writes = len(omni.writes())
    result = run(omni, **here, **MOVED, run_dir=str(run_dir))
    assert (result["error"]["kind"], result["error"]["ids"]) == ("conflict", sorted([old, theirs]))
    assert (sorted(live(omni)), len(omni.writes())) == (sorted([old, theirs]), writes)


@pytest.mark.parametrize("database", ["theirs", "sales"])
def test_a_twin_of_the_new_one_takes_the_place_only_if_it_is_as_wanted(omni, here, monkeypatch, database):
    old = run(omni, **here)["connection_id"]
    theirs = another(omni, monkeypatch, database=database, **EARLY)
    for time in range(2):
        result = run(omni, **here, **MOVED)
        if database == "sales":
            assert (result["connection_id"], live(omni)) == (theirs[0], theirs)
            return
        assert sorted(live(omni)) == sorted([old, *theirs])
        assert result["error"]["kind"] == "conflict"
        assert time or result["error"]["differences"] == {"database": {"is": "theirs", "wanted": "sales"}}


@pytest.mark.parametrize("kept", [True, False])
def test_a_new_one_that_was_refused_for_now_is_not_taken_for_that_of_somebody_else(
    omni, here, monkeypatch, kept
):
    given = {**MOVED, **(here if kept else {"database": "moved"})}
    old = run(omni, **(here if kept else {}))["connection_id"]
    theirs = refuse(omni, monkeypatch, database=given.get("database", "sales"), defaultSchema="public")
    for dummy in range(2):
        result = run(omni, **given)
        assert (result["error"]["kind"], result["changed"]) == ("conflict", False)
        assert sorted(live(omni)) == sorted([old, *theirs])


@pytest.mark.parametrize("status", [404, 405])
def test_nothing_is_replaced_where_nothing_can_be_deleted(omni, here, status):
    old = run(omni, **here)["connection_id"]
    omni.quirks.no_get_route = status
    writes = len(omni.writes())
    for check in (True, False):
        result = run(omni, check, **here, **MOVED)
        assert "cannot delete a connection through its API" in result["msg"]
    assert (live(omni), len(omni.writes())) == ([old], writes)


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("environmentConnectionSwitchesSchemaModel", "switch it on for the new one"),
        ("allowBranchConnectionEnvironments", "environments of its branches"),
    ],
)
def test_what_cannot_be_carried_over_is_named(omni, here, old, flag, words):
    omni.instance.connections[old][flag] = True
    for check in (True, False):
        (warning,) = run(omni, check, **here, **MOVED)["warnings"]
        assert flag in warning
        assert words in warning


class Killed(BaseException):
    """Nothing of the run goes on after it, as nothing goes on in a process that is killed."""


def die_at(omni: Any, given: dict[str, Any], nth: int, after: bool) -> bool:
    """Run until right before or right after the nth write; say whether it came so far."""
    real, writes = client.Client.write, count(1)

    def write(self: client.Client, request: client.Request) -> dict[str, Any]:
        last = next(writes) == nth
        if last and not after:
            raise Killed
        answer = real(self, request)
        if last:
            raise Killed
        return answer

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(client.Client, "write", write)
        try:
            run(omni, **given)
        except Killed:
            return True
    return False


@pytest.mark.parametrize(("after", "every"), [(False, 1 if ALL else 4), (True, 1 if ALL else 2)])
def test_a_replacement_whose_process_is_killed_is_finished_by_one_more_run(omni, here, old, after, every):
    instance, records = deepcopy(omni.instance), deepcopy(dict(record_files(here)))
    before = hanging(omni, old)
    for nth in count(1, every):
        omni.instance = deepcopy(instance)
        restore(here, records)
        if not die_at(omni, {**here, **MOVED}, nth, after):
            break
        done = run(omni, **here, **MOVED)
        assert not done.get("failed"), (nth, done)
        (new,) = live(omni)
        assert (new != old, hanging(omni, new)) == (True, before), nth
        again = run(omni, **here, **MOVED)
        assert not again["changed"], nth
        kept = [yaml.safe_load(file.read_text())["id"] for file, _content in record_files(here)]
        # Killed between Omni's answer and the record, the new one has none; and that is said.
        assert new in kept or "has no record" in again["warnings"][0], nth
    assert nth > 10


@pytest.mark.parametrize("after", [False, True], ids=["before a write", "after a write"])
def test_without_a_record_a_replacement_that_was_killed_is_finished_or_told(omni, after):
    told = 0
    for nth in count(1):
        omni.reset()
        old = omni.add_connection("sales", database="old", defaultSchema="public")
        given: dict[str, Any] = {"on_immutable_change": "replace"}
        if not die_at(omni, given, nth, after):
            break
        done = run(omni, **given)
        if done.get("failed"):
            told += 1
            assert done["error"]["ids"] == sorted(live(omni))
            assert "Where a replacement was cut off, the later one is new" in done["msg"]
        else:
            assert live(omni) == [done["connection_id"]] != [old]
    assert (nth > 3, told > 0) == (True, True)


def record_files(here: dict[str, Any]) -> Iterator[tuple[Path, bytes]]:
    for file in Path(here["record_path"]).iterdir():
        yield file, file.read_bytes()


def restore(here: dict[str, Any], files: dict[Path, bytes]) -> None:
    for file, _content in list(record_files(here)):
        file.unlink()
    for file, content in files.items():
        file.write_bytes(content)
