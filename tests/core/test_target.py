"""URLs are taken apart, and only what can be sent is let through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookbell.core.errors import InvalidInput
from bookbell.core.target import authorization, parse, with_credentials, without_credentials


def test_path_query_and_port_are_kept() -> None:
    target = parse("https://hooks.example.net:8443/ocrolus?tenant=7&x=a%20b#part")
    assert target.url == "https://hooks.example.net:8443/ocrolus?tenant=7&x=a%20b"
    assert (target.scheme, target.host, target.port) == ("https", "hooks.example.net", 8443)
    assert (target.username, target.password) == (None, None)
    assert target.masked() == target.url


@pytest.mark.parametrize(
    ("url", "port", "sent"),
    [
        ("http://h.example", 80, "http://h.example/"),
        ("https://h.example", 443, "https://h.example/"),
        ("HTTPS://H.Example/A", 443, "https://h.example/A"),
        ("http://[2001:db8::1]:81/x", 81, "http://[2001:db8::1]:81/x"),
        ("http://bücher.example/é", 80, "http://xn--bcher-kva.example/%C3%A9"),
        ("http://h.example/?q=ü", 80, "http://h.example/?q=%C3%BC"),
    ],
)
def test_what_is_sent_is_ascii_and_has_a_path(url: str, port: int, sent: str) -> None:
    target = parse(url)
    assert (target.port, target.url) == (port, sent)


@pytest.mark.parametrize("host", ["a" * 63 + ".example", "a." * 123 + "example", "a." * 123 + "example."])
def test_a_host_may_be_as_long_as_a_name_can_be(host: str) -> None:
    assert parse(f"http://{host}/").host == host


def test_credentials_are_decoded_and_masked() -> None:
    target = parse("https://us%40er:p%3Ass%C3%A9@h.example/x")
    assert (target.username, target.password) == ("us@er", "p:ssé")
    assert target.url == "https://h.example/x"
    assert target.masked() == "https://***:***@h.example/x"
    assert authorization("us@er", "p:ssé") == "Basic dXNAZXI6cDpzc8Op" == target.authorization()
    assert parse(target.url).authorization() is None


def test_a_user_without_password_has_an_empty_one() -> None:
    assert parse("http://user@h.example").password == ""


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.net/x",
        "ftp://h.example/",
        "file:///etc/passwd",
        "http://",
        "http:///path",
        "http://h.example:0/",
        "http://h.example:99999/",
        "http://h.example:port/",
        "http://h example/",
        "http://h.example/\r\nX: y",
        "http://h.example/\0",
        "http://h.example\\@evil.example/",
        "http://h.example/%zz",
        "http://[::1/",
        "http://us%0d%0aer:p@h.example/",
        "http://user:p%00@h.example/",
        "http://us%3Aer:p@h.example/",
        "http://us%ffer:p@h.example/",
        "http://h..example/",
        "http://.example/",
        "http://ex%41mple.com/",
        "http://exa$mple.com/",
        "http://" + "ü" * 80 + ".example/",
        "http://h.example/" + "x" * 2048,
        "http://" + "a" * 64 + ".example/",
        "http://" + "a." * 124 + "example/",
    ],
)
def test_what_cannot_be_sent_is_refused_with_a_reason(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(url)
    assert caught.value.message == "One of the input is invalid"
    assert caught.value.details


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    for url in (text, "http://" + text, "https://a:" + text + "@h.example/"):
        try:
            target = parse(url)
        except InvalidInput:
            continue
        assert target.url.isascii()
        assert not any(char in target.url for char in "\r\n\0 ")


@pytest.mark.parametrize(
    ("url", "bare"),
    [
        ("https://u:p@host.example/a@b", "https://host.example/a@b"),
        ("https://u:p@q@host.example", "https://host.example"),
        ("https://host.example?x=a@b", "https://host.example?x=a@b"),
        ("https://u:p@host.example#a@b", "https://host.example#a@b"),
    ],
)
def test_credentials_can_be_taken_out_of_a_url(url: str, bare: str) -> None:
    assert without_credentials(url) == bare


def test_credentials_written_into_a_url_are_read_out_of_it_again() -> None:
    url = with_credentials("https://host.example/x", "üser", "p/@s:s")
    assert url == "https://%C3%BCser:p%2F%40s%3As@host.example/x"
    assert (parse(url).username, parse(url).password) == ("üser", "p/@s:s")
    assert without_credentials(url) == "https://host.example/x"
