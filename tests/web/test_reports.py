"""Reports of the pipeline over the wire: once for each Idempotency-Key, and batches as a whole or not at all."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from bookbell.core import limits
from bookbell.core.errors import DocumentNotFound
from bookbell.store.accounts import find_organization
from in_process import Opened, Peopled, opened
from raw_asgi import call
from web.refusals import JSON, assert_refused, changing_nothing, everything, headers_of
from web.routes_of import NOBODYS_ID
from world import World

BATCH = "/platform/v1/reports"


SIGNAL = "document.detect.signal_found"


def documents_of(peopled: Peopled, count: int) -> list[str]:
    """That many documents in work in one book of `one`, who listens. Gives their uuids."""
    account = peopled.cast["one"].account
    organization = peopled.database.read_now(find_organization, account.organization_id)
    assert organization is not None
    world = World(peopled.database, organization)
    world.webhook(account, "DOC_VERIFIED", "BOOK_VERIFIED", SIGNAL)
    return world.documents(account, world.book(account), count)


def verified(*uuids: str) -> dict[str, Any]:
    """A batch that reports these as verified."""
    return {"reports": [{"subject": "document", "uuid": uuid, "status": "VERIFICATION_COMPLETE"} for uuid in uuids]}


def run(peopled: Peopled, play: Callable[[Opened], Awaitable[None]]) -> None:
    async def opening() -> None:
        async with opened(peopled) as app:
            await play(app)

    asyncio.run(opening())


async def report(app: Opened, body: Any, key: str | None = None, path: str = BATCH) -> httpx.Response:
    headers = app.credentials("pipeline") | ({} if key is None else {"Idempotency-Key": key})
    return await app.client.post(path, json=body, headers=headers)


async def events(app: Opened) -> list[str]:
    """The types of all events of `one`, newest first."""
    answer = await app.client.get("/v1/events?limit=500", headers=app.credentials("one"))
    return [each["event"] for each in answer.json()["response"]["events"]]


def test_the_same_key_and_body_give_the_same_answer_and_do_nothing(peopled: Peopled) -> None:
    (uuid,) = documents_of(peopled, 1)

    async def play(app: Opened) -> None:
        first = await report(app, verified(uuid), "key-1")
        before = everything(peopled.database)
        second = await report(app, verified(uuid), "key-1")
        assert (first.status_code, second.status_code) == (200, 200)
        assert first.content == second.content
        assert "Idempotent-Replayed" not in first.headers
        assert second.headers["Idempotent-Replayed"] == "true"
        assert everything(peopled.database) == before

    run(peopled, play)


def test_the_same_key_with_another_body_is_refused(peopled: Peopled) -> None:
    first, second = documents_of(peopled, 2)

    async def play(app: Opened) -> None:
        await report(app, verified(first), "key-1")
        before = everything(peopled.database)
        answer = await report(app, verified(second), "key-1")
        assert (answer.status_code, answer.json()["code"]) == (422, 1003)
        assert everything(peopled.database) == before

    run(peopled, play)


def test_a_key_belongs_to_its_path(peopled: Peopled) -> None:
    first, second = documents_of(peopled, 2)

    async def play(app: Opened) -> None:
        for uuid in (first, second):
            path = f"/platform/v1/documents/{uuid}/status"
            answer = await report(app, {"status": "VERIFICATION_COMPLETE"}, "key-1", path)
            assert answer.json()["response"]["id"] == uuid
        assert (await events(app)).count("DOC_VERIFIED") == 2

    run(peopled, play)


def test_a_path_is_the_same_however_it_is_spelled(peopled: Peopled) -> None:
    (uuid,) = documents_of(peopled, 1)
    event = {"type": SIGNAL, "document_uuid": uuid}

    async def play(app: Opened) -> None:
        paths = ("/platform/v1/events", "/platform/v1/events/", "/platform//v1/events")
        answers = [await report(app, event, "key-1", path) for path in paths]
        assert [answer.headers.get("Idempotent-Replayed") for answer in answers] == [None, "true", "true"]
        status = {"status": "VERIFYING"}
        answers = [
            await report(app, status, "key-1", f"/platform/v1/documents/{each}/status")
            for each in (uuid, uuid.upper())
        ]
        assert [answer.headers.get("Idempotent-Replayed") for answer in answers] == [None, "true"]
        assert (await events(app)).count(SIGNAL) == 1

    run(peopled, play)


def test_a_key_for_what_no_path_can_name_is_told_so(peopled: Peopled) -> None:
    # Random, because an index would take it if it could be compressed.
    nobody = hashlib.shake_128(b"nobody").hexdigest(5_000)

    async def play(app: Opened) -> None:
        answer = await report(app, {"status": "VERIFYING"}, "key-1", f"/platform/v1/documents/{nobody}/status")
        assert (answer.status_code, answer.json()["code"]) == (400, DocumentNotFound.code)

    run(peopled, play)


def test_what_reports_and_events_make_goes_along_with_the_ring(peopled: Peopled) -> None:
    first, second, third = documents_of(peopled, 3)

    async def play(app: Opened) -> None:
        await report(app, {"status": "VERIFICATION_COMPLETE"}, path=f"/platform/v1/documents/{first}/status")
        await report(app, verified(second))
        await report(app, verified(third), "key-1")
        happened = {"type": SIGNAL, "document_uuid": first}
        for event in (happened, {"events": [happened]}):
            answer = await report(app, event, path="/platform/v1/events")
            assert answer.status_code == 200, answer.text
        types = [event.type for _, _, event, _ in app.made]
        assert types == ["DOC_VERIFIED", "DOC_VERIFIED", "DOC_VERIFIED", "BOOK_VERIFIED", SIGNAL, SIGNAL]
        assert {delivery.lane_pk for _, delivery, _, _ in app.made} == set(app.rung)

    run(peopled, play)


def test_a_request_that_was_refused_keeps_nothing_under_its_key(peopled: Peopled) -> None:
    (uuid,) = documents_of(peopled, 1)

    async def play(app: Opened) -> None:
        assert (await report(app, verified(NOBODYS_ID), "key-1")).status_code == 400
        answer = await report(app, verified(uuid), "key-1")
        assert answer.status_code == 200
        assert "Idempotent-Replayed" not in answer.headers

    run(peopled, play)


def test_of_many_requests_with_one_key_at_once_one_is_carried_out(peopled: Peopled) -> None:
    uuids = documents_of(peopled, 3)

    async def play(app: Opened) -> None:
        answers = await asyncio.gather(*(report(app, verified(*uuids), "key-1") for _ in range(12)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.content for answer in answers}) == 1
        assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
        assert (await events(app)).count("DOC_VERIFIED") == 3

    run(peopled, play)


def test_reports_at_once_on_the_last_documents_of_a_book_ring_it_once(peopled: Peopled) -> None:
    uuids = documents_of(peopled, 8)

    async def play(app: Opened) -> None:
        answers = await asyncio.gather(*(report(app, verified(uuid)) for uuid in uuids for _ in range(2)))
        assert {answer.status_code for answer in answers} == {200}
        assert (await events(app)).count("DOC_VERIFIED") == 8
        assert (await events(app)).count("BOOK_VERIFIED") == 1

    run(peopled, play)


def test_batches_at_once_in_opposite_orders_do_not_wait_for_each_other(peopled: Peopled) -> None:
    first, second = documents_of(peopled, 5), documents_of(peopled, 5)

    async def play(app: Opened) -> None:
        pairs = list(zip(first, second, strict=True))
        batches = [verified(*pair) for pair in pairs] + [verified(*reversed(pair)) for pair in pairs]
        answers = await asyncio.gather(*(report(app, batch) for batch in batches))
        assert {answer.status_code for answer in answers} == {200}
        assert (await events(app)).count("DOC_VERIFIED") == 10
        assert (await events(app)).count("BOOK_VERIFIED") == 2

    run(peopled, play)


def test_one_bad_report_undoes_the_batch_and_is_named(peopled: Peopled) -> None:
    first, second = documents_of(peopled, 2)
    bad = verified(first, second, first, NOBODYS_ID)
    back = {"reports": [*verified(first)["reports"], {"subject": "document", "uuid": first, "status": "GROOMING"}]}

    async def ask(app: Opened) -> None:
        for body, index, status, code in ((bad, 3, 400, 1501), (back, 1, 409, 1100)):
            for key in (None, "key-1"):
                answer = await report(app, body, key)
                assert (answer.status_code, answer.json()["code"]) == (status, code)
                assert answer.json()["message"].startswith(f"reports[{index}]: ")

    changing_nothing(peopled, ask)


def test_a_batch_may_report_on_everything_in_its_order(peopled_sqlite: Peopled) -> None:
    (uuid,) = documents_of(peopled_sqlite, 1)

    async def play(app: Opened) -> None:
        steps = ["PROCESSING", "GROOMING", "VERIFYING", "VERIFICATION_COMPLETE", "VERIFICATION_COMPLETE"]
        body = {"reports": [{"subject": "document", "uuid": uuid, "status": status} for status in steps[1:]]}
        answer = await report(app, body)
        shown = answer.json()["response"]["reports"]
        assert [each["status"] for each in shown] == steps[1:]
        assert [each["book_status"] for each in shown] == ["VERIFYING", "VERIFYING", "VERIFIED", "VERIFIED"]
        assert app.rung != []

    run(peopled_sqlite, play)


@pytest.mark.parametrize("key", [b"", b"x" * (limits.IDEMPOTENCY_KEY_CHARS_MAX + 1), b"\xff", b"a\x01b", b"a\tb"])
def test_a_key_that_is_none_is_refused(key: bytes, peopled_sqlite: Peopled) -> None:
    (uuid,) = documents_of(peopled_sqlite, 1)

    async def ask(app: Opened) -> None:
        headers = [*headers_of(app, "pipeline", JSON), ("Idempotency-Key", key)]
        path = f"/platform/v1/documents/{uuid}/status"
        answer = await call(app.app, "POST", path, headers, [b'{"status": "VERIFYING"}'])
        assert_refused(answer, {400}, {1003}, key)

    changing_nothing(peopled_sqlite, ask)


def test_a_result_of_analytics_comes_back_as_it_was_reported(peopled_sqlite: Peopled) -> None:
    (_uuid,) = documents_of(peopled_sqlite, 1)
    result = {"sum": 10**25, "ratio": 0.1, "text": "☃ \u2028 </script>", "deep": [{"a": [None, True, {}]}], "": ""}

    async def play(app: Opened) -> None:
        one = app.credentials("one")
        (book,) = (await app.client.get("/v1/books", headers=one)).json()["response"]
        asked = await app.client.post("/v1/book/analytics/async/request", json={"pk": book["pk"]}, headers=one)
        id_ = asked.json()["response"]["analytics_request_id"]
        path = f"/platform/v1/analytics-requests/{id_}/status"
        assert (await report(app, {"status": "COMPLETED", "result": result}, None, path)).status_code == 200
        found = await app.client.get(f"/v1/book/analytics/async/result?analytics_request_id={id_}", headers=one)
        assert found.json()["response"] == {id_: {"analytics_status": "COMPLETED", "analytics": result}}

    run(peopled_sqlite, play)
