"""How the edge bounds what clients do: rate, size and time of requests; the always-200 switch; headers of answers."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from bookbell.core import limits
from bookbell.core.errors import RequestTimeout, TooManyRequests
from bookbell.web import wire
from bookbell.web.app import App
from bookbell.web.http import Message, Request
from bookbell.web.routes import ROUTES
from bookbell.web.throttle import Throttle
from in_process import Opened, Peopled, opened
from raw_asgi import Answer, call

BOOKS = "/v1/books"


def with_app(peopled: Peopled, ask: Callable[[Opened], Coroutine[Any, Any, None]], **changes: Any) -> None:
    """Run against an application whose context has these changes."""

    async def run() -> None:
        async with opened(peopled) as app:
            context = replace(app.context, **changes)
            await ask(replace(app, app=App(context, ROUTES), context=context))

    asyncio.run(run())


async def get(app: Opened, path: str, who: str = "one") -> Answer:
    return await call(app.app, "GET", path, list(app.credentials(who).items()))


def test_an_organization_is_kept_to_its_rate_and_told_when_to_come_back(peopled_sqlite: Peopled) -> None:
    async def ask(app: Opened) -> None:
        answers = [await get(app, BOOKS, who) for who in ("one", "two", "one")]
        assert [answer.status for answer in answers] == [200, 200, 429]
        refused = answers[-1]
        assert refused.headers["retry-after"] == "1"
        message = "Too many requests. Please slow down."
        assert refused.json() == {
            "status": 429,
            "code": 1100,
            "response": None,
            "message": message,
            "meta": {"status": 429, "msg": message, "code": 1100},
        }
        assert (await get(app, BOOKS, "other")).status == 200

    with_app(peopled_sqlite, ask, throttle=Still(2))


def test_the_platform_and_health_are_not_limited(peopled_sqlite: Peopled) -> None:
    async def ask(app: Opened) -> None:
        for _ in range(3):
            assert (await get(app, "/platform/v1/work", "pipeline")).status == 200
            assert (await get(app, "/platform/v1/organizations", "operator")).status == 200
            assert (await get(app, "/health/ready", "nobody")).status == 200

    with_app(peopled_sqlite, ask, throttle=Still(1))


def test_refused_credentials_use_up_nobodys_rate(peopled_sqlite: Peopled) -> None:
    async def ask(app: Opened) -> None:
        for _ in range(3):
            assert (await get(app, BOOKS, "nobody")).status == 400
        assert (await get(app, BOOKS)).status == 200

    with_app(peopled_sqlite, ask, throttle=Still(1))


def test_what_is_remembered_of_organizations_is_bounded() -> None:
    throttle = Throttle(1)
    for number in range(limits.BUCKET_COUNT_MAX + 5):
        throttle.admit(f"organization {number}", number * 1_000)
    with pytest.raises(TooManyRequests):
        throttle.admit(f"organization {limits.BUCKET_COUNT_MAX + 4}", (limits.BUCKET_COUNT_MAX + 4) * 1_000)
    assert len(throttle) <= limits.BUCKET_COUNT_MAX


def test_always_200_shows_the_status_in_the_body_only(peopled_sqlite: Peopled) -> None:
    async def ask(app: Opened) -> None:
        answers = {path: await get(app, path) for path in ("/v1/book/status?pk=9", "/v1/nowhere", "/nowhere")}
        assert [answer.status for answer in answers.values()] == [200, 200, 404]
        assert [answer.json()["status"] for answer in answers.values()] == [400, 404, 404]
        assert (await get(app, BOOKS, "nobody")).status == 200
        assert (await get(app, "/platform/v1/work")).status == 401

    with_app(peopled_sqlite, ask, is_always_200=True)


def test_always_200_leaves_infrastructure_s_answers_alone(peopled_sqlite: Peopled) -> None:
    async def ask(app: Opened) -> None:
        headers = [*app.credentials("one").items(), ("Content-Type", "application/json")]
        large = await call(app.app, "POST", "/v1/book/add", headers, [b"x" * 70_000] * 16)
        assert large.status == 413
        assert (await get(app, BOOKS)).status == 429

    with_app(peopled_sqlite, ask, is_always_200=True, throttle=Still(1))


def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_read(peopled_sqlite: Peopled) -> None:
    def never() -> Any:
        raise AssertionError("the body was read")
        yield b""

    async def ask(app: Opened) -> None:
        for path, bytes_max in (("/v1/book/add", limits.JSON_BODY_BYTES_MAX), ("/v1/book/upload", 10_000_000)):
            headers = [
                *app.credentials("one").items(),
                ("Content-Type", "multipart/form-data; boundary=b"),
                ("Content-Length", str(bytes_max + 1)),
            ]
            answer = await call(app.app, "POST", path, headers, never())
            assert (answer.status, answer.json()["status"]) == (413, 413)

    with_app(peopled_sqlite, ask)


def test_an_empty_piece_of_a_body_is_not_its_end(peopled_sqlite: Peopled) -> None:
    pieces = iter([b"", b"a", b"", b"b"])

    async def comes() -> Message:
        piece = next(pieces)
        return {"type": "http.request", "body": piece, "more_body": piece != b"b"}

    async def ask(app: Opened) -> None:
        request = Request({"headers": []}, comes, app.context)
        assert [piece async for piece in wire.read_chunks(request, 1_000, 60_000)] == [b"a", b"b"]
        assert await wire.read_body(request) == b""

    with_app(peopled_sqlite, ask)


async def never_comes() -> Message:
    await asyncio.Event().wait()
    raise AssertionError("nothing sets it")


def test_a_body_that_comes_too_slowly_is_refused(peopled_sqlite: Peopled) -> None:
    async def ask(app: Opened) -> None:
        with pytest.raises(RequestTimeout):
            await anext(wire.read_chunks(Request({"headers": []}, never_comes, app.context), 1_000, 0))

    with_app(peopled_sqlite, ask)


def test_every_answer_is_safe_to_keep_nowhere(peopled_sqlite: Peopled) -> None:
    async def ask(app: Opened) -> None:
        for path in (BOOKS, "/v1/nowhere", "/health/live", "/openapi.json", "/reference"):
            headers = (await get(app, path)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert headers["cache-control"] == "no-store"
            assert "server" not in headers
        page = await get(app, "/reference", "nobody")
        assert page.status == 200
        assert page.headers["content-security-policy"].startswith("default-src 'none'")
        assert (await get(app, "/openapi.json", "nobody")).json()["openapi"] == "3.1.1"

    with_app(peopled_sqlite, ask)


class Still(Throttle):
    """A throttle whose clock stands still, so that a slow machine fills no bucket."""

    def admit(self, organization_id: str, now_ms: int) -> None:
        super().admit(organization_id, 0)
