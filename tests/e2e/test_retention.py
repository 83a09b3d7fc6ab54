"""kill -9 in the middle of pruning loses nothing, and the totals stay right, with two processes that prune."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bookbell.core.instants import DAY_MS
from bookbell.core.model import OrganizationId
from bookbell.store import endpoints
from bookbell.store.database import Database, Tx
from bookbell.store.schema import chores, events
from bygone import bygone, write
from processes import Service, running, sign_up, until
from receivers import Receiver
from world import START

EVENTS, KILLS = 3_000, 2
"""Events for each kill: some six batches."""


def left(database: Database) -> int:
    def count(tx: Tx) -> int:
        return len(tx.execute(events.select().with_only_columns(events.c.id)).all())

    return database.read_now(count)


def audited(service: Service) -> object:
    audit = service.command("audit", "--json", "--since", "2025-01-01")
    assert audit.returncode == 0, audit.stdout + audit.stderr
    return json.loads(audit.stdout)


def pruning(service: Service) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bookbell.cli.main", "prune"]
    return subprocess.Popen(command, env=service.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def killed_in_the_middle(service: Service, database: Database) -> None:
    """Two processes prune; as soon as some of it is gone, both are killed."""
    before = left(database)
    workers = [pruning(service) for _ in range(2)]
    until("some of it is gone", lambda: left(database) < before)
    for worker in workers:
        worker.kill()
        worker.wait(10)
    # Nobody waits a minute for the lease of the dead.
    database.write_now(lambda tx: tx.execute(chores.update().values(owner=None, lease_until=0)))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_kill_in_the_middle_of_pruning_loses_nothing(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    settings = {} if kind == "sqlite" else {"database_url": request.getfixturevalue("postgresql_url")}
    service = Service(tmp_path, "--role", "api", **settings)
    with running(service), Receiver() as receiver:
        (client,) = sign_up(service.url, "PennyMae", "one")
        client.register(receiver.url, "BOOK_VERIFIED")
        database = Database(settings.get("database_url", f"sqlite:///{tmp_path / 'data' / 'bookbell.db'}"))
        its = database.read_now(endpoints.list_endpoints, OrganizationId(client.organization_id))
        before: object = None
        for number in range(KILLS):
            for day in range(3):
                first = START + (number * 3 + day) * DAY_MS
                write(database, *(bygone(its, first + n) for n in range(EVENTS // 3)))
            before = audited(service)
            assert before["delivered"] == EVENTS * (number + 1)  # type: ignore[index] # an object
            killed_in_the_middle(service, database)
            assert left(database) > 0, "in the middle"
            assert audited(service) == before
        pruned = service.command("prune", "--json")
        assert pruned.returncode == 0
        assert json.loads(pruned.stdout)["events"] > 0
        assert left(database) == 0
        assert audited(service) == before
        shown = client.api.get("/v1/account/settings/webhook/ledger", since="2025-01-01")
        assert (shown["matched"], shown["delivered"], shown["balanced"]) == (EVENTS * KILLS, EVENTS * KILLS, True)
        database.close()
