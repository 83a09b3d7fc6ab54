"""Well-formed requests that ask for what is not possible: the envelope with the right code, and nothing changes."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from bookbell.core.model import Book
from bookbell.store.accounts import find_organization
from in_process import Cast, Opened, Peopled
from raw_asgi import call
from web.refusals import assert_refused, changing_nothing, headers_of
from web.routes_of import NOBODYS_ID
from world import World

BIG = 10**30
LONG = "x" * 300
CONFIGURE = "/v1/account/settings/update/webhook_endpoint"
Attempts = list[tuple[Any, int, int]]
"""What is given, and the status and code of the refusal."""
GOOD_URL = "https://hooks.example.net/a"


def scene(peopled: Peopled) -> dict[str, Any]:
    """Books of `one` (with two documents), of `two` and of `other`, each with a webhook that has heard something."""
    made: dict[str, Any] = {}
    cast: Cast = peopled.cast
    for name in ("one", "two", "other"):
        account = cast[name].account
        organization = peopled.database.read_now(find_organization, account.organization_id)
        assert organization is not None
        world = World(peopled.database, organization)
        world.webhook(account, "DOC_VERIFIED")
        book: Book = world.book(account)
        first, second = world.documents(account, book, 2)
        world.verify(first)
        made |= {f"{name}_pk": book.pk, f"{name}_uuid": book.uuid, f"{name}_verified": first, f"{name}_doc": second}
    return made


def filled(value: Any, made: dict[str, Any]) -> Any:
    """The value with `$name` put in."""
    match value:
        case str() if value.startswith("$"):
            return made[value[1:]]
        case dict():
            return {name: filled(each, made) for name, each in value.items()}
        case list():
            return [filled(each, made) for each in value]
    return value


def with_each(given: dict[str, Any], name: str, *values: Any) -> list[dict[str, Any]]:
    """The same object with each of these values under the name."""
    return [{**given, name: value} for value in values]


def answered(status: int, code: int, *bodies: Any) -> Attempts:
    """Each of these bodies is answered with this status and code."""
    return [(body, status, code) for body in bodies]


def refuse(peopled: Peopled, who: str, request: str, attempts: Attempts) -> None:
    """Each body (or query, for a GET) is refused with this status and code, and changes nothing."""
    made = scene(peopled)
    method, path = request.split(" ")

    async def ask(app: Opened) -> None:
        for given, status, code in attempts:
            params = filled(given, made)
            target, chunks = path, [json.dumps(params).encode()]
            if method == "GET":
                target = path + "?" + "&".join(f"{name}={quote(str(value))}" for name, value in params.items())
                chunks = [b""]
            answer = await call(app.app, method, target, headers_of(app, who), chunks)
            assert_refused(answer, {status}, {code}, given)

    changing_nothing(peopled, ask)


BAD_URLS = [
    "hooks.example.net/a",
    "//hooks.example.net/a",
    "ftp://hooks.example.net/a",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "gopher://hooks.example.net/",
    "http://",
    "http:///path",
    "http://:80/",
    "https://hooks.example.net:0/",
    "https://hooks.example.net:65536/",
    "https://hooks.example.net:port/",
    "https://hooks..example.net/",
    "https://.example.net/",
    "https://exa mple.net/",
    "https://hooks.example.net/a b",
    "https://hooks.example.net/\u00a0\nx",
    "https://hooks.example.net/\r\nHost: evil",
    "https://hooks.example.net/\t",
    "https://hooks.example.net\\@evil.example/",
    "https://hooks.example.net/%zz",
    "https://hooks.example.net/%",
    "https://exa%00mple.net/",
    "https://[::1",
    "https://[nonsense]/",
    "https://" + "a" * 2_050 + ".example.net/",
    "https://localhost/",
    "https://intranet/",
    "https://10.0.0.1/",
    "https://192.168.0.1:8080/",
    "http://169.254.169.254/latest/meta-data",
    "http://[::1]/",
    "http://[fd00::1]/",
    "http://[::ffff:10.0.0.1]/",
    "http://0/",
    "http://0x0a000001/",
    "http://167772161/",
    "http://012.0.0.1/",
    "http://user%0d%0aX-Evil:%201@hooks.example.net/",
    "http://user:pass%0d%0aX-Evil:%201@hooks.example.net/",
    "http://user:pass%0a@hooks.example.net/",
    "http://user:pass%00@hooks.example.net/",
    "http://user:pass%7f@hooks.example.net/",
    "http://us%3Aer:pass@hooks.example.net/",
    "http://%ff:pass@hooks.example.net/",
    "http://user:%ed%a0%80@hooks.example.net/",
]


def test_a_url_that_cannot_be_sent_to_is_refused(peopled_sqlite: Peopled) -> None:
    attempts = [({"webhook_endpoint": url, "event": ["DOC_VERIFIED"]}, 400, 1806) for url in BAD_URLS]
    refuse(peopled_sqlite, "one", f"POST {CONFIGURE}", attempts)


@pytest.mark.parametrize("url", ["http://user%0d%0aX-Evil:%201@h.example.net/", "http://u:p%0d%0aA: b@h.example.net/"])
def test_credentials_cannot_smuggle_a_header_by_any_form_of_body(url: str, peopled_sqlite: Peopled) -> None:
    async def ask(app: Opened) -> None:
        for kind, body in (
            ("application/x-www-form-urlencoded", f"webhook_endpoint={quote(url)}&event=DOC_VERIFIED"),
            (
                "multipart/form-data; boundary=x",
                f'--x\r\nContent-Disposition: form-data; name="webhook_endpoint"\r\n\r\n{url}\r\n'
                '--x\r\nContent-Disposition: form-data; name="event"\r\n\r\nDOC_VERIFIED\r\n--x--',
            ),
        ):
            answer = await call(app.app, "POST", CONFIGURE, headers_of(app, "one", kind), [body.encode()])
            assert_refused(answer, {400}, {1806}, kind)

    changing_nothing(peopled_sqlite, ask)


def test_a_webhook_of_wrong_types_is_refused(peopled_sqlite: Peopled) -> None:
    subscribed, addressed = {"event": ["DOC_VERIFIED"]}, {"webhook_endpoint": GOOD_URL}
    urls = with_each(subscribed, "webhook_endpoint", True, 1.5, [], ["a", "b"], {})
    types = with_each(addressed, "event", 17, True, 1.5, {}, {"DOC_VERIFIED": True}, [17], [None], [["DOC_VERIFIED"]])
    unknown = with_each(
        addressed, "event", "doc_verified", "DOC VERIFIED", ["*"], [LONG], "DOC_VERIFIED;BOOK_VERIFIED"
    )
    attempts = answered(400, 1003, *urls, *types)
    attempts += answered(400, 1103, *with_each(subscribed, "webhook_endpoint", "", None))
    attempts += answered(400, 1806, *unknown, *with_each(subscribed, "webhook_endpoint", 17, BIG))
    refuse(peopled_sqlite, "one", f"POST {CONFIGURE}", attempts)


def test_a_secret_of_wrong_type_or_length_is_refused(peopled_sqlite: Peopled) -> None:
    wrong: list[Any] = ["", "x" * 15, "x" * 129, "ß" * 15, True, 1.5, {}, [], ["x" * 20, "y" * 20], 17]
    attempts = answered(400, 1003, *with_each({}, "secret_key", *wrong))
    attempts += answered(400, 1103, {}, {"secret_key": None})
    refuse(peopled_sqlite, "one", "POST /v1/account/settings/webhook/rotate-secret", attempts)


def test_a_policy_out_of_bounds_is_refused(peopled_sqlite: Peopled) -> None:
    bodies: list[dict[str, Any]] = [
        {"preset": "none"},
        {"preset": []},
        {"preset": {}},
        {"nonsense": 1},
        {"timeout_ms_total": 0},
        {"timeout_ms_total": BIG},
        {"timeout_ms_total": "5000"},
        {"timeout_ms_total": True},
        {"timeout_ms_connect": 20_000, "timeout_ms_total": 10_000},
        {"success": "often"},
        {"success": ["any_2xx"]},
        {"success": {}},
        {"schedule_ms": 5},
        {"schedule_ms": [0]},
        {"schedule_ms": [1000] * 21},
        {"schedule_ms": ["1000"]},
        {"jitter_ratio": 0.6},
        {"jitter_ratio": -0.1},
        {"jitter_ratio": "0.1"},
        {"jitter_ratio": True},
        {"is_gone_final": "yes"},
        {"in_flight_max": 0},
        {"in_flight_max": 1.5},
    ]
    attempts: Attempts = [(body, 400, 1003) for body in bodies]
    refuse(peopled_sqlite, "one", "PUT /v1/account/settings/webhook/policy", attempts)


def test_a_book_of_wrong_types_is_refused(peopled_sqlite: Peopled) -> None:
    named = {"name": "x"}
    attempts = answered(400, 1103, *with_each({}, "name", "", None))
    attempts += answered(
        400,
        1003,
        *with_each({}, "name", LONG, True, 1.5, {}, [], ["a", "b"]),
        *with_each(named, "book_class", "SOMETHING", ["COMPLETE", "INSTANT"], {}),
        *with_each(named, "book_type", "SOMETHING", {}),
        *with_each(named, "is_public", "perhaps", BIG, 17, [], {}),
        *with_each(named, "xid", LONG, {}, 1.5),
    )
    refuse(peopled_sqlite, "one", "POST /v1/book/add", attempts)


NO_BOOK: Attempts = [
    ({}, 400, 1103),
    ({"pk": "abc"}, 400, 1003),
    ({"pk": "1.0"}, 400, 1003),
    ({"pk": "1e3"}, 400, 1003),
    ({"pk": "--1"}, 400, 1003),
    ({"pk": "٣"}, 400, 1003),
    ({"pk": BIG}, 400, 1003),
    ({"pk": 2**63}, 400, 1003),
    ({"pk": -1}, 400, 1401),
    ({"pk": 0}, 400, 1401),
    ({"pk": 999_999_999_999_999_999}, 400, 1401),
    ({"book_uuid": NOBODYS_ID}, 400, 1401),
    ({"book_uuid": "no uuid at all"}, 400, 1401),
    ({"pk": "$one_pk", "book_uuid": "$one_uuid"}, 400, 1003),
    ({"pk": "$two_pk"}, 400, 2102),
    ({"book_uuid": "$two_uuid"}, 400, 2102),
    ({"pk": "$other_pk"}, 400, 1401),
    ({"book_uuid": "$other_uuid"}, 400, 1401),
]


@pytest.mark.parametrize(
    "request_line",
    [
        "GET /v1/book/status",
        "GET /v1/book/info",
        "POST /v1/book/remove",
        "POST /v1/book/analytics/async/request",
        "POST /v1/book/upload/image/done",
    ],
)
def test_a_book_that_is_not_there_or_not_ones_own_is_refused(request_line: str, peopled_sqlite: Peopled) -> None:
    refuse(peopled_sqlite, "one", request_line, NO_BOOK)


def test_other_things_that_are_not_there_or_not_ones_own_are_refused(peopled_sqlite: Peopled) -> None:
    refuse(
        peopled_sqlite,
        "one",
        "GET /v1/document/mixed/status",
        [({}, 400, 1103), ({"pk": 999}, 400, 1501), ({"pk": "x"}, 400, 1003), ({"mixed_doc_uuid": "x"}, 400, 1501)],
    )


def test_a_list_beyond_its_bounds_is_refused(peopled_sqlite: Peopled) -> None:
    attempts: Attempts = [
        (query, 400, 1003)
        for query in (
            {"limit": 0},
            {"limit": 501},
            {"limit": "many"},
            {"offset": -1},
            {"offset": BIG},
            {"order": "SIDEWAYS"},
            {"order_by": "uuid"},
            {"name": "a", "search": "b"},
        )
    ]
    refuse(peopled_sqlite, "one", "GET /v1/books", attempts)


def test_lists_of_deliveries_and_events_beyond_their_bounds_are_refused(peopled_sqlite: Peopled) -> None:
    async def ask(app: Opened) -> None:
        for query in ("state=lost", "state=", "limit=0", "limit=501", "limit=x", "book_pk=x"):
            answer = await call(app.app, "GET", f"/v1/deliveries?{query}", headers_of(app, "one"))
            assert_refused(answer, {400}, {1003}, query)
        ordered = ("since=1h", "event=BOOK_VERIFIED", "book_pk=1", "subscribed=yes", "wait_s=1", "order=DESC&since=1h")
        for query in ("limit=0", "limit=501", "limit=x", *ordered):
            answer = await call(app.app, "GET", f"/v1/events?{query}", headers_of(app, "one"))
            assert_refused(answer, {400}, {1003}, query)

    changing_nothing(peopled_sqlite, ask)


def test_filters_longer_than_anything_they_could_find_are_refused(peopled: Peopled) -> None:
    many = ",".join(f"type{number}" for number in range(66_000))  # no database takes a statement with so many values
    attempts = (
        ("GET /v1/events", {"order": "ASC", "event": many}),
        ("POST /v1/replays", {"select": "delivered", "since": "1h", "event": many}),
        ("POST /v1/replays", {"select": "delivered", "since": "1h", "event": many.split(",")}),
        ("GET /v1/books", {"search": "%" * 60_000}),
    )

    async def ask(app: Opened) -> None:
        for request, given in attempts:
            method, path = request.split(" ")
            answer = await call(app.app, method, path, headers_of(app, "one"), [json.dumps(given).encode()])
            assert_refused(answer, {400}, {1003}, request)

    scene(peopled)
    changing_nothing(peopled, ask)


def test_a_replay_of_a_book_that_no_number_can_name_is_refused(peopled_sqlite: Peopled) -> None:
    attempts: Attempts = [({"since": "1h", "book_pk": pk}, 400, 1003) for pk in (-1, 2**53)]
    refuse(peopled_sqlite, "one", "POST /v1/replays", attempts)


def test_a_delivery_of_somebody_else_is_not_found(peopled_sqlite: Peopled) -> None:
    scene(peopled_sqlite)

    async def ask(app: Opened) -> None:
        found = await call(app.app, "GET", "/v1/deliveries", headers_of(app, "one"))
        (delivery,) = found.json()["response"]["deliveries"]
        for who in ("two", "manager", "other"):
            for method, path in (("GET", ""), ("POST", "/retry")):
                target = f"/v1/deliveries/{delivery['id']}{path}"
                answer = await call(app.app, method, target, headers_of(app, who))
                assert_refused(answer, {404}, {1100}, who)

    changing_nothing(peopled_sqlite, ask)


def test_an_organization_of_wrong_types_is_refused(peopled_sqlite: Peopled) -> None:
    names = with_each({}, "name", "", " ", LONG, "a\nb", "a\tb", 17, None, [], {}, True)
    attempts = answered(400, 1003, {}, {"name": "x", "more": 1}, *names)
    attempts += answered(400, 1100, {"name": "PennyMae"})
    refuse(peopled_sqlite, "operator", "POST /platform/v1/organizations", attempts)


def test_an_account_of_wrong_types_is_refused(peopled_sqlite: Peopled) -> None:
    organization = peopled_sqlite.cast["one"].account.organization_id
    named = {"name": "x"}
    attempts = answered(
        400,
        1003,
        *with_each({}, "name", "", None, LONG, 17),
        *with_each(named, "role", "emperor", 1, None),
        *with_each(named, "email", 17, LONG, "a\nb"),
        {**named, "client_id": "mine"},
    )
    attempts += answered(400, 1100, *with_each(named, "email", "one@lender.example", "client-two"))
    refuse(peopled_sqlite, "operator", f"POST /platform/v1/organizations/{organization}/accounts", attempts)


def test_an_account_is_revoked_in_its_own_organization_only(peopled_sqlite: Peopled) -> None:
    one, other = peopled_sqlite.cast["one"].account, peopled_sqlite.cast["other"].account

    async def ask(app: Opened) -> None:
        target = f"/platform/v1/organizations/{other.organization_id}/accounts/{one.id}/revoke"
        assert_refused(await call(app.app, "POST", target, headers_of(app, "operator")), {404}, {1399}, target)

    changing_nothing(peopled_sqlite, ask)


def test_a_report_of_wrong_types_is_refused(peopled_sqlite: Peopled) -> None:
    document = {"subject": "document", "uuid": "$one_doc"}
    cut = {"subject": "classified", "uuid": "x"}
    items: list[Any] = [
        17,
        {},
        document,
        {"subject": "book", "uuid": "x", "status": "VERIFIED"},
        {"subject": "document", "status": "VERIFYING"},
        {"subject": "analytics_request", "id": "x", "status": "COMPLETED", "result": []},
        {**document, "status": "VERIFYING", "more": 1},
        *with_each(document, "status", "SOMETHING", "verifying", 17, None, ["VERIFYING"]),
        *with_each({**document, "status": "REJECTED"}, "reason", "", LONG, 17),
        *with_each(cut, "documents", [], {}, [17], [{}] * 501, [{"name": LONG}], [{"more": 1}]),
        *[{**cut, "documents": [{"page_count": count}]} for count in (0, 3001, BIG, "1", 1.5)],
    ]
    batches: list[Any] = [[], {}, None, [{**document, "status": "VERIFYING"}] * 501, *[[item] for item in items]]
    attempts = answered(400, 1003, {}, *with_each({}, "reports", *batches))
    refuse(peopled_sqlite, "pipeline", "POST /platform/v1/reports", attempts)


def test_a_move_that_is_not_possible_is_refused_with_what_is(peopled_sqlite: Peopled) -> None:
    made = scene(peopled_sqlite)

    async def ask(app: Opened) -> None:
        target = f"/platform/v1/documents/{made['one_verified']}/status"
        answer = await call(app.app, "POST", target, headers_of(app, "pipeline"), [b'{"status": "GROOMING"}'])
        assert_refused(answer, {409}, {1100}, target)

    changing_nothing(peopled_sqlite, ask)
