"""What is answered of deliveries that have no next attempt yet."""

import asyncio
from typing import Any

from bookbell.store.database import Tx
from bookbell.store.schema import NEVER_AT
from bookbell.store.schema import deliveries as table
from in_process import Opened, Peopled, opened


def defer(tx: Tx) -> None:
    """As a worker takes what waits for an earlier delivery of its book out of what is due."""
    tx.execute(table.update().values(due_at=NEVER_AT))


def test_a_delivery_that_waits_for_the_earlier_ones_of_its_book_has_no_next_attempt(peopled: Peopled) -> None:
    async def asked(app: Opened, path: str) -> Any:
        answer = await app.client.get(path, headers=app.credentials("one"))
        assert answer.status_code == 200, answer.text
        return answer.json()["response"]

    async def story() -> None:
        async with opened(peopled) as app:
            one, pipeline = app.credentials("one"), app.credentials("pipeline")
            wanted = {"webhook_endpoint": "http://127.0.0.1:9/hook", "event": ["book.income.generated"]}
            await app.client.post("/v1/account/settings/update/webhook_endpoint", json=wanted, headers=one)
            await app.client.put("/v1/account/settings/webhook/policy", json={"order": "book"}, headers=one)
            book = (await app.client.post("/v1/book/add", json={"name": "Loan"}, headers=one)).json()["response"]
            report = {"type": "book.income.generated", "book_uuid": book["uuid"]}
            await app.client.post("/platform/v1/events", json=report, headers=pipeline)
            await app.context.database.write(defer)
            (listed,) = (await asked(app, "/v1/deliveries"))["deliveries"]
            (event,) = (await asked(app, "/v1/events?order=ASC"))["events"]
            shown = [listed, event["deliveries"][0], await asked(app, f"/v1/deliveries/{listed['id']}")]
            assert [(each["state"], each["next_attempt_at"]) for each in shown] == [("pending", None)] * 3

    asyncio.run(story())
