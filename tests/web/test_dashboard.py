"""The operator's pages: for the operator only, harmless whatever strangers wrote, and right."""

import asyncio
import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser

import httpx
import pytest
from sqlalchemy import update

from bookbell.actions import webhooks
from bookbell.actions.stamp import Stamp
from bookbell.core import limits
from bookbell.core.circuit import CLOSED, Circuit
from bookbell.core.policy import PRESETS
from bookbell.store import circuits
from bookbell.store.accounts import find_organization
from bookbell.store.circuits import Notice
from bookbell.store.database import Tx
from bookbell.store.endpoints import Endpoint
from bookbell.store.schema import deliveries, endpoints, organizations
from bookbell.web.dashboard.markup import joined, span, tag
from bookbell.web.dashboard.webhook import rule
from bygone import ATTEMPT, keep_attempts
from in_process import OPERATOR_TOKEN, Peopled, opened
from web.routes_of import NOBODYS_ID
from world import World, new_id, seal

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
LAST_HOUR_MS = 3_600_000


def world_of(peopled: Peopled, who: str = "one") -> World:
    found = peopled.database.read_now(find_organization, peopled.cast[who].account.organization_id)
    assert found is not None
    return World(peopled.database, found)


def hooked(peopled: Peopled, who: str = "one", count: int = 2, *, url: str = "http://127.0.0.1:9/hook") -> Endpoint:
    """A webhook of this account with so many deliveries that wait."""
    world, account = world_of(peopled, who), peopled.cast[who].account
    endpoint = world.webhook(account, "DOC_VERIFIED", url=url)
    if count:
        world.publish(account, count)
    return endpoint


def address(endpoint: Endpoint) -> str:
    return f"/dashboard/organizations/{endpoint.organization_id}/endpoints/{endpoint.id}"


def ask(
    peopled: Peopled, *paths: str, auth: tuple[str, str] | None = ("anybody", OPERATOR_TOKEN)
) -> list[httpx.Response]:
    """What these paths answer a browser."""

    async def run() -> list[httpx.Response]:
        async with opened(peopled) as app:
            return [await app.client.get(path, auth=auth) for path in paths]

    return asyncio.run(run())


def shown(peopled: Peopled, path: str) -> str:
    (answer,) = ask(peopled, path)
    assert answer.status_code == 200, answer.text
    return answer.text


class Seen(HTMLParser):
    """The elements of a page that is closed as it was opened, its text and its links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag != "meta":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(
    ("auth", "status"),
    [
        (None, 401),
        (("operator", "wrong"), 401),
        (("operator", ""), 401),
        (("client-manager", "secret-of-manager"), 401),
        (("operator", "pipeline-token"), 401),
        (("operator", OPERATOR_TOKEN), 200),
        (("", OPERATOR_TOKEN), 200),
    ],
)
def test_only_the_operator_sees_the_pages_and_a_browser_asks(
    peopled_sqlite: Peopled, auth: tuple[str, str] | None, status: int
) -> None:
    endpoint = hooked(peopled_sqlite)
    where = address(endpoint)
    for answer in ask(peopled_sqlite, "/dashboard", where.partition("/endpoints")[0], where, auth=auth):
        assert answer.status_code == status
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-store"
        is_asked = 'Basic realm="bookbell operator"' if status == 401 else None
        assert answer.headers.get("WWW-Authenticate") == is_asked
        assert (endpoint.id in answer.text) == (status == 200)


@pytest.mark.parametrize("header", [f"Bearer {OPERATOR_TOKEN}", "Basic ???", "Basic", "Basic b3BlcmF0b3I="])
def test_anything_but_basic_with_a_password_is_asked_again(peopled_sqlite: Peopled, header: str) -> None:
    async def run() -> httpx.Response:
        async with opened(peopled_sqlite) as app:
            return await app.client.get("/dashboard", headers={"Authorization": header})

    assert asyncio.run(run()).status_code == 401


def test_a_page_loads_and_runs_nothing_and_its_style_is_the_one_allowed(peopled_sqlite: Peopled) -> None:
    (answer,) = ask(peopled_sqlite, address(hooked(peopled_sqlite)))
    policy = answer.headers["Content-Security-Policy"]
    style = answer.text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'; ")
    seen = Seen(answer.text)
    assert seen.tags.isdisjoint({"script", "link", "img", "iframe", "form", "object", "base"})
    assert seen.attributes.isdisjoint({"src", "style", "onclick"})
    assert all(each.startswith("/dashboard") for each in seen.links)


def test_whatever_strangers_wrote_is_text(peopled: Peopled) -> None:
    endpoint = hooked(peopled, url=f"https://a.example/{HOSTILE}")

    def write(tx: Tx) -> str:
        tx.execute(update(organizations).values(name=organizations.c.id + HOSTILE))
        delivery = tx.execute(deliveries.select()).first()  # there are two
        assert delivery is not None
        delivery_id: str = delivery.id
        attempt = ATTEMPT._replace(organization_id=endpoint.organization_id, delivery_pk=delivery.pk, is_stale=True)
        attempt = attempt._replace(outcome=HOSTILE[:60], detail=HOSTILE, worker=HOSTILE, remote_address=HOSTILE)
        keep_attempts(tx, [attempt])
        tx.execute(update(deliveries).where(deliveries.c.id == delivery_id).values(reason=HOSTILE))
        notice = Notice(
            id=new_id(),
            organization_id=endpoint.organization_id,
            endpoint_id=endpoint.id,
            kind="disabled",
            detail=HOSTILE,
            created_at=1,
        )
        circuits.insert_notices(tx, [notice])
        return delivery_id

    delivery_id = peopled.database.write_now(write)
    where = address(endpoint)
    paths = ["/dashboard", where.partition("/endpoints")[0], where, f"{where}/deliveries/{delivery_id}"]
    for path in paths:
        page = shown(peopled, path)
        assert "alert(1)" in Seen(page).text, path
        assert Seen(page).tags.isdisjoint({"script", "img"}), path


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/dashboard/organizations/{NOBODYS_ID}", 404),
        (f"/dashboard/organizations/{NOBODYS_ID}/endpoints/{NOBODYS_ID}", 404),
        ("/dashboard/organizations/<script>/endpoints/<script>/deliveries/<script>", 404),
        ("/dashboard/organizations/%00", 400),
        ("/dashboard?after=a&after=b", 400),
    ],
)
def test_what_is_not_there_or_not_asked_rightly_is_answered_by_a_page(
    peopled_sqlite: Peopled, path: str, status: int
) -> None:
    (answer,) = ask(peopled_sqlite, path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert Seen(answer.text).tags.isdisjoint({"script"})


def test_a_webhook_and_its_deliveries_are_found_under_their_organization_only(peopled: Peopled) -> None:
    mine, other = hooked(peopled, "one"), hooked(peopled, "other")
    foreign = f"/dashboard/organizations/{other.organization_id}/endpoints/{mine.id}"
    listed = [each for each in Seen(shown(peopled, address(mine))).links if "/deliveries/" in each]
    assert len(listed) == 2
    delivery_id = listed[0].rpartition("/")[2]
    wrong = [foreign, f"{foreign}/deliveries/{delivery_id}", f"{address(other)}/deliveries/{delivery_id}"]
    wrong.append(f"{address(mine)}/deliveries/{NOBODYS_ID}")
    assert [answer.status_code for answer in ask(peopled, *wrong)] == [404] * 4
    part = shown(peopled, f"/dashboard/organizations/{other.organization_id}")
    assert other.id in part
    assert mine.id not in part


def test_the_list_tells_how_every_webhook_is_doing(peopled: Peopled) -> None:
    down, fine = hooked(peopled, "one", 3), hooked(peopled, "other", 0)

    def open_circuit(tx: Tx) -> None:
        opened_at = 1_750_000_000_000
        circuit = Circuit(failure_count=10, failing_since=opened_at, opened_at=opened_at, probe_at=opened_at)
        circuits.save_circuits(tx, [(down.lane_pk, 0, circuit)])

    peopled.database.write_now(open_circuit)
    seen = Seen(shown(peopled, "/dashboard"))
    assert "paused: 10 failures in a row since 2025-06-15 15:06, next probe now" in seen.text
    assert "delivering" in seen.text
    assert {address(down), address(fine)} <= set(seen.links)
    whole = Seen(shown(peopled, address(down)))
    assert "10 failures in a row opened it; probes go out after 5 s" in whole.text
    assert "Disabled without a success by" in whole.text


def test_a_webhook_that_its_organization_has_deactivated_is_shown_as_such(peopled_sqlite: Peopled) -> None:
    endpoint = hooked(peopled_sqlite)
    peopled_sqlite.database.write_now(
        lambda tx: tx.execute(update(endpoints).where(endpoints.c.id == endpoint.id).values(deactivated_at=1)).rowcount
    )
    assert "inactive: its organization has deactivated it" in shown(peopled_sqlite, address(endpoint))


def test_a_webhook_that_is_not_registered_any_more_is_not_shown(peopled_sqlite: Peopled) -> None:
    endpoint, account = hooked(peopled_sqlite), peopled_sqlite.cast["one"].account
    peopled_sqlite.database.write_now(webhooks.deregister, account, Stamp(peopled_now(), new_id))
    assert endpoint.id not in shown(peopled_sqlite, "/dashboard")
    assert ask(peopled_sqlite, address(endpoint))[0].status_code == 404


def test_lists_go_on_page_by_page(peopled: Peopled, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = hooked(peopled, "one", 3)
    monkeypatch.setattr(limits, "PAGE_COUNT_DEFAULT", 2)
    monkeypatch.setattr(limits, "DASHBOARD_ORGANIZATION_COUNT", 1)
    monkeypatch.setattr(limits, "DASHBOARD_WEBHOOK_COUNT", 1)
    hooked(peopled, "two", 0)

    def further(path: str, mark: str) -> list[str]:
        return [each for each in Seen(shown(peopled, path)).links if mark in each]

    (older,) = further(address(endpoint), "?before=")
    assert len(further(older, "/deliveries/")) == 1
    assert further(older, "?before=") == []
    (second,) = further("/dashboard", "?after=")
    assert "QuickLend" in shown(peopled, second)
    assert further(second, "?after=") == []
    assert "All webhooks of PennyMae" in shown(peopled, "/dashboard")


def test_a_ledger_counts_the_last_day_up_to_a_bound(peopled: Peopled, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = hooked(peopled, "one", 0)
    world, now = world_of(peopled), peopled_now()
    account = peopled.cast["one"].account
    for uuid in world.documents(account, world.book(account), 3):
        world.verify(uuid)
    assert re.search(r"<b>0</b>matched", shown(peopled, address(endpoint)))

    def move(tx: Tx) -> None:
        for number, row in enumerate(tx.execute(deliveries.select()).all()):
            at = f"{now - LAST_HOUR_MS + number:012x}"
            values = {"id": f"{at[:8]}-{at[8:]}{row.id[13:]}"}
            tx.execute(update(deliveries).where(deliveries.c.id == row.id).values(values))

    peopled.database.write_now(move)
    assert re.search(r"<b>3</b>matched.*<b>3</b>pending", shown(peopled, address(endpoint)))
    monkeypatch.setattr(limits, "DASHBOARD_LEDGER_ROWS_MAX", 1)
    assert "There were more: these are the newest 2." in shown(peopled, address(endpoint))


def peopled_now() -> int:
    from bookbell.ambient import RealAmbient

    return RealAmbient().now_ms()


def test_a_policy_shows_its_schedule_as_times(peopled_sqlite: Peopled) -> None:
    account = peopled_sqlite.cast["one"].account
    wanted = webhooks.Wanted(url="http://127.0.0.1:9/", masked="http://127.0.0.1:9/", event_types=(), preset="ocrolus")
    stamp = Stamp(peopled_now(), new_id)
    endpoint = peopled_sqlite.database.write_now(webhooks.configure, account, wanted, seal, stamp).value
    page = shown(peopled_sqlite, address(endpoint))
    assert page.count("after 3 min") == 3
    assert len(re.findall(r"<li>\d\d:\d\d:\d\d", page)) == 4
    assert "The policy has no circuit" in page


def test_the_rule_of_a_circuit_says_why_it_is_as_it_is() -> None:
    policy = PRESETS["standard"]
    opened_ = Circuit(failure_count=1, opened_at=1)
    assert rule(CLOSED, policy) == "10 failures in a row would open it."
    assert rule(opened_, policy).startswith("A failure while it recovered opened it again, or ")
    assert rule(replace(opened_, failure_count=12), policy).startswith("10 failures in a row opened it; ")
    assert rule(replace(opened_, failure_count=0), policy).startswith("The receiver asked for a pause; ")
    assert "up to 16" in rule(Circuit(allowance=2), policy)
    assert rule(CLOSED, PRESETS["ocrolus"]).startswith("The policy has no circuit: ")


def test_markup_escapes_everything_but_markup() -> None:
    assert tag("p", "<&>", tag("b", 1), None, title='"') == '<p title="&quot;">&lt;&amp;&gt;<b>1</b></p>'
    assert joined(["<", tag("br")]) == "&lt;<br>"
    assert [span(each) for each in (0, 999, 61_000, 3_600_000, 90_000_000)] == [
        "0 ms",
        "999 ms",
        "1 min 1 s",
        "1 h",
        "1 d 1 h",
    ]
