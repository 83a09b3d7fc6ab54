"""The table of the guard's cases, played through every way to a receiver: saving, testing and sending say the same."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import yaml

from bookbell.actions import webhooks
from bookbell.core.attempt import Answered, Report, Request, Timings
from bookbell.core.circuit import Circuit
from bookbell.core.errors import InvalidInput
from bookbell.core.guard import GuardRules, judge_url
from bookbell.core.model import Level
from bookbell.core.target import parse
from bookbell.delivery.lane import Destination
from bookbell.delivery.worker import open_destination
from bookbell.store.configs import LaneConfig
from bookbell.store.endpoints import Endpoint
from bookbell.web.app import App
from bookbell.web.routes import ROUTES
from in_process import Opened, Peopled, opened

SETTINGS = "/v1/account/settings"
STRICT = GuardRules()
URLS = yaml.safe_load((Path(__file__).parent.parent / "core" / "guard_cases.yaml").read_text())["urls"]


def strictly(peopled: Peopled, play: Any) -> None:
    """Run against an application that allows nothing, and whose receivers all answer 200 without being called."""

    async def run() -> None:
        async with opened(peopled) as app:
            sent: list[Request] = []

            async def send(request: Request) -> Report:
                sent.append(request)
                return Report(Answered(200), Timings())

            context = replace(app.context, guard=STRICT, send=send)
            transport = httpx.ASGITransport(App(context, ROUTES))
            async with httpx.AsyncClient(transport=transport, base_url="http://bookbell.test") as client:
                await play(replace(app, client=client, context=context), sent)

    asyncio.run(run())


async def put_into_the_database(app: Opened, url: str) -> Endpoint:
    """Register this URL behind the back of the checks, as if it had been allowed once."""
    wanted = webhooks.Wanted(url=url, masked="-", event_types=("BOOK_VERIFIED",), preset="standard")
    account = app.cast["one"].account
    return await app.context.perform(webhooks.configure, account, wanted, app.context.vault.seal, app.context.stamp())


def destination_of(app: Opened, endpoint: Endpoint) -> Destination:
    """What the worker makes of the endpoint before it sends."""
    config = LaneConfig(
        lane_pk=endpoint.lane_pk,
        organization_id=endpoint.organization_id,
        endpoint_id=endpoint.id,
        account_id=endpoint.account_id,
        level=Level.ACCOUNT,
        epoch=1,
        url_sealed=endpoint.url_sealed,
        secret_sealed=None,
        policy=endpoint.policy,
        updated_at=endpoint.updated_at,
        closed_at=None,
        disabled_at=None,
        next_due_at=0,
        discard_at=None,
        paused_at=None,
        resumed_at=None,
        circuit=Circuit(),
        is_spent=False,
    )
    return open_destination(config, app.context.vault, app.context.guard)


def test_saving_refuses_what_the_table_refuses_and_takes_the_rest(peopled_sqlite: Peopled) -> None:
    async def play(app: Opened, _sent: list[Request]) -> None:
        by = app.credentials("one")
        for url, expected in URLS:
            form = {"webhook_endpoint": url, "event": ["BOOK_VERIFIED"]}
            answer = await app.client.post(f"{SETTINGS}/update/webhook_endpoint", json=form, headers=by)
            assert answer.status_code == (200 if expected == "public" else 400), (url, answer.text)
            if expected not in {"public", "malformed"}:
                assert rule_in(answer.text) == expected, (url, answer.text)

    strictly(peopled_sqlite, play)


def test_saving_an_org_level_webhook_refuses_the_same(peopled_sqlite: Peopled) -> None:
    async def play(app: Opened, _sent: list[Request]) -> None:
        by = app.credentials("manager")
        for url, expected in URLS:
            form = {"webhook": {"url": url}, "event_names": ["book.verified"]}
            answer = await app.client.post(f"{SETTINGS}/webhook", json=form, headers=by)
            is_taken = answer.status_code == 200
            assert is_taken == (expected == "public" and not is_stricter_there(url)), (url, answer.text)
            if is_taken:
                uuid = answer.json()["response"]["uuid"]
                gone = await app.client.delete(f"{SETTINGS}/webhook/{uuid}/delete", headers=by)
                assert gone.status_code == 200

    strictly(peopled_sqlite, play)


def test_testing_and_sending_refuse_what_saving_refuses_in_the_same_words(peopled_sqlite: Peopled) -> None:
    async def play(app: Opened, sent: list[Request]) -> None:
        by = app.credentials("one")
        for url, expected in URLS:
            if expected == "malformed":
                continue
            endpoint = await put_into_the_database(app, url)
            sent.clear()
            answer = await app.client.get(f"{SETTINGS}/test_webhook_endpoint", headers=by)
            destination = destination_of(app, endpoint)
            refused = judge_url(parse(url), STRICT)
            assert destination.problem == refused
            if refused is None:
                assert [request.url for request in sent] == [destination.url] == [parse(url).url]
            else:
                assert sent == []
                assert answer.json()["response"]["message"].endswith(refused.detail)

    strictly(peopled_sqlite, play)


def test_a_malformed_url_in_the_database_is_never_sent_to(peopled_sqlite: Peopled) -> None:
    async def play(app: Opened, sent: list[Request]) -> None:
        for url in [url for url, expected in URLS if expected == "malformed"]:
            destination = destination_of(app, await put_into_the_database(app, url))
            assert destination.problem is not None, url
            assert destination.url == ""
            answer = await app.client.get(f"{SETTINGS}/test_webhook_endpoint", headers=app.credentials("one"))
            assert answer.status_code == 400
        assert sent == []

    strictly(peopled_sqlite, play)


def is_stricter_there(url: str) -> bool:
    """Whether the contract's own rules for org-level webhooks (8.1) refuse what the guard would let through."""
    target = parse(url)
    return ("." not in target.host and ":" not in target.host) or (target.username is not None and not target.password)


def rule_in(message: str) -> str:
    """The rule a refusal names; the one that has no remedy names itself by what it says."""
    if "is a number that is not a valid IPv4 address" in message:
        return "host_spelling"
    return message.partition("(rule ")[2].partition(")")[0]


def test_every_rule_names_itself_where_a_client_reads_it() -> None:
    for url, expected in URLS:
        try:
            refused = judge_url(parse(url), STRICT)
        except InvalidInput:
            continue
        if refused is not None:
            assert rule_in(refused.detail) == expected
