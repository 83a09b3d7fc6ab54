"""A delivery whose body is not kept any more is shown as it is, and is not tried again."""

import pytest

from bookbell.actions import history
from bookbell.core.errors import IllegalTransition
from bookbell.core.model import DeliveryState
from bookbell.store.database import Database
from bookbell.store.schema import events
from bygone import bygone, write
from world import START, stamp, world_in


def test_a_delivery_without_its_body_is_shown_and_cannot_be_tried_again(db: Database) -> None:
    world = world_in(db)
    account = world.account()
    old = bygone([world.webhook(account, "BOOK_VERIFIED")], START, DeliveryState.EXHAUSTED)
    write(db, old)
    delivery_id = old.deliveries[0].id
    assert db.read_now(history.inspect, account, delivery_id).body == old.event.body_account
    db.write_now(lambda tx: tx.execute(events.update().values(body_account=None, body_org=None)))
    assert db.read_now(history.inspect, account, delivery_id).body is None
    with pytest.raises(IllegalTransition, match="not kept any more"):
        db.write_now(history.retry_now, account, delivery_id, stamp())
    assert db.read_now(history.inspect, account, delivery_id).delivery.state is DeliveryState.EXHAUSTED
