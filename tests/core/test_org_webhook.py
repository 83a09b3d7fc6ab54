"""What is asked of an org-level webhook is checked in the contract's words; credentials go where they should."""

from ipaddress import ip_network
from typing import Any

import pytest

from bookbell.core.errors import WebhookInvalid
from bookbell.core.guard import GuardRules
from bookbell.core.org_webhook import (
    NO_LOGIN,
    Address,
    Asked,
    address_from,
    address_of,
    bare_of,
    read_change,
    read_new,
    shown_url,
)

RULES = GuardRules()
URL = "https://hooks.example.net/org"
EVENTS = ["book.verified", "document.verification_succeeded"]


def new(rules: GuardRules = RULES, **webhook: Any) -> Asked:
    return read_new({"webhook": {"url": URL, **webhook}, "event_names": EVENTS}, rules)


def refusal_of(body: dict[str, Any]) -> str:
    with pytest.raises(WebhookInvalid) as caught:
        read_new(body, RULES)
    assert (caught.value.status, caught.value.code) == (400, 1000)
    return caught.value.message


def refused(**webhook: Any) -> str:
    return refusal_of({"webhook": {"url": URL, **webhook}, "event_names": EVENTS})


def test_a_whole_request_is_read() -> None:
    asked = new(description="Underwriting intake", is_active=False, username="u", password="p")
    assert asked == Asked(
        url=URL, description="Underwriting intake", is_active=False, login=("u", "p"), event_types=tuple(EVENTS)
    )


def test_what_is_not_said_stays_open() -> None:
    assert new() == Asked(url=URL, event_types=tuple(EVENTS))
    assert read_change({"event_names": ["book.verified"]}, RULES) == Asked(event_types=("book.verified",))
    assert read_change({"webhook": {}}, RULES) == Asked()
    assert read_change({"webhook": {"is_active": None}}, RULES) == Asked()


def test_null_takes_description_and_credentials_away() -> None:
    asked = new(description=None, username=None, password=None)
    assert (asked.description, asked.login) == ("", NO_LOGIN)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"url": "hooks.example.net/x"}, "url: invalid or missing URL scheme"),
        ({"url": "ftp://hooks.example.net/x"}, "url: invalid or missing URL scheme"),
        ({"url": "https://localhost/x"}, "url: URL host invalid, top level domain required"),
        ({"url": "https://intake:8080"}, "url: URL host invalid, top level domain required"),
        ({"url": "https://intake./x"}, "url: URL host invalid, top level domain required"),
        (
            {"url": "https://hooks.example.net/a b"},
            "url: The URL contains white space, a control character or a backslash.",
        ),
        ({"url": "https://user@hooks.example.net/"}, "You need to pass both username and password"),
        ({"url": "https://:word@hooks.example.net/"}, "You need to pass both username and password"),
        ({"username": "u"}, "You need to pass both username and password"),
        ({"password": "p"}, "You need to pass both username and password"),
        ({"username": "u", "password": ""}, "You need to pass both username and password"),
        ({"username": 1, "password": "p"}, "username: a text is expected"),
        ({"description": "ab"}, "description: length of value must be at least 3"),
        ({"description": ""}, "description: length of value must be at least 3"),
        ({"description": "x" * 256}, "description: length of value must be at most 255"),
        ({"description": 7}, "description: a text is expected"),
        ({"is_active": "yes"}, "is_active: true or false is expected"),
        ({"colour": 1}, "colour: unknown field; known are url, description, is_active, username, password"),
        ({"url": 1}, "url: a text is expected"),
    ],
)
def test_a_webhook_that_is_wrong_is_refused_in_these_words(fields: dict[str, Any], message: str) -> None:
    assert refused(**fields) == message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "webhook: field required"),
        ({"webhook": {}, "event_names": EVENTS}, "url: field required"),
        ({"webhook": {"url": URL}}, "event_names: field required"),
        ({"webhook": [], "event_names": EVENTS}, "webhook: an object is expected"),
        ({"webhook": {"url": URL}, "event_names": []}, "event_names: length of value must be at least 1"),
        ({"webhook": {"url": URL}, "event_names": "book.verified"}, "event_names: a list of texts is expected"),
        ({"webhook": {"url": URL}, "event_names": [1]}, "event_names: a list of texts is expected"),
        ({"webhook": {"url": URL}, "event_names": EVENTS * 2}, "event_names: a name is given twice"),
        ({"webhook": {"url": URL}, "events": EVENTS}, "events: unknown field; known are webhook, event_names"),
    ],
)
def test_a_request_that_is_wrong_is_refused_in_these_words(body: dict[str, Any], message: str) -> None:
    assert refusal_of(body) == message


@pytest.mark.parametrize("body", [{}, {"webhook": None}, {"webhook": None, "event_names": None}])
def test_a_change_of_nothing_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(WebhookInvalid, match="one of webhook and event_names is required"):
        read_change(body, RULES)


def test_the_bounds_of_a_description_are_allowed() -> None:
    assert new(description="abc").description == "abc"
    assert new(description="x" * 255).description == "x" * 255


def test_short_hosts_are_taken_where_the_operator_allows_them() -> None:
    rules = GuardRules((ip_network("127.0.0.0/8"),), is_short_host_allowed=True)
    assert new(rules, url="http://localhost:9/x").url == "http://localhost:9/x"


def test_the_guard_refuses_by_name() -> None:
    assert "(rule private)" in refused(url="https://10.0.0.7/x")
    assert "(rule loopback)" in refused(url="https://[::1]/x")


# -- where it has it send ------------------------------------------------------------------------------------------


def current(url: str = URL, *, apart: bool = False) -> Address:
    return address_from(url, are_credentials_apart=apart)


def test_credentials_beside_the_url_are_sent_and_not_shown() -> None:
    address = address_of(Asked(url=URL, login=("us er", "p@ss:/word")), None)
    assert address.url == "https://us%20er:p%40ss%3A%2Fword@hooks.example.net/org"
    assert address.masked == "https://***:***@hooks.example.net/org"
    assert (address.bare, address.are_credentials_apart) == (URL, True)
    assert shown_url(address) == URL


def test_credentials_in_the_url_are_shown_as_given() -> None:
    address = address_of(Asked(url="https://u:p@hooks.example.net/org"), None)
    assert shown_url(address) == "https://u:p@hooks.example.net/org"
    assert (address.bare, address.are_credentials_apart) == (URL, False)


def test_credentials_in_both_places_are_refused() -> None:
    with pytest.raises(WebhookInvalid, match="either in the URL or beside it"):
        address_of(Asked(url="https://u:p@hooks.example.net/org", login=("u", "p")), None)


@pytest.mark.parametrize("login", [("a:b", "p"), ("u", "p\n")])
def test_credentials_that_no_header_can_carry_are_refused(login: tuple[str, str]) -> None:
    with pytest.raises(WebhookInvalid, match="username and password: "):
        address_of(Asked(url=URL, login=login), None)


def test_what_is_not_asked_to_change_stays() -> None:
    apart = current("https://u:p@hooks.example.net/org", apart=True)
    assert address_of(Asked(description="x"), apart) is apart


def test_new_credentials_replace_those_before() -> None:
    before = current("https://u:p@hooks.example.net/org", apart=False)
    assert address_of(Asked(login=("v", "q")), before).url == "https://v:q@hooks.example.net/org"
    assert address_of(Asked(login=NO_LOGIN), before).url == URL


def test_the_same_url_keeps_the_credentials_beside_it_and_another_drops_them() -> None:
    apart = current("https://u:p@hooks.example.net/org", apart=True)
    assert address_of(Asked(url="https://HOOKS.example.net/org"), apart).url == "https://u:p@HOOKS.example.net/org"
    assert address_of(Asked(url="https://evil.example/org"), apart).url == "https://evil.example/org"


def test_credentials_in_the_url_go_with_it() -> None:
    inside = current("https://u:p@hooks.example.net/org")
    assert address_of(Asked(url=URL), inside).url == URL


def test_a_masked_url_tells_its_bare_one() -> None:
    for url in (URL, "https://u:p@hooks.example.net/org?a=b@c"):
        address = current(url)
        assert bare_of(address.masked) == address.bare
