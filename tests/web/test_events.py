"""Waiting for an event: the answer comes with it, or at the end of the wait; only so many wait at once."""

import asyncio

import pytest

from bookbell.core import limits
from in_process import Opened, Peopled, opened
from world import new_id


async def publish(app: Opened, event_type: str = "book.income.generated", **about: str) -> None:
    """One event of a new book of account one."""
    headers = app.credentials("one")
    book = await app.client.post("/v1/book/add", json={"name": new_id()}, headers=headers)
    report = {"type": event_type, **about, "book_uuid": book.json()["response"]["uuid"]}
    told = await app.client.post("/platform/v1/events", json=report, headers=app.credentials("pipeline"))
    assert told.status_code == 200, told.text


async def read(app: Opened, query: str) -> list[str]:
    answer = await app.client.get(f"/v1/events?{query}", headers=app.credentials("one"))
    assert answer.status_code == 200, answer.text
    return [event["event"] for event in answer.json()["response"]["events"]]


def test_a_reader_that_waits_is_answered_when_an_event_comes(peopled: Peopled) -> None:
    async def story() -> None:
        async with opened(peopled) as app:
            waiting = asyncio.create_task(read(app, "order=ASC&wait_s=30"))
            while not app.context.waiting.count:  # noqa: ASYNC110 - the other task's turn
                await asyncio.sleep(0)
            await publish(app)
            assert await waiting == ["book.income.generated"]
            assert app.context.waiting.count == 0

    asyncio.run(story())


def test_a_reader_waits_no_longer_than_it_asked_for_and_not_when_there_is_something(peopled_sqlite: Peopled) -> None:
    async def story() -> None:
        async with opened(peopled_sqlite) as app:
            assert await read(app, "order=ASC&wait_s=1") == []
            await publish(app)
            assert await read(app, "order=ASC&wait_s=30") == ["book.income.generated"]

    asyncio.run(story())


def test_what_is_rare_is_found_behind_more_than_one_reading_looks_at(
    peopled: Peopled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "EVENTS_LOOKED_AT_MAX", 2)

    async def story() -> None:
        async with opened(peopled) as app:
            for _ in range(5):
                await publish(app)
            rare = "order=ASC&event=document.upload_failed"
            answer = await app.client.get(f"/v1/events?{rare}", headers=app.credentials("one"))
            assert answer.json()["response"]["events"] == []
            assert answer.json()["response"]["next"] is not None, "there is more to look at"
            await publish(app, "document.upload_failed", name="broken.pdf")
            assert await read(app, rare) == []
            assert await read(app, f"{rare}&wait_s=30") == ["document.upload_failed"]

    asyncio.run(story())


def test_a_stopping_service_and_a_crowd_keep_nobody_waiting(
    peopled_sqlite: Peopled, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(*, is_stopping: bool) -> None:
        async with opened(peopled_sqlite, is_stopping=is_stopping) as app:
            assert await read(app, "order=ASC&wait_s=30") == []

    asyncio.run(story(is_stopping=True))
    monkeypatch.setattr(limits, "EVENTS_WAITING_MAX", 0)
    asyncio.run(story(is_stopping=False))
