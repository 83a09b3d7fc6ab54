"""A registered URL taken apart: what is connected to, and the credentials it carried.

Only what can be sent is let through: no control characters anywhere, no credentials that could smuggle a header.
Source: contract 5.3 and 7.1, RFC 3986, RFC 7617.
"""

import base64
import re
from dataclasses import dataclass
from ipaddress import IPv6Address
from urllib.parse import quote, unquote_to_bytes, urlsplit

from bookbell.core import limits
from bookbell.core.errors import InvalidInput

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]|[\ud800-\udfff]")
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HOST = re.compile(r"[A-Za-z0-9._~%-]+")
_HOST_AND_PORT = re.compile(r"(\[[^\[\]]*\]|[^\[\]:]*)(:[0-9]*)?")  # older versions of urlsplit allow more at brackets
_PORTS = {"http": 80, "https": 443}
_NAME_CHARS_MAX, _LABEL_CHARS_MAX = 253, 63  # RFC 1035, 2.3.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """url: ready to send, without credentials and fragment; host: ASCII, lower case, without brackets."""

    url: str
    scheme: str
    host: str
    port: int
    username: str | None
    password: str | None

    def masked(self) -> str:
        """The URL for logs and pages: that there are credentials is shown, what they are is not."""
        if self.username is None:
            return self.url
        return self.url.replace("://", "://***:***@", 1)

    def authorization(self) -> str | None:
        """The value of the Authorization header with the credentials that the URL carried, None without any."""
        return None if self.username is None else authorization(self.username, self.password or "")


def parse(url: str) -> Target:
    """Take a URL apart. Raises: InvalidInput with the reason."""
    if len(url) > limits.URL_CHARS_MAX:
        raise InvalidInput(details=f"The URL is longer than {limits.URL_CHARS_MAX} characters.")
    if _FORBIDDEN.search(url):
        raise InvalidInput(details="The URL contains white space, a control character or a backslash.")
    if _PERCENT.search(url):
        raise InvalidInput(details="The URL contains a % that is not followed by two hexadecimal digits.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidInput(details=f"The URL cannot be read: {error}.") from error
    if parts.scheme not in _PORTS:
        raise InvalidInput(details="The URL must begin with http:// or https://.")
    if port == 0 or not _HOST_AND_PORT.fullmatch(parts.netloc.rpartition("@")[2]):
        raise InvalidInput(details="The URL's host is not a valid name, or its port is not from 1 to 65535.")
    host = _ascii_host(parts.hostname or "")
    username, password = _credentials(parts.netloc)
    shown = f"[{host}]" if ":" in host else host
    authority = shown if port is None else f"{shown}:{port}"
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = f"?{quote(parts.query, safe=_QUERY_SAFE)}" if parts.query else ""
    return Target(
        url=f"{parts.scheme}://{authority}{path}{query}",
        scheme=parts.scheme,
        host=host,
        port=port or _PORTS[parts.scheme],
        username=username,
        password=password,
    )


_QUERY_SAFE = "/?%:@!$&'()*+,;=~-._[]"


def with_credentials(url: str, username: str, password: str) -> str:
    """The same URL with these credentials written into it. It must hold none yet."""
    return url.replace("://", f"://{quote(username, safe='')}:{quote(password, safe='')}@", 1)


def without_credentials(url: str) -> str:
    """The same URL, as it was written, less the credentials in it."""
    scheme, mark, rest = url.partition("://")
    end = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
    return scheme + mark + rest[:end].rpartition("@")[2] + rest[end:]


def authorization(username: str, password: str) -> str:
    """The value of an Authorization header with these credentials (RFC 7617, UTF-8)."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode("ascii")


def _ascii_host(host: str) -> str:
    if not host:
        raise InvalidInput(details="The URL has no host.")
    if ":" in host:
        return _ipv6(host)
    try:
        ascii_host = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise InvalidInput(details="The URL's host is not a valid name.") from error
    if not _HOST.fullmatch(ascii_host) or "%" in ascii_host or ".." in ascii_host or ascii_host.startswith("."):
        raise InvalidInput(details="The URL's host is not a valid name.")
    if len(ascii_host.rstrip(".")) > _NAME_CHARS_MAX or any(
        len(part) > _LABEL_CHARS_MAX for part in ascii_host.split(".")
    ):
        raise InvalidInput(details="The URL's host is longer than a name can be, or a part of it is.")
    return ascii_host.lower()


def _ipv6(host: str) -> str:
    """An IPv6 address as it was spelled. Whether it may be called is for the guard, and so is its zone."""
    try:
        IPv6Address(host)
    except ValueError as error:
        raise InvalidInput(details="The URL's host is not an IPv6 address.") from error
    return host.lower()


def _credentials(netloc: str) -> tuple[str | None, str | None]:
    """User and password, percent-decoded; neither when the URL carries none."""
    userinfo, at, _ = netloc.rpartition("@")
    if not at:
        return None, None
    username, _, password = userinfo.partition(":")
    return _decoded(username, is_user=True), _decoded(password, is_user=False)


def _decoded(text: str, *, is_user: bool) -> str:
    try:
        decoded = unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(details="The credentials in the URL are not UTF-8.") from error
    if _CONTROL.search(decoded):
        raise InvalidInput(details="The credentials in the URL contain a control character.")
    if is_user and ":" in decoded:
        raise InvalidInput(
            details="The user name in the URL contains a colon, which Basic authentication cannot carry."
        )
    return decoded
