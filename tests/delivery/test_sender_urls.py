"""What libcurl makes of a URL is what the guard judged: the same host, in any spelling.

libcurl is asked through a proxy, which reads libcurl's own idea of the URL from the request line and resolves nothing.
"""

from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bookbell.core.attempt import Answered, kind_of
from bookbell.core.errors import InvalidInput
from bookbell.core.guard import GuardRules, judge_address, judge_url
from bookbell.core.target import Target, parse
from bookbell.delivery.sender_names import needs_lookup
from posting import NOWHERE, Post, to
from receivers import Receiver

STRICT = GuardRules()
URLS = [
    url for url, _ in yaml.safe_load((Path(__file__).parents[1] / "core" / "guard_cases.yaml").read_text())["urls"]
]
TRICKY = "0123456789abcfx.:[]@#?/%&;-_~ \\\t。．｡１２７①⑦٧ßé\u00ad\u200b\u2044ⓛ"


class Asking:
    """A proxy before which libcurl says what it makes of URLs."""

    def __init__(self) -> None:
        self._proxy = Receiver()
        self._post = Post(NOWHERE, proxy=f"http://127.0.0.1:{self._proxy.port}")

    def url_of(self, target: Target) -> str | None:
        """The URL of the request, None when libcurl does not take the URL."""
        plain = "http" + target.url.removeprefix(target.scheme)
        self._proxy.forget()
        report = self._post.send(to(plain))
        if report.outcome != Answered(200):
            assert kind_of(report.outcome) in {"unreachable:internal", "unreachable:protocol"}, report
            return None
        ((url, _, _),) = self._proxy.requests
        return url

    def close(self) -> None:
        self._post.sender.stop(30)
        self._proxy.__exit__(None, None, None)


@pytest.fixture(scope="module")
def asking() -> Iterator[Asking]:
    asking = Asking()
    yield asking
    asking.close()


def host_in(url: str) -> str:
    authority = url.removeprefix("http://").partition("/")[0]
    bracketed = authority.partition("]")[0]
    return bracketed[1:] if authority.startswith("[") else authority.partition(":")[0]


def agrees(asking: Asking, text: str) -> None:
    """libcurl goes where the guard thinks it goes, if it goes anywhere."""
    try:
        target = parse(text)
    except InvalidInput:
        return
    seen = asking.url_of(target)
    if seen is None:
        return
    host = host_in(seen)
    if judge_url(target, STRICT) is not None:
        return
    if needs_lookup(host):
        assert host == target.host
    else:
        assert judge_address(host, STRICT) is None, "it is an address, and the guard did not see which"


@pytest.mark.parametrize("url", URLS, ids=ascii)
def test_libcurl_reads_every_url_of_the_table_as_the_guard_does(asking: Asking, url: str) -> None:
    agrees(asking, url)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    authority=st.text(TRICKY, min_size=1, max_size=24), rest=st.sampled_from(["", "/", "/x?y#z", "?@a.example", "#"])
)
def test_whatever_passes_the_guard_leads_libcurl_to_the_same_host(asking: Asking, authority: str, rest: str) -> None:
    agrees(asking, f"http://{authority}{rest}")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.ip_addresses(v=4).map(int),
    st.lists(st.sampled_from(["{}", "0{:o}", "000{:o}", "0x{:x}", "0X{:X}", "0x00{:x}"]), min_size=4, max_size=4),
    st.integers(1, 4),
    st.sampled_from(["", "."]),
)
def test_an_ipv4_address_is_the_same_address_in_every_spelling(
    asking: Asking, value: int, spellings: list[str], part_count: int, dot: str
) -> None:
    parts = [value >> shift & 0xFF for shift in (24, 16, 8)][: part_count - 1]
    parts.append(value & (1 << 8 * (5 - part_count)) - 1)
    host = ".".join(spelling.format(part) for spelling, part in zip(spellings, parts, strict=False)) + dot
    target = parse(f"http://{host}/")
    refused, wanted = judge_url(target, STRICT), judge_address(str(ip_address(value)), STRICT)
    assert (refused and refused.rule) == (wanted and wanted.rule)
    seen = asking.url_of(target)
    assert seen is not None
    assert host_in(seen).rstrip(".") == str(ip_address(value))
