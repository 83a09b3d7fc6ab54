"""Policies, health, pausing and resuming from the terminal."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bookbell.actions import accounts, org_webhooks
from bookbell.cli.main import app
from bookbell.core.model import Account, Role
from bookbell.core.org_webhook import Asked
from bookbell.store.database import Database
from world import TERMS, Plain, World, stamp, world_in


@pytest.fixture
def account(db: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    monkeypatch.setenv("BOOKBELL_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("BOOKBELL_DATABASE_URL", database_url)
    monkeypatch.setenv("BOOKBELL_MASTER_KEY", "A" * 43)
    world = world_in(db)
    made = world.account()
    world.webhook(made, "DOC_VERIFIED")
    return made


def run(*arguments: str, status: int = 0) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == status, result.output
    return result.output


def told(account: Account, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*arguments, "--account", account.client_id, "--json"))
    return found


def test_a_policy_is_set_by_fields_and_shown_with_clock_times(account: Account) -> None:
    changed = told(account, "policy", "set", "preset=ocrolus", "order=book", "rate_per_s=2.5", "collapse=true")
    assert (changed["order"], changed["rate_per_s"], changed["collapse"]) == ("book", 2.5, True)
    shown = told(account, "policy", "show")
    assert shown["schedule_ms"] == [180_000] * 3
    assert len(shown["schedule_at"]) == 4


def test_a_policy_is_shown_to_people_too(account: Account) -> None:
    for arguments in (["set", "preset=ocrolus"], ["show"]):
        shown = run("policy", *arguments, "--account", account.client_id)
        assert re.search(r"^success +only_200$", shown, re.MULTILINE)
        assert re.search(r"^schedule_ms +180000; 180000; 180000$", shown, re.MULTILINE)
        assert re.search(r"^schedule_at +(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ(; )?){4}$", shown, re.MULTILINE)


def test_a_field_that_is_none_is_refused_in_one_line(account: Account) -> None:
    assert "colour: no field" in run("policy", "set", "colour=red", "--account", account.client_id, status=2)


def test_a_webhook_is_paused_and_resumed(account: Account) -> None:
    assert told(account, "health") == {"state": "delivering", "sentence": "delivering"}
    run("pause", "--account", account.client_id)
    assert told(account, "health")["state"] == "paused"
    run("resume", "--no-drain", "--account", account.client_id)
    assert told(account, "health")["state"] == "delivering"


def test_the_same_is_done_to_a_webhook_of_the_organization(account: Account, db: Database) -> None:
    world = World(db, db.read_now(accounts.demand_organization, account.organization_id))
    manager = world.account("manager", Role.MANAGER)
    wanted = Asked(url="https://hooks.example.net/org", event_types=("book.verified",))
    made = db.write_now(org_webhooks.add, manager, wanted, TERMS, Plain(), stamp()).value
    assert told(manager, "policy", "set", "preset=ocrolus", "--webhook", made.id)["success"] == "only_200"
    assert told(manager, "policy", "show", "--webhook", made.id)["success"] == "only_200"
    run("pause", "--account", manager.client_id, "--webhook", made.id)
    assert told(manager, "health", "--webhook", made.id)["state"] == "paused"
    assert told(account, "health")["state"] == "delivering"
    run("resume", "--account", manager.client_id, "--webhook", made.id)
    assert told(manager, "health", "--webhook", made.id)["state"] == "delivering"
    assert "manager" in run("pause", "--account", account.client_id, "--webhook", made.id, status=2)
