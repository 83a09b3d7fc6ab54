"""Golden requests and answers from the contract, against the whole web edge in process over a real database."""

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from bookbell.receiver import verify
from contract.cases import METHODS, PAGE, Case, introduction, load_all, page
from contract.patterns import differences
from in_process import Opened, Peopled, file_of, opened
from receivers import Receiver

CASES = load_all()
RUNS = [pytest.param(case, "sqlite", id=f"{case.id} (sqlite)") for case in CASES]
RUNS += [pytest.param(case, "postgresql", id=f"{case.id} (postgresql)") for case in CASES if case.is_on_both]

Kept = dict[str, Any]


@pytest.mark.parametrize(("case", "kind"), RUNS)
def test_golden(case: Case, kind: str, request: pytest.FixtureRequest) -> None:
    peopled: Peopled = request.getfixturevalue(f"peopled_{kind}")
    asyncio.run(play(case, peopled))


def test_the_page_of_the_contract_lists_every_case() -> None:
    is_fresh = PAGE.read_text() == page(introduction(), CASES)
    assert is_fresh, "docs/contract.md is stale: run `python tests/contract/cases.py`"


async def play(case: Case, peopled: Peopled) -> None:
    """The given requests in order, then the request, and what came back and what was received."""
    with receiving(case.receiver) as receiver:
        kept = known(peopled)
        if receiver is not None:
            kept |= {"receiver": receiver.url, "receiver_host": f"127.0.0.1:{receiver.port}"}
        async with opened(peopled) as app:
            for given in case.given:
                await prepare(app, given, kept)
            if receiver is not None:
                receiver.forget()
            response = await ask(app, filled(case.request, kept))
        found = differences_of(filled(case.answer, kept), response)
        if case.received is not None and isinstance(receiver, Receiver):
            found += differences_of_received(filled(case.received, kept), receiver)
        assert found == [], "\n".join(["", *found, response.text[:4000]])


async def prepare(app: Opened, given: dict[str, Any], kept: Kept) -> None:
    """One earlier request, which must succeed; what later ones need of its answer is kept."""
    if "after_s" in given:
        app.ambient.later_ms += given["after_s"] * 1000
        return
    response = await ask(app, filled(given, kept))
    assert response.status_code == given.get("status", 200), f"{given}: {response.status_code} {response.text[:2000]}"
    for name, path in given.get("keep", {}).items():
        kept[name] = picked(response.json(), path)


async def ask(app: Opened, request: dict[str, Any]) -> httpx.Response:
    """Make a request as a case writes it."""
    method = next(method for method in METHODS if method in request)
    headers = {**app.credentials(request.get("as", "one")), **request.get("headers", {})}
    given: dict[str, Any] = {"headers": headers}
    if "json" in request:
        given["json"] = request["json"]
    if "form" in request:
        given["data"] = request["form"]
    if "body" in request:
        given["content"] = request["body"].encode()
    if "multipart" in request or "files" in request:
        given["files"] = parts_of(request)
    return await app.client.request(method.upper(), request[method], **given)


def parts_of(request: dict[str, Any]) -> list[tuple[str, Any]]:
    """The parts of a multipart form: fields (a list repeats one), then files."""
    parts: list[tuple[str, Any]] = []
    for name, value in request.get("multipart", {}).items():
        parts += [(name, (None, str(each))) for each in (value if isinstance(value, list) else [value])]
    for name, recipe in request.get("files", {}).items():
        parts += [(name, file_of(each)) for each in (recipe if isinstance(recipe, list) else [recipe])]
    return parts


def differences_of(expected: dict[str, Any], response: httpx.Response) -> list[str]:
    """Where the answer is not as expected."""
    found = differences(expected["status"], response.status_code, "status")
    if "json" in expected:
        kind = response.headers.get("content-type", "")
        found += differences("application/json", kind.partition(";")[0], "content-type")
        found += differences(expected["json"], response.json() if response.content else None)
    if "text" in expected:
        found += differences(expected["text"], response.text)
    for name, value in expected.get("headers", {}).items():
        found += differences(value, response.headers.get(name), f"header {name}")
    return found


def differences_of_received(expected: list[dict[str, Any]], receiver: Receiver) -> list[str]:
    """Where what was received is not as expected. signed_with: the secret that a request's signature is made with."""
    arrived: list[dict[str, Any]] = []
    for index, (path, headers, body) in enumerate(receiver.requests):
        arrived.append({"path": path, "headers": headers, "json": json.loads(body)})
        if index < len(expected) and "signed_with" in expected[index]:
            verify(headers, body, expected[index]["signed_with"])
            arrived[-1]["signed_with"] = expected[index]["signed_with"]
    return differences(expected, arrived, "received")


def filled(value: Any, kept: Kept) -> Any:
    """The same value with `$name` replaced: by the kept value itself where it is the whole text."""
    match value:
        case str():
            whole = re.fullmatch(r"\$(\w+)", value)
            return kept[whole[1]] if whole else re.sub(r"\$(\w+)", lambda found: str(kept[found[1]]), value)
        case list():
            return [filled(each, kept) for each in value]
        case dict():
            return {filled(name, kept): filled(each, kept) for name, each in value.items()}
    return value


def picked(value: Any, path: str) -> Any:
    """The part of an answer at a dotted path; a number picks from a list."""
    for step in path.split("."):
        value = value[int(step) if isinstance(value, list) else step]
    return value


def known(peopled: Peopled) -> Kept:
    """What every case may name: `$one_id`, `$one_client_id`, `$one_secret` and so on, for each of the cast."""
    kept: Kept = {}
    for name, member in peopled.cast.items():
        account = member.account
        kept |= {
            f"{name}_id": account.id,
            f"{name}_organization": account.organization_id,
            f"{name}_client_id": account.client_id,
            f"{name}_email": account.email,
            f"{name}_secret": member.secret,
        }
    return kept


class Away:
    """An address of loopback where nobody listens."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"

    def forget(self) -> None:
        """There is nothing to forget."""


@contextlib.contextmanager
def receiving(wanted: int | str | None) -> Iterator[Receiver | Away | None]:
    """A receiver that answers with this status, `away` for none that listens."""
    if wanted is None:
        yield None
    elif wanted == "away":
        yield Away()
    else:
        with Receiver(int(wanted)) as receiver:
            yield receiver
