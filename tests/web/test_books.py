"""Books: what settings change (whether they are public, the shape of their list, C15), empty fields, explanations."""

import asyncio
from dataclasses import replace

from in_process import Opened, Peopled, file_of, opened


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


def test_an_empty_field_is_none(peopled_sqlite: Peopled) -> None:
    async def run() -> None:
        async with opened(peopled_sqlite) as app:
            headers = app.credentials("one")
            pk = (await add(app, "a", xid=""))["pk"]
            for query in ("name=&limit=&xid=", "name=&search=a", "name=a&search="):
                (book,) = (await app.client.get(f"/v1/books?{query}", headers=headers)).json()["response"]
                assert (book["pk"], book["xid"]) == (pk, None)
            fields = {"pk": str(pk), "name": "", "book_class": "", "book_type": ""}
            answer = await app.client.post("/v1/book/update", data=fields, headers=headers)
            assert answer.json()["code"] == 1103

    asyncio.run(run())


def test_a_rejection_is_explained_with_the_name_of_the_file_as_it_is(peopled_sqlite: Peopled) -> None:
    async def run() -> None:
        async with opened(peopled_sqlite) as app:
            form = {"pk": str((await add(app, "a"))["pk"])}
            upload = {"upload": file_of("pdf")}
            answer = await app.client.post("/v1/book/upload", data=form, files=upload, headers=app.credentials("one"))
            (document,) = answer.json()["response"]["uploaded_docs"]
            report = {"status": "REJECTED", "reason": "DOCUMENT DUPLICATE OF Jan_MMXX.pdf"}
            path = f"/platform/v1/documents/{document['uuid']}/status"
            await app.client.post(path, json=report, headers=app.credentials("pipeline"))
            shown = await app.client.get("/v1/book/status", params=form, headers=app.credentials("one"))
            (document,) = shown.json()["response"]["docs"]
            assert document["rejection_reason_description"] == "Document duplicate of Jan_MMXX.pdf."

    asyncio.run(run())


async def add(app: Opened, name: str, **fields: bool | str) -> dict[str, object]:
    response = await app.client.post("/v1/book/add", json={"name": name, **fields}, headers=app.credentials("one"))
    found: dict[str, object] = response.json()["response"]
    return found
