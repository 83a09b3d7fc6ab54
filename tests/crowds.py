"""Long backlogs, made quickly; and what is read of them."""

from typing import Any

from sqlalchemy import Row, Table, text

from bookbell.core.model import Delivery, DeliveryId, DeliveryState, LanePk
from bookbell.store import deliveries
from bookbell.store.database import Tx
from bookbell.store.schema import deliveries as table
from simulated import Scene
from world import START, new_id


def like(row: Row[Any], **changes: object) -> dict[str, object]:
    """Another delivery like this one, at a place of its own."""
    return {**{name: value for name, value in row._mapping.items() if name != "pk"}, "id": new_id(), **changes}


def crowd(scene: Scene, url: str, count: int) -> LanePk:
    """That many due deliveries of one event for one endpoint, quickly."""

    def insert(tx: Tx) -> LanePk:
        row = tx.execute(table.select().order_by(table.c.id.desc()).limit(1)).one()  # the one just published
        copies = [
            Delivery(
                id=DeliveryId(new_id()),
                organization_id=row.organization_id,
                endpoint_pk=row.endpoint_pk,
                lane_pk=row.lane_pk,
                event_id=row.event_id,
                state=DeliveryState(row.state),
                attempt_count=0,
                due_at=START,
                created_at=START,
            )
            for _ in range(count)
        ]
        deliveries.insert_deliveries(tx, copies)
        return LanePk(row.lane_pk)

    scene.publish(url, 1)
    return scene.world.db.write_now(insert)


_READ = text(
    "SELECT sum(pg_stat_get_xact_tuples_returned(oid)) FROM pg_class "
    "WHERE oid = to_regclass(:name) OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = to_regclass(:name))"
)


def rows_read(tx: Tx, of: Table) -> int:
    """How many rows of this table and of its indexes the transaction has read so far, on PostgreSQL."""
    return int(tx.execute(_READ, {"name": of.name}).scalar_one())
