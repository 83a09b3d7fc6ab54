"""Every column of sealed values is known, and a value is only replaced by who has seen it last."""

import pytest

from bookbell.store import endpoints, sealed
from bookbell.store.database import Database, Tx
from bookbell.store.schema import metadata
from world import World, world_in


@pytest.fixture
def world(db: Database) -> World:
    return world_in(db)


def test_every_sealed_column_of_the_schema_has_its_place() -> None:
    columns = {
        (table.name, column.name)
        for table in metadata.sorted_tables
        for column in table.columns
        if column.name.endswith("_sealed")
    }
    assert {(each.table.name, each.column.name) for each in sealed.PLACES} == columns


def test_values_are_read_in_pages_in_the_order_of_their_rows(world: World) -> None:
    made = [world.webhook(world.account(name), "DOC_VERIFIED").id for name in ("a", "b", "c")]

    def page(after: object) -> list[str]:
        return [each.key for each in world.db.read_now(sealed.sealed_values, sealed.PLACES[0], after=after, count=2)]

    assert page(None) == made[:2]
    assert page(made[1]) == made[2:]
    assert page(made[2]) == []


def test_a_value_that_was_changed_meanwhile_is_left_alone(world: World) -> None:
    account = world.account()
    world.webhook(account, "DOC_VERIFIED", url="http://old/")
    place = sealed.PLACES[0]
    (seen,) = world.db.read_now(sealed.sealed_values, place, after=None, count=5)
    world.webhook(account, "DOC_VERIFIED", url="http://new/")

    def replace(tx: Tx) -> int:
        return sealed.replace_values(tx, place, [(seen, b"resealed")])

    assert world.db.write_now(replace) == 0
    found = world.db.read_now(endpoints.find_account_endpoint, account.organization_id, account.id)
    assert found is not None
    assert found.url_sealed is not None
    assert b"http://new/" in found.url_sealed
    (seen,) = world.db.read_now(sealed.sealed_values, place, after=None, count=5)
    assert world.db.write_now(replace) == 1
