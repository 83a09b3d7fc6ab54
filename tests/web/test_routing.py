"""Which route a path leads to, and what is answered where none does."""

import asyncio

import pytest

from bookbell.web.http import Request, Response
from bookbell.web.routing import Route, find, get, post, tree_of
from in_process import Peopled, opened
from raw_asgi import Answer, call


async def _answer(_request: Request) -> Response:
    return Response(b"")


def route(path: str, method: str = "GET") -> Route:
    return (get if method == "GET" else post)(path, opt={})(_answer)


BOOKS, ONE, NEW, PAGE = (
    route("/books"),
    route("/books/{id:str}"),
    route("/books/new"),
    route("/books/{id:str}/p/{n:str}"),
)
TREE = tree_of([BOOKS, route("/books", "POST"), ONE, NEW, PAGE, route("/{any:str}/new/p")])

CASES = [
    ("/books", BOOKS, {}),
    ("/books/", BOOKS, {}),
    ("//books", BOOKS, {}),
    ("/books/17", ONE, {"id": "17"}),
    ("/books/new", NEW, {}),
    ("/books/{id:str}", ONE, {"id": "{id:str}"}),
    ("/books/new/p/2", PAGE, {"id": "new", "n": "2"}),
    ("/books/a/p/p", PAGE, {"id": "a", "n": "p"}),
]
NOWHERE = ["/", "", "/book", "/books/17/p", "/books/17/q/1", "/books/17/p/1/2", "/Books", "/x/new", "/a" * 10_000]


@pytest.mark.parametrize(("path", "route", "named"), CASES)
def test_a_path_leads_to_its_route(path: str, route: Route, named: dict[str, str]) -> None:
    found = find(TREE, path)
    assert found is not None
    node, values = found
    led_to, names = node.by_method["GET"]
    assert led_to is route
    assert dict(zip(names, values, strict=True)) == named


@pytest.mark.parametrize("path", NOWHERE)
def test_another_path_leads_nowhere(path: str) -> None:
    assert find(TREE, path) is None


def test_a_part_that_is_tried_in_vain_leaves_no_value() -> None:
    found = find(TREE, "/other/new/p")
    assert found is not None
    assert found[1] == ["other"]


def ask(peopled: Peopled, method: str, path: str) -> Answer:
    async def run() -> Answer:
        async with opened(peopled) as app:
            return await call(app.app, method, path)

    return asyncio.run(run())


def test_a_method_that_a_path_does_not_know_is_told_which_it_knows(peopled_sqlite: Peopled) -> None:
    for method in ("HEAD", "PATCH", "BREW"):
        answer = ask(peopled_sqlite, method, "/v1/account/settings/webhook/policy")
        assert (answer.status, answer.headers["allow"]) == (405, "GET, PUT, OPTIONS")


def test_options_are_told_without_a_body(peopled_sqlite: Peopled) -> None:
    answer = ask(peopled_sqlite, "OPTIONS", "/v1/book/add")
    assert (answer.status, answer.headers["allow"], answer.body) == (204, "POST, OPTIONS", b"")
    assert not {"content-length", "content-type"} & answer.headers.keys()
