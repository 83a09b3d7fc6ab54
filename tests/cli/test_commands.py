"""Every command on a real database: what it prints for people and machines, and one line when it cannot."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from typer.testing import Result as Run

from bookbell.actions import replaying, webhooks
from bookbell.ambient import RealAmbient
from bookbell.cli.main import app
from bookbell.core.model import Account, DeliveryState, LanePk, Level
from bookbell.core.signing import signature
from bookbell.store import accounts, chores, deliveries, lanes
from bookbell.store.database import Database, Tx
from bookbell.store.deliveries import Result
from bookbell.store.endpoints import Endpoint
from bookbell.store.schema import deliveries as table
from bookbell.store.schema import events
from bookbell.vault import Vault, kept_keys
from bygone import ATTEMPT
from receivers import Proving
from world import START, World, new_id, stamp, world_in

KEY, NEW_KEY = "A" * 43, "B" * 42 + "A"
COMMANDS = sorted(
    [each.name or each.callback.__name__ for each in app.registered_commands if each.callback]
    + [str(each.name) for each in app.registered_groups]
)


@dataclass(frozen=True)
class Shell:
    """Runs commands on one database."""

    db: Database

    def run(self, *arguments: str, status: int = 0, **given: Any) -> Run:
        result = CliRunner().invoke(app, list(arguments), **given)
        assert result.exit_code == status, (result.output, result.exception)
        return result

    def json(self, *arguments: str, status: int = 0) -> list[Any]:
        """Each line that the command prints with --json."""
        return [json.loads(line) for line in self.run(*arguments, "--json", status=status).stdout.splitlines()]

    def refused(self, *arguments: str) -> str:
        """The one line a command says when it cannot do what it was asked."""
        result = self.run(*arguments, status=2)
        assert result.stdout == ""
        (line,) = result.stderr.splitlines()
        assert line.startswith("bookbell: ")
        return line.removeprefix("bookbell: ")

    def refused_after(self, *arguments: str) -> str:
        """What a command says on standard error when it cannot do all it was asked."""
        return self.run(*arguments, status=2).stderr


def sealed_webhook(world: World, vault: Vault, secret: str, url: str = "https://hooks.example.net/a") -> Endpoint:
    """A webhook of another account, sealed as the service does."""
    account = world.account(secret)
    wanted = webhooks.Wanted(url=url, masked=url, event_types=("DOC_VERIFIED",), preset="standard")
    world.db.write_now(webhooks.configure, account, wanted, vault.seal, stamp())
    return world.db.write_now(webhooks.rotate_secret, account, secret, vault, stamp()).value


@pytest.fixture
def shell(db: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("BOOKBELL_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("BOOKBELL_DATABASE_URL", database_url)
    monkeypatch.setenv("BOOKBELL_MASTER_KEY", KEY)
    monkeypatch.setenv("COLUMNS", "200")
    return Shell(db)


@dataclass(frozen=True)
class Listening:
    """An account whose webhook has been told of a document and of its book."""

    world: World
    account: Account
    lane_pk: LanePk

    @property
    def login(self) -> str:
        return self.account.client_id


@pytest.fixture
def listening(db: Database) -> Listening:
    world = world_in(db)
    account = world.account()
    endpoint = world.webhook(account, "DOC_VERIFIED", "BOOK_VERIFIED")
    world.publish(account, 1)
    return Listening(world, account, endpoint.lane_pk)


# -- the program ------------------------------------------------------------------------------------------------------


def test_help_lists_every_command(shell: Shell) -> None:
    shown = shell.run("--help").stdout
    for name in COMMANDS:
        assert re.search(rf"^ *{name}\b", shown, re.MULTILINE), name


def test_every_command_has_a_help_page(shell: Shell) -> None:
    for name in COMMANDS:
        assert re.search(rf"Usage: \w+ {name}", shell.run(name, "--help").stdout)


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["events"], ["events", "--account", "x", "--limit", "0"], ["account", "create", "x"]]
)
def test_a_command_that_cannot_be_read_exits_with_2(shell: Shell, arguments: list[str]) -> None:
    assert "Usage:" in shell.run(*arguments, status=2).stderr


def test_a_bad_setting_is_one_line(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOOKBELL_PRESET", "fast")
    assert shell.refused("tokens") == "BOOKBELL_PRESET cannot be used: one of standard, ocrolus is expected."


def test_a_data_folder_that_no_file_system_has_is_one_line(shell: Shell) -> None:
    assert "cannot be used" in shell.refused("serve", "--data", "x" * 300)


def test_a_command_that_finds_no_database_says_where_it_made_one(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BOOKBELL_DATABASE_URL")
    assert f"{tmp_path / 'data'} held no database" in shell.run("tokens").stderr
    assert shell.run("tokens").stderr == ""


# -- keys and tokens --------------------------------------------------------------------------------------------------


def test_key_makes_another_master_key_each_time(shell: Shell) -> None:
    keys = {shell.json("key")[0]["master_key"] for _ in range(2)}
    assert {len(key) for key in keys} == {43}
    assert len(keys) == 2
    assert shell.run("key").stdout.startswith("BOOKBELL_MASTER_KEY  ")


def test_tokens_prints_both_roles_and_they_stay_the_same(shell: Shell) -> None:
    (first,) = shell.json("tokens")
    assert first.keys() == {"operator_token", "pipeline_token"}
    assert [first] == shell.json("tokens")
    assert first["operator_token"] in shell.run("tokens").stdout


def test_a_key_in_a_setting_is_replaced_in_two_steps_and_everything_is_sealed_anew(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_in(shell.db)
    for number in range(3):
        sealed_webhook(world, Vault(KEY), f"secret-of-number-{number}")
    (first,) = shell.json("key", "list")
    assert (first["is_primary"], first["value_count"]) == (True, 6)
    assert "BOOKBELL_MASTER_KEYS_OLD" in shell.refused("key", "rotate")
    (old,) = shell.json("tokens")

    monkeypatch.setenv("BOOKBELL_MASTER_KEYS_OLD", KEY)
    monkeypatch.setenv("BOOKBELL_MASTER_KEY", NEW_KEY)
    assert shell.json("tokens") != [old]
    assert [each["value_count"] for each in shell.json("key", "list")] == [0, 6]
    assert "6 values are sealed under an old key" in shell.refused("key", "drop")
    resealed = shell.run("key", "reseal", "--batch", "2").stdout
    assert resealed.splitlines() == [
        "endpoints.url_sealed: 2 resealed",
        "endpoints.url_sealed: 1 resealed",
        "endpoints.secret_sealed: 2 resealed",
        "endpoints.secret_sealed: 1 resealed",
        "Every value is sealed under the primary key (6 were not).",
    ]
    assert shell.run("key", "reseal").stdout == "Every value is sealed under the primary key (0 were not).\n"
    assert "take it out of BOOKBELL_MASTER_KEYS_OLD" in shell.run("key", "drop").stdout
    monkeypatch.delenv("BOOKBELL_MASTER_KEYS_OLD")
    assert [each["value_count"] for each in shell.json("key", "list")] == [6]


def test_a_value_that_opens_with_no_key_is_named(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = sealed_webhook(world_in(shell.db), Vault(KEY), "secret-of-someone")
    monkeypatch.setenv("BOOKBELL_MASTER_KEY", NEW_KEY)
    (unknown,) = [each for each in shell.json("key", "list") if not each["is_primary"]]
    assert unknown["value_count"] == 2
    assert f"endpoint-url:{endpoint.id}" in shell.refused_after("key", "reseal")


def test_a_key_in_the_data_folder_is_replaced_by_commands(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BOOKBELL_MASTER_KEY")
    monkeypatch.setenv("BOOKBELL_DATABASE_URL", f"sqlite:///{tmp_path / 'its-own.db'}")
    (before,) = shell.json("key", "list")
    path = tmp_path / "data" / "master.key"
    (old,) = kept_keys(path)
    database = Database(f"sqlite:///{tmp_path / 'its-own.db'}")
    sealed_webhook(world_in(database), Vault(old), "secret-of-someone")
    database.close()
    assert "Restart the service" in shell.run("key", "rotate").stdout
    after, was = shell.json("key", "list")
    assert (was["key"], was["value_count"], after["value_count"]) == (before["key"], 2, 0)
    assert "Run `bookbell key reseal`" in shell.refused("key", "drop")
    shell.run("key", "reseal")
    assert "holds the primary key only" in shell.run("key", "drop").stdout
    assert len(kept_keys(path)) == 1
    assert kept_keys(path) != [old]
    (only,) = shell.json("key", "list")
    assert (only["key"], only["value_count"]) == (after["key"], 2)


# -- signatures -------------------------------------------------------------------------------------------------------


def test_a_webhooks_secrets_are_made_used_and_ended_by_command(shell: Shell) -> None:
    world = world_in(shell.db)
    endpoint = sealed_webhook(world, Vault(KEY), "secret-of-someone")
    place = (endpoint.id, "--organization", world.organization.id)
    (first,) = shell.json("signing", "show", *place)
    assert (first["scheme"], first["is_primary"], first["is_signing"]) == ("ocrolus", True, True)
    assert "secret-of-someone" not in shell.run("signing", "show", *place).stdout
    (made,) = shell.json("signing", "add", *place)
    assert made["secret"].startswith("whsec_")
    (pair,) = shell.json("signing", "add", *place, "--algorithm", "ed25519")
    assert pair["public_key"].startswith("whpk_")
    assert "secret" not in pair
    shell.run("signing", "use", *place, "--scheme", "standard-webhooks", "--primary", made["id"])
    found = shell.json("signing", "show", *place)
    assert [(each["id"], each["is_primary"], each["is_signing"]) for each in found] == [
        (made["id"], True, True),
        (first["id"], False, False),
        (pair["id"], False, True),
    ]
    assert found[1]["expires_at"] is not None
    shell.run("signing", "expire", endpoint.id, first["id"], "--organization", world.organization.id)
    assert len(shell.json("signing", "show", *place)) == 2
    assert "--scheme is one of" in shell.refused("signing", "use", *place, "--scheme", "none")
    assert "--algorithm is" in shell.refused("signing", "add", *place, "--algorithm", "rsa")
    assert "primary first" in shell.refused("signing", "expire", endpoint.id, made["id"], *place[1:])
    assert "not found" in shell.refused("signing", "show", new_id(), *place[1:])


def test_a_command_makes_a_secret_the_primary_once_the_receiver_proves_it(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOOKBELL_ALLOW_NETWORKS", "127.0.0.0/8")
    world, vault = world_in(shell.db), Vault(KEY)
    with Proving("secret-of-someone") as receiver:
        endpoint = sealed_webhook(world, vault, "secret-of-someone", url=receiver.url)
        place = (endpoint.id, "--organization", world.organization.id)
        (made,) = shell.json("signing", "add", *place)
        assert "answered 401" in shell.refused("signing", "use", *place, "--primary", made["id"], "--proof")
        assert [each["is_primary"] for each in shell.json("signing", "show", *place)] == [True, False]
        receiver.secrets.append(made["secret"])
        shell.run("signing", "use", *place, "--primary", made["id"], "--proof")
        shown = shell.json("signing", "show", *place)[0]
        assert (shown["id"], shown["is_primary"]) == (made["id"], True)
        assert shown["proven_at"] is not None
    unsigned = world.webhook(world.account("unsigned"), "DOC_VERIFIED")
    where = (unsigned.id, "--organization", world.organization.id)
    assert "has no secret" in shell.run("signing", "show", *where).stdout
    assert shell.run("signing", "show", *where, "--json").stdout == "[]\n"
    assert "add one first" in shell.refused("signing", "use", *where, "--scheme", "ocrolus", "--proof")


# -- organizations and accounts ---------------------------------------------------------------------------------------


def test_an_organization_is_created_and_listed(shell: Shell) -> None:
    (made,) = shell.json("organization", "create", "PennyMae")
    assert made["name"] == "PennyMae"
    assert made in shell.json("organization", "list")
    assert "PennyMae" in shell.run("organization", "list").stdout
    assert shell.refused("organization", "create", "PennyMae") == "An organization named PennyMae exists already."
    assert "printable characters" in shell.refused("organization", "create", " ")


def test_an_account_is_created_with_a_secret_that_is_shown_once(shell: Shell) -> None:
    (owner,) = shell.json("organization", "create", "PennyMae")
    (made,) = shell.json("account", "create", owner["id"], "key one", "--manager", "--email", "one@pennymae.example")
    assert (made["role"], made["email"]) == ("manager", "one@pennymae.example")
    assert len(made["client_secret"]) == 43
    (listed,) = shell.json("account", "list", owner["id"])
    assert listed == {name: made[name] for name in ("id", "name", "role", "email", "client_id")} | {"revoked_at": None}
    found = shell.db.read_now(accounts.find_login, "one@pennymae.example")
    assert found is not None
    assert made["client_secret"] not in found[1]
    taken = shell.refused("account", "create", owner["id"], "key two", "--email", "one@pennymae.example")
    assert taken == "An account with the e-mail address one@pennymae.example exists already."


def test_an_account_is_revoked_and_stays_listed(shell: Shell) -> None:
    (owner,) = shell.json("organization", "create", "PennyMae")
    (made,) = shell.json("account", "create", owner["id"], "key one")
    assert made["client_id"] in shell.run("account", "revoke", owner["id"], made["id"]).stdout
    assert shell.json("account", "list", owner["id"])[0]["revoked_at"] is not None
    (other,) = shell.json("organization", "create", "Other")
    assert shell.refused("account", "revoke", other["id"], made["id"]) == "Account not found"


@pytest.mark.parametrize("arguments", [["create", "nowhere", "key"], ["list", "nowhere"]])
def test_an_unknown_organization_is_said_to_be_unknown(shell: Shell, arguments: list[str]) -> None:
    assert shell.refused("account", *arguments) == "Organization not found"


# -- events, deliveries and the ledger --------------------------------------------------------------------------------


def test_events_are_listed_newest_first(shell: Shell, listening: Listening) -> None:
    found = shell.json("events", "--account", listening.login)
    assert [each["id"] for each in found] == sorted((each["id"] for each in found), reverse=True)
    told = {each["type"]: each["matched_count"] for each in found}
    assert (told["DOC_VERIFIED"], told["BOOK_VERIFIED"], told["book.completed"]) == (1, 1, 0)
    assert len(shell.json("events", "--account", listening.account.email, "--limit", "1")) == 1
    assert "BOOK_VERIFIED" in shell.run("events", "--account", listening.login).stdout


def test_deliveries_are_listed_by_state(shell: Shell, listening: Listening) -> None:
    found = shell.json("deliveries", "list", "--account", listening.login)
    assert {each["event_type"]: each["state"] for each in found} == {
        "DOC_VERIFIED": "pending",
        "BOOK_VERIFIED": "pending",
    }
    assert shell.json("deliveries", "list", "--account", listening.login, "--state", "pending") == found
    assert shell.json("deliveries", "list", "--account", listening.login, "--state", "delivered") == []
    assert shell.run("deliveries", "list", "--account", listening.login, "--state", "exhausted").stdout == (
        "nothing found\n"
    )
    assert "--state" in shell.run("deliveries", "list", "--account", "x", "--state", "lost", status=2).stderr


def test_one_delivery_is_shown_with_its_body_and_its_attempts(shell: Shell, listening: Listening) -> None:
    (first, _) = sorted(shell.json("deliveries", "list", "--account", listening.login), key=lambda each: each["id"])
    exhaust(listening, first["id"])
    (shown,) = shell.json("deliveries", "show", first["id"], "--account", listening.login)
    assert shown["body"]["event_name"] == first["event_type"]
    assert [(each["number"], each["outcome"], each["status_code"]) for each in shown["attempts"]] == [
        (1, "answered", 500)
    ]
    page = shell.run("deliveries", "show", first["id"], "--account", listening.login).stdout
    assert "The receiver answered 500." in page
    assert first["event_type"] in page


def test_an_exhausted_delivery_is_made_due_again(shell: Shell, listening: Listening) -> None:
    first = shell.json("deliveries", "list", "--account", listening.login)[0]["id"]
    exhaust(listening, first)
    assert shell.json("deliveries", "list", "--account", listening.login, "--state", "exhausted")[0]["id"] == first
    assert shell.run("deliveries", "retry", first, "--account", listening.login).stdout == (
        f"Delivery {first} is due now.\n"
    )
    assert shell.json("deliveries", "list", "--account", listening.login, "--state", "exhausted") == []
    assert (
        listening.lane_pk
        in shell.db.read_now(lanes.candidates, owner="w", now=2**52, renewal_ms=(500, 2_000), count=500).free
    )


def test_another_accounts_delivery_is_not_shown_nor_tried_again(shell: Shell, listening: Listening) -> None:
    id_ = shell.json("deliveries", "list", "--account", listening.login)[0]["id"]
    other = listening.world.account("two")
    for command in ("show", "retry"):
        assert shell.refused("deliveries", command, id_, "--account", other.client_id) == f"Delivery {id_} not found"


@pytest.mark.parametrize("arguments", [["events"], ["deliveries", "list"], ["deliveries", "show", "x"]])
def test_an_unknown_account_is_said_to_be_unknown(shell: Shell, arguments: list[str]) -> None:
    said = shell.refused(*arguments, "--account", "nobody")
    assert said == "No account has the client id or e-mail address nobody."


def test_audit_balances_and_finds_what_does_not(shell: Shell, listening: Listening) -> None:
    since = ["--since", "2025-01-01"]
    (ledger,) = shell.json("audit", *since)
    assert (ledger["matched"], ledger["pending"], ledger["problems"]) == (2, 2, [])
    assert [each["matched"] for each in ledger["endpoints"]] == [2]
    assert shell.json("audit", *since, "--organization", listening.world.organization.id) == [ledger]
    shell.db.write_now(lambda tx: tx.execute(table.update().values(state="exhausted", finished_at=1)))
    (ledger,) = shell.json("audit", *since, status=1)
    assert [each["problem"] for each in ledger["findings"]] == ["unexplained"] * 2
    assert {each["detail"] for each in ledger["findings"]} == set(ledger["problems"])
    assert ledger["problems"][0] in " ".join(shell.run("audit", *since, status=1).stdout.split())
    assert shell.refused("audit", "--organization", "nowhere") == "Organization not found"


def test_audit_reads_instants_and_durations(shell: Shell, listening: Listening) -> None:
    assert shell.json("audit", "--since", "1h") == []
    assert shell.json("audit", "--since", "2025-01-01", "--until", "2025-01-02T00:00:00Z") == []
    assert len(shell.json("audit", "--since", "99999d")) == 1
    assert shell.refused("audit", "--since", "soon") == (
        "--since: an instant like 2026-05-30T16:00:00Z or a duration like 24h is expected"
    )


def test_prune_shows_what_would_go_and_removes_it(shell: Shell, listening: Listening) -> None:
    shell.db.write_now(
        lambda tx: tx.execute(table.update().values(state="cancelled", finished_at=1, reason="deregistered"))
    )
    (before,) = shell.json("audit", "--since", "2025-01-01")
    (would,) = shell.json("prune", "--dry-run")
    assert (would["events"], would["deliveries"]) == (7, 2), "five that nobody wanted"
    (done,) = shell.json("prune")
    assert (done["events"], done["deliveries"], done["bytes"]) == (7, 2, would["bytes"])
    assert shell.json("audit", "--since", "2025-01-01") == [before]
    assert re.search("^events +0$", shell.run("prune").stdout, re.MULTILINE)
    shell.db.write_now(chores.take, "retention", owner="other", now=0, lease_until=RealAmbient().now_ms() + 60_000)
    assert shell.refused("prune").startswith("Another process is pruning now.")


def test_db_upgrade_says_that_all_is_up_to_date(shell: Shell) -> None:
    assert shell.run("db", "upgrade").stdout.startswith("The database is up to date")


# -- verify -----------------------------------------------------------------------------------------------------------

SECRET = "choose-16-to-128-characters"


def signed(body: bytes, timestamp_s: int) -> list[str]:
    """The options that carry a right signature."""
    made = signature(SECRET, timestamp_s, "id-1", body)
    headers = {"Webhook-Request-Id": "id-1", "webhook-timestamp": str(timestamp_s), "Webhook-Signature": made}
    return [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]


def test_verify_accepts_what_is_right_from_a_file_and_from_standard_input(shell: Shell, tmp_path: Path) -> None:
    body = b'{"status": "BOOK_COMPLETE"}'
    (tmp_path / "body").write_bytes(body)
    ask = ["verify", "--secret", SECRET, "--tolerance", "1e12", *signed(body, 1_750_000_000)]
    right = "The signature is right. Request id id-1, signed at 1750000000.\n"
    assert shell.run(*ask, "--body", str(tmp_path / "body")).stdout == right
    assert shell.run(*ask, input=body).stdout == right


def test_verify_names_the_mistake_and_exits_with_1(shell: Shell, tmp_path: Path) -> None:
    headers = signed(b"body", 1_750_000_000)
    stale = shell.run("verify", "--secret", SECRET, *headers, input=b"body", status=1)
    altered = shell.run("verify", "--secret", SECRET, "--tolerance", "1e12", *headers, input=b"bodY", status=1)
    bare = shell.run("verify", "--secret", SECRET, input=b"body", status=1)
    assert [each.stderr.partition(":")[0] for each in (stale, altered, bare)] == [
        "stale",
        "wrong_secret_or_altered",
        "no_signature",
    ]
    assert "does not exist" in shell.run("verify", "--secret", "s", "--body", str(tmp_path / "no"), status=2).stderr
    assert "Name: value" in shell.run("verify", "--secret", SECRET, "-H", "NoColon", input=b"body", status=2).stderr


# -- what the tests do to the rows ------------------------------------------------------------------------------------


def exhaust(listening: Listening, delivery_id: str) -> None:
    """Record that the only attempt at this delivery was answered 500."""
    db, lane_pk = listening.world.db, listening.lane_pk
    taken = db.write_now(lanes.acquire, [lane_pk], owner="test", now=START, lease_until=START + 1_000)
    due = db.read_now(deliveries.due, {lane_pk: deliveries.Look(Level.ACCOUNT, 100)}, now=START)[lane_pk]
    (chosen,) = [each for each in due if each.id == delivery_id]
    attempt = ATTEMPT._replace(
        organization_id=listening.world.organization.id,
        delivery_pk=chosen.pk,
        status_code=500,
        detail="The receiver answered 500.",
        response_head=b"HTTP/1.1 500 No\r\n\r\n",
        response_body=b"",
    )
    ended = Result(
        lane_pk=lane_pk,
        epoch=taken[lane_pk],
        delivery_id=chosen.id,
        attempt=attempt,
        state=DeliveryState.EXHAUSTED,
        due_at=START,
        finished_at=START,
        reason="attempts_exhausted",
    )
    db.write_now(deliveries.record, [ended], at=START)
    db.write_now(lanes.park, {lane_pk: 0}, owner="test")


def exclaim(world: World) -> None:
    """Make every event claim one delivery more than there is."""

    def run(tx: Tx) -> None:
        tx.execute(events.update().values(matched_count=events.c.matched_count + 1))

    world.db.write_now(run)


# -- replays ----------------------------------------------------------------------------------------------------------

SINCE = ("--since", "2020-01-01T00:00:00Z")


def test_replay_plans_starts_lists_shows_and_cancels(shell: Shell, listening: Listening) -> None:
    shell.db.write_now(deliveries.discard, listening.lane_pk, reason="expired", at=START)
    own = ("replay", "--account", listening.login)
    (planned,) = shell.json(*own, "plan", "failed", *SINCE)
    assert (planned["count"], planned["is_exact"]) == (2, True)
    assert shell.json(*own, "plan", "failed", *SINCE, "--only", "event=BOOK_VERIFIED")[0]["count"] == 1
    assert shell.json(*own, "plan", "failed", "--since", "90m")[0]["count"] == 0
    (job,) = shell.json(*own, "start", "failed", *SINCE)
    assert (job["state"], job["selection"], job["total_count"]) == ("running", "failed", 2)
    assert shell.json(*own, "list") == [job]
    (shown,) = shell.json(*own, "show", job["id"])
    assert (shown["id"], shown["pending"], shown["cancelled"]) == (job["id"], 0, 0)
    shell.db.write_now(replaying.work, job["id"], stamp(job["created_at"]))
    (watched,) = shell.json(*own, "watch", job["id"])
    assert (watched["state"], watched["recovered_count"]) == ("done", 2)
    (other,) = shell.json(*own, "start", "all", *SINCE, "--to", "https://staging.example.net/x")
    assert shell.json(*own, "cancel", other["id"])[0]["state"] == "cancelled"
    assert shell.json(*own, "watch", other["id"], status=1)[0]["state"] == "cancelled"


def test_replay_across_an_organization(shell: Shell, listening: Listening) -> None:
    shell.db.write_now(deliveries.discard, listening.lane_pk, reason="expired", at=START)
    whole = ("replay", "--organization", listening.world.organization.id)
    (job,) = shell.json(*whole, "start", "failed", *SINCE)
    assert shell.json(*whole, "list") == [job]
    assert "pending" in shell.run(*whole, "show", job["id"]).stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["plan", "failed"], "Say how far back with --since, or which one with --only delivery=ID."),
        (["plan", "failed", "--since", "soon"], "soon is no instant; write 2026-05-30T16:00:00Z, or 90m, 36h, 7d."),
        (["plan", "all", *SINCE, "--only", "book=x"], "A book is named by its number, not x."),
        (
            ["plan", "all", *SINCE, "--only", "state=x"],
            "--only is event=TYPE, book=PK, until=INSTANT or delivery=ID, not state=x.",
        ),
        (["show", "x"], "Replay x not found"),
        (["plan", "all", "--only", "delivery=x"], "Delivery x not found"),
    ],
)
def test_a_replay_that_cannot_be_is_one_line(
    shell: Shell, listening: Listening, arguments: list[str], said: str
) -> None:
    assert shell.refused("replay", "--account", listening.login, *arguments) == said


def test_a_replay_needs_somebody_to_be_for(shell: Shell, listening: Listening) -> None:
    assert shell.refused("replay", "list").startswith("Say for whom")
    assert shell.refused("replay", "--account", "x", "list").startswith("No account")
    assert shell.refused("replay", "--organization", "x", "list") == "Organization not found"
    staging = ("start", "all", *SINCE, "--to", "https://staging.example.net/x")
    organization_id = listening.world.organization.id
    assert shell.refused("replay", "--organization", organization_id, *staging).startswith("Say with --webhook")
    refused = shell.refused("replay", "--account", listening.login, *staging[:-1], "http://10.0.0.1/")
    assert "10.0.0.1" in refused
