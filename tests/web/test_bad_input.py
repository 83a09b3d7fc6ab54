"""Each malformed request to each route gets the contract's envelope and code, and changes nothing."""

import base64
import hmac
import json
import re
from typing import Any

import jwt
import pytest

from bookbell.core import limits
from bookbell.vault import Vault, new_master_key
from bookbell.web import auth
from in_process import Opened, Peopled
from raw_asgi import call
from web.refusals import assert_refused, changing_nothing, headers_of
from web.routes_of import NOBODYS_ID, Route, api_routes

API = api_routes()
JSON = "application/json"
WITHOUT_BODY = {
    "POST /v1/deliveries/{delivery_id:str}/retry",
    "POST /v1/replays/{replay_id:str}/cancel",
    "POST /v1/account/settings/webhook/pause",
    "POST /platform/v1/organizations/{organization_id:str}/accounts/{account_id:str}/revoke",
    "POST /platform/v1/organizations/{organization_id:str}/replays/{replay_id:str}/cancel",
    "POST /platform/v1/organizations/{organization_id:str}/endpoints/{endpoint_id:str}/pause",
}
"""Routes that do not look at a body at all."""
WRITING = [route for route in API if route.method in {"POST", "PUT", "PATCH"} and route.id not in WITHOUT_BODY]
UPLOADS = [
    route
    for route in WRITING
    if route.path.startswith(("/v1/book/upload", "/v2/book/")) and not route.path.endswith("/done")
]
PLAIN = [route for route in WRITING if route not in UPLOADS]
PLATFORM = [route for route in PLAIN if route.path.startswith("/platform/")]
ORG_WEBHOOKS = [route for route in PLAIN if re.search(r"/settings/webhook($|/\{)", route.path)]
"""Routes whose body is JSON only (contract 8)."""
FORMS = [route for route in PLAIN if route not in [*PLATFORM, *ORG_WEBHOOKS]]
"""Routes whose body may be JSON or a form."""


def nested(depth: int) -> bytes:
    return b'{"name": ' + b"[" * depth + b"]" * depth + b"}"


BAD_JSON: list[tuple[str, bytes, set[int]]] = [
    ("cut off", b'{"name": "x"', {1002}),
    ("no JSON", b"name=x", {1002}),
    ("with a comma too much", b'{"name": "x",}', {1002}),
    ("not a number", b'{"name": NaN}', {1002}),
    ("two values", b"{} {}", {1002}),
    ("invalid UTF-8", b'{"name": "\xff\xfe"}', {1002}),
    ("a name in invalid UTF-8", b'{"\xff": 1}', {1002}),
    ("an overlong UTF-8 slash", b'{"name": "\xc0\xaf"}', {1002}),
    ("a lone surrogate", b'{"name": "\\ud800"}', {1002, 1003}),
    ("a lone low surrogate", b'{"name": "a\\udc00b"}', {1002, 1003}),
    ("a surrogate in UTF-8", b'{"name": "\xed\xa0\x80"}', {1002}),
    ("NUL", b'{"name": "a\\u0000b"}', {1003}),
    ("NUL in a name", b'{"na\\u0000me": "a"}', {1003}),
    ("NUL deep inside", b'{"name": [{"x": ["a\\u0000"]}]}', {1003}),
    ("a NUL byte", b'{"name": "a\0b"}', {1002}),
    ("a list", b'[{"name": "x"}]', {1003}),
    ("a text", b'"name"', {1003}),
    ("a number", b"17", {1003}),
    ("null", b"null", {1003}),
    ("true", b"true", {1003}),
    ("a number beyond all bounds", b'{"name": 1e999}', {1002, 1003}),
    ("a number of five thousand digits", b'{"name": ' + b"9" * 5000 + b"}", {1002, 1003}),
    *[
        (f"nested {depth} deep", nested(depth), {1002, 1003})
        for depth in (100, 400, 900, 950, 975, 1000, 9_000, 90_000)
    ],
    ("objects nested deep", b'{"name": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001, {1002, 1003}),
]


@pytest.mark.parametrize("route", PLAIN, ids=lambda route: route.id)
def test_a_body_that_is_no_json_object_of_text_is_refused(route: Route, peopled_sqlite: Peopled) -> None:
    async def ask(app: Opened) -> None:
        for what, body, codes in BAD_JSON:
            answer = await call(app.app, route.method, route.target, headers_of(app, route.who), [body])
            assert_refused(answer, {400}, codes, what)

    changing_nothing(peopled_sqlite, ask)


@pytest.mark.parametrize("route", API, ids=lambda route: route.id)
def test_a_body_beyond_the_limit_is_refused(route: Route, peopled_sqlite: Peopled) -> None:
    chunks = [b" " * 65536] * (limits.JSON_BODY_BYTES_MAX // 65536 + 1)

    async def ask(app: Opened) -> None:
        answer = await call(app.app, route.method, route.target, headers_of(app, route.who), chunks)
        if route in PLAIN:
            assert_refused(answer, {413}, {1100}, route)
        assert answer.status < 500

    changing_nothing(peopled_sqlite, ask)


BAD_FORMS: list[tuple[str, str, bytes]] = [
    ("invalid UTF-8", "application/x-www-form-urlencoded", b"name=%ff%fe"),
    ("invalid UTF-8, bare", "application/x-www-form-urlencoded", b"name=\xff"),
    ("NUL", "application/x-www-form-urlencoded", b"name=a%00b"),
    ("NUL in a name", "application/x-www-form-urlencoded", b"na%00me=a"),
    ("a surrogate in UTF-8", "application/x-www-form-urlencoded", b"name=%ed%a0%80"),
    ("too many fields", "application/x-www-form-urlencoded", b"&".join([b"name=a"] * 101)),
    ("without boundary", "multipart/form-data", b"--x\r\n\r\n--x--"),
    ("with an empty boundary", 'multipart/form-data; boundary=""', b"--\r\n\r\n----"),
    ("with another boundary", "multipart/form-data; boundary=y", b'--x\r\nContent-Disposition: form-data; name="a"'),
    ("cut off in its head", "multipart/form-data; boundary=x", b"--x\r\nContent-Dispo"),
    (
        "cut off in a field",
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb',
    ),
    ("without a disposition", "multipart/form-data; boundary=x", b"--x\r\nA: b\r\n\r\nc\r\n--x--"),
    (
        "invalid UTF-8 in a field",
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\n\xff\r\n--x--',
    ),
    (
        "invalid UTF-8 in a name",
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="\xff"\r\n\r\na\r\n--x--',
    ),
    (
        "NUL in a field",
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\na\0b\r\n--x--',
    ),
    (
        "too many parts",
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n' * 101 + b"--x--",
    ),
]


@pytest.mark.parametrize("route", FORMS, ids=lambda route: route.id)
def test_a_form_that_cannot_be_read_is_refused(route: Route, peopled_sqlite: Peopled) -> None:
    async def ask(app: Opened) -> None:
        for what, kind, body in BAD_FORMS:
            answer = await call(app.app, route.method, route.target, headers_of(app, route.who, kind), [body])
            assert_refused(answer, {400}, {1003}, what)

    changing_nothing(peopled_sqlite, ask)


@pytest.mark.parametrize("route", [*FORMS, *ORG_WEBHOOKS], ids=lambda route: route.id)
def test_a_body_of_another_kind_is_refused(route: Route, peopled_sqlite: Peopled) -> None:
    async def ask(app: Opened) -> None:
        for kind in ("text/plain", "application/xml", "application/octet-stream", "nonsense", "\xff/\xfe"):
            headers = [*headers_of(app, route.who, None), ("Content-Type", kind.encode("latin-1"))]
            answer = await call(app.app, route.method, route.target, headers, [b'{"name": "x"}'])
            assert_refused(answer, {415}, {1100}, kind)

    changing_nothing(peopled_sqlite, ask)


@pytest.mark.parametrize("route", API, ids=lambda route: route.id)
def test_a_query_that_cannot_be_read_is_refused_and_never_a_bug(route: Route, peopled_sqlite: Peopled) -> None:
    async def ask(app: Opened) -> None:
        for query in ("name=%ff", "name=%00", "name=\xff", "%00=1", "name=%ed%a0%80", "&".join(["a=b"] * 200)):
            answer = await call(app.app, route.method, f"{route.target}?{query}", headers_of(app, route.who, None))
            if route in FORMS:
                assert_refused(answer, {400}, {1003}, query)
            elif answer.status != 200:
                assert_refused(answer, {400, 404, 415, 422}, {1000, 1002, 1003, 1100, 1103, 1398, 1399, 1501}, query)

    changing_nothing(peopled_sqlite, ask)


@pytest.mark.parametrize("route", [route for route in API if "{" in route.path], ids=lambda route: route.id)
def test_an_id_in_the_path_that_is_nobodys_is_refused(route: Route, peopled_sqlite: Peopled) -> None:
    async def ask(app: Opened) -> None:
        for id_ in (
            NOBODYS_ID,
            "0",
            "-1",
            "x" * 5000,
            "%00",
            "%ff%fe",
            "%ed%a0%80",
            "%0d%0aA:%20b",
            "..",
            "'%20OR%201=1",
        ):
            headers = headers_of(app, route.who)
            answer = await call(
                app.app, route.method, route.with_ids(id_), headers, [GOOD_BODIES.get(route.path, b"{}")]
            )
            status = (
                {404, 415, 422} if route in UPLOADS else {404, 422} if route.path.startswith("/v2/") else {400, 404}
            )
            assert_refused(answer, status, {1000, 1003, 1100, 1101, 1103, 1398, 1399, 1401, 1501}, id_)

    changing_nothing(peopled_sqlite, ask)


GOOD_BODIES = {
    "/platform/v1/organizations/{organization_id:str}/accounts": b'{"name": "three"}',
    "/platform/v1/documents/{uuid:str}/status": b'{"status": "VERIFYING"}',
    "/platform/v1/mixed-documents/{uuid:str}/status": b'{"status": "PROCESSING"}',
    "/platform/v1/mixed-documents/{uuid:str}/classified": b'{"documents": [{}]}',
    "/platform/v1/image-groups/{uuid:str}/status": b'{"status": "VERIFICATION_COMPLETE"}',
    "/platform/v1/analytics-requests/{request_id:str}/status": b'{"status": "COMPLETED"}',
}


def basic(login: str, secret: str) -> bytes:
    return b"Basic " + base64.b64encode(f"{login}:{secret}".encode())


def signed(algorithm: str, claims: dict[str, Any], key: bytes) -> bytes:
    """A token as anybody can make it, also one that a library would not make."""

    def encoded(part: bytes) -> bytes:
        return base64.urlsafe_b64encode(part).rstrip(b"=")

    head = encoded(json.dumps({"alg": algorithm, "typ": "JWT"}).encode())
    text = head + b"." + encoded(json.dumps(claims).encode())
    digest = {"HS256": "sha256", "HS512": "sha512", "none": None}[algorithm]
    return text + b"." + (b"" if digest is None else encoded(hmac.digest(key, text, digest)))


def bad_credentials(app: Opened, route: Route) -> dict[str, bytes | None]:
    """Every kind of credentials that do not let one in, by what is wrong with them."""
    one, now_s = app.cast["one"].account, app.ambient.now_ms() // 1000
    key = app.context.vault.derive("jwt")
    claims = {"iss": auth.ISSUER, "sub": one.id, "org": one.organization_id, "iat": now_s, "exp": now_s + 60}

    def token(signing_key: bytes, algorithm: str = "HS256", **changed: Any) -> bytes:
        return b"Bearer " + signed(algorithm, {**claims, **changed}, signing_key)

    unnamed = {name: value for name, value in claims.items() if name != "sub"}
    bare = jwt.encode(claims, key, algorithm="HS256").split(".")
    found: dict[str, bytes | None] = {
        "missing": None,
        "empty": b"",
        "of another scheme": b"Digest abc",
        "no scheme": b"secret-of-one",
        "no token": b"Bearer",
        "no real token": b"Bearer abc.def.ghi",
        "not ASCII": b"Bearer \xff\xfe",
        "with NUL": b"Bearer a\0b",
        "expired": token(key, exp=now_s - 1),
        "expired just now": token(key, exp=now_s),
        "with an expiry that is none": token(key, exp="soon"),
        "with an expiry beyond all bounds": token(key, exp=float("inf")),
        "with a name that is none": token(key, sub=17),
        "by another key": token(Vault(new_master_key()).derive("jwt")),
        "by another issuer": token(key, iss="somebody"),
        "by another algorithm": token(key, algorithm="HS512"),
        "unsigned": token(b"", algorithm="none"),
        "without its signature": f"Bearer {bare[0]}.{bare[1]}.".encode(),
        "altered": f"Bearer {bare[0]}.{bare[1][:-4]}AAAA.{bare[2]}".encode(),
        "of nobody": token(key, sub=NOBODYS_ID),
        "without a name": b"Bearer " + signed("HS256", unnamed, key),
        "Basic that is no base64": b"Basic !!!",
        "Basic without a colon": b"Basic " + base64.b64encode(b"client-one"),
        "Basic in invalid UTF-8": b"Basic " + base64.b64encode(b"\xff:\xfe"),
        "Basic with NUL": b"Basic " + base64.b64encode(b"client-one\0:x"),
        "Basic with a wrong secret": basic("client-one", "secret-of-two"),
        "Basic of nobody": basic("nobody", "secret-of-one"),
    }
    for who in ("operator", "pipeline", "one"):
        if who != route.who and not (who == "one" and route.who == "manager"):
            found[f"of {who}"] = app.credentials(who)["Authorization"].encode()
    return found


@pytest.mark.parametrize("route", API, ids=lambda route: route.id)
def test_nobody_gets_in_without_the_right_credentials(route: Route, peopled_sqlite: Peopled) -> None:
    async def ask(app: Opened) -> None:
        for what, value in bad_credentials(app, route).items():
            headers: list[tuple[str, str | bytes]] = [("Content-Type", JSON)]
            headers += [] if value is None else [("Authorization", value)]
            answer = await call(app.app, route.method, route.target, headers, [b"{}"])
            assert_refused(answer, {400 if route.path.startswith("/v1/") else 401}, {1200}, what)

    changing_nothing(peopled_sqlite, ask)


def test_an_unknown_path_and_a_wrong_method_are_refused_in_the_envelope(peopled_sqlite: Peopled) -> None:
    async def ask(app: Opened) -> None:
        for path in (
            "/",
            "/v1",
            "/v1/nothing",
            "/v1/book/add/more",
            "/v3/books",
            "/v1/books%00",
            "/%ff",
        ):
            for who in ("one", "nobody"):
                answer = await call(app.app, "GET", path, headers_of(app, who, None))
                assert_refused(answer, {404}, {1101}, path)
        for route in API:
            known = {each.method for each in API if each.target == route.target}
            for method in {"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "BREW"} - known:
                answer = await call(app.app, method, route.target, headers_of(app, route.who))
                assert answer.status in {404, 405}, (method, route.id)
                if method != "HEAD":
                    assert_refused(answer, {404, 405}, {1100, 1101}, (method, route.id))

    changing_nothing(peopled_sqlite, ask)
