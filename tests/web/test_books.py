"""What settings change about books: whether they are public, and the shape of their list (contract C15)."""

import asyncio
from dataclasses import replace

from in_process import Opened, Peopled, opened


def test_a_list_with_a_limit_is_a_page_where_the_setting_says_so(peopled_sqlite: Peopled) -> None:
    async def run() -> None:
        async with opened(peopled_sqlite) as app:
            app.app.context = replace(app.context, are_books_paginated=True)
            for name in ("a", "b", "c"):
                await add(app, name)
            response = await app.client.get("/v1/books?limit=1&offset=1&order=ASC", headers=app.credentials("one"))
            page = response.json()["response"]
            assert page.keys() == {"limit", "books", "total_book_count", "_links"}
            assert (page["limit"], page["total_book_count"]) == (1, 3)
            assert [book["name"] for book in page["books"]] == ["b"]
            assert page["_links"] == {
                "next": "/v1/books?order=ASC&limit=1&offset=2",
                "prev": "/v1/books?order=ASC&limit=1&offset=0",
            }
            response = await app.client.get("/v1/books", headers=app.credentials("one"))
            assert len(response.json()["response"]) == 3

    asyncio.run(run())


def test_a_book_is_public_without_a_word_where_the_setting_says_so(peopled_sqlite: Peopled) -> None:
    async def run() -> None:
        async with opened(peopled_sqlite) as app:
            app.app.context = replace(app.context, are_books_public=True)
            assert (await add(app, "a"))["is_public"] is True
            assert (await add(app, "b", is_public=False))["is_public"] is False

    asyncio.run(run())


async def add(app: Opened, name: str, **fields: bool) -> dict[str, object]:
    response = await app.client.post("/v1/book/add", json={"name": name, **fields}, headers=app.credentials("one"))
    found: dict[str, object] = response.json()["response"]
    return found
