"""Pausing and resuming a webhook by hand, while others change it too."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bookbell.actions import health, webhooks
from bookbell.store.database import Database, Tx
from bookbell.store.endpoints import Endpoint
from world import World, seal, stamp, world_in


@pytest.fixture
def world(db: Database) -> World:
    return world_in(db)


@pytest.mark.parametrize("is_pausing", [True, False], ids=["pause", "resume"])
def test_what_is_configured_meanwhile_is_kept(world: World, is_pausing: bool) -> None:
    account = world.account()
    endpoint = world.webhook(account, "DOC_VERIFIED", url="http://before.example/")
    wanted = webhooks.Wanted(url="http://after.example/", masked="-", event_types=("DOC_VERIFIED",), preset="standard")
    has_configured, has_read = threading.Event(), threading.Event()

    def configure(tx: Tx) -> None:
        webhooks.configure(tx, account, wanted, seal, stamp())
        has_configured.set()
        has_read.wait(1)  # on SQLite the other's transaction begins after this one

    def which(tx: Tx) -> Endpoint:
        found = webhooks.demand(tx, account)
        has_read.set()
        return found

    def change(tx: Tx) -> None:
        if is_pausing:
            health.pause(tx, which, stamp())
        else:
            health.resume(tx, which, is_draining=True, stamp=stamp())

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(world.db.write_now, configure)
        assert has_configured.wait(10)
        pool.submit(world.db.write_now, change).result()
        one.result()
    found = world.db.read_now(webhooks.demand, account)
    assert found.url_sealed == seal("http://after.example/", webhooks.url_place(endpoint.id))
    assert (found.paused_at is not None) is is_pausing
