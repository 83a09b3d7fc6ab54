"""Nobody is reached who must not be: one function judges a URL, one judges an address.

The same two serve saving, testing and sending; the sender asks `judge_address` at the moment a socket is opened, the
only place where DNS cannot cheat. Every range that is not globally reachable is refused by a named rule, unless the
operator's allow-list names it. The table is our own rather than `ipaddress.is_global`, which differs between versions
of Python. Sources: IANA special-purpose registries (RFC 6890 and successors), RFC 6052, RFC 3056, RFC 4380, RFC 5214.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from bookbell.core.attempt import Refused
from bookbell.core.errors import InvalidInput
from bookbell.core.target import Target, parse

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_RULES: tuple[tuple[str, str, str], ...] = (
    ("0.0.0.0/8", "this_network", "an address of «this network»"),
    ("10.0.0.0/8", "private", "a private address"),
    ("100.64.0.0/10", "shared", "a carrier's shared address"),
    ("127.0.0.0/8", "loopback", "a loopback address"),
    ("169.254.0.0/16", "link_local", "a link-local address, where clouds keep their metadata"),
    ("172.16.0.0/12", "private", "a private address"),
    ("192.0.0.0/24", "ietf", "an address kept for protocol assignments"),
    ("192.0.2.0/24", "documentation", "a documentation address"),
    ("192.88.99.0/24", "6to4_relay", "a 6to4 relay address"),
    ("192.168.0.0/16", "private", "a private address"),
    ("198.18.0.0/15", "benchmarking", "a benchmarking address"),
    ("198.51.100.0/24", "documentation", "a documentation address"),
    ("203.0.113.0/24", "documentation", "a documentation address"),
    ("224.0.0.0/4", "multicast", "a multicast address"),
    ("255.255.255.255/32", "broadcast", "the broadcast address"),
    ("240.0.0.0/4", "reserved", "a reserved address"),
    ("::/128", "unspecified", "the unspecified address"),
    ("::1/128", "loopback", "a loopback address"),
    ("::ffff:0:0/96", "v4_mapped", "an IPv4-mapped address"),
    ("::/96", "v4_compatible", "an IPv4-compatible address"),
    ("64:ff9b::/96", "nat64", "a NAT64 address"),
    ("64:ff9b:1::/48", "nat64", "a local NAT64 address"),
    ("100::/64", "discard", "a discard-only address"),
    ("2001::/32", "teredo", "a Teredo address"),
    ("2001:db8::/32", "documentation", "a documentation address"),
    ("2001::/23", "ietf", "an address kept for protocol assignments"),
    ("2002::/16", "6to4", "a 6to4 address"),
    ("3fff::/20", "documentation", "a documentation address"),
    ("5f00::/16", "segment_routing", "a segment routing address"),
    ("fc00::/7", "unique_local", "a unique local address"),
    ("fe80::/10", "link_local", "a link-local address"),
    ("fec0::/10", "site_local", "a site-local address"),
    ("ff00::/8", "multicast", "a multicast address"),
)
_TABLE: tuple[tuple[Network, str, str], ...] = tuple((ip_network(net), rule, text) for net, rule, text in _RULES)
_GLOBAL_V6 = IPv6Network("2000::/3")
_ISATAP = {0x0000_5EFE, 0x0200_5EFE}  # the third quarter of the address: RFC 5214
_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class GuardRules:
    """allowed_networks: the operator's exceptions; is_short_host_allowed: whether a host may have no dot."""

    allowed_networks: tuple[Network, ...] = ()
    is_short_host_allowed: bool = False


def judge_url(target: Target, rules: GuardRules) -> Refused | None:
    """Why this URL may not be called, as far as it can be told without looking the name up; None if it may."""
    host = target.host.rstrip(".")
    address = _literal(host)
    if address is not None:
        return judge_address(str(address), rules)
    if _NUMBER.fullmatch(host.rsplit(".", 1)[-1]):
        return Refused("host_spelling", f"The host {target.host} is a number that is not a valid IPv4 address.")
    is_local_name = host == "localhost" or host.endswith(".localhost")
    if is_local_name and not _is_allowed(IPv4Address("127.0.0.1"), rules):
        return _refusal(target.host, "loopback", "a name of this machine")
    if "." not in host and not rules.is_short_host_allowed:
        return Refused(
            "short_host",
            f"The host {target.host} has no dot, so it is no public name (rule short_host). "
            "The operator can allow such names with BOOKBELL_ALLOW_SHORT_HOSTS.",
        )
    return None


def demand_target(url: str, rules: GuardRules) -> Target:
    """The URL taken apart. Raises: InvalidInput when it cannot be read or may not be called."""
    found = parse(url)
    refused = judge_url(found, rules)
    if refused is not None:
        raise InvalidInput(details=refused.detail)
    return found


@lru_cache(4096)
def judge_address(address: str, rules: GuardRules) -> Refused | None:
    """Why no connection may be opened to this IP address, None if one may. A zone id is never allowed."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return Refused("no_address", f"{address[:80]!r} is not an IP address.")
    if "%" in address:
        return _refusal(address, "zone", "an address of one network interface")
    if _is_allowed(parsed, rules):
        return None
    return _judge(parsed, address, rules)


def _judge(parsed: Address, shown: str, rules: GuardRules) -> Refused | None:
    for network, rule, text in _TABLE:
        if parsed.version == network.version and parsed in network:
            inner = _embedded(parsed)
            if inner is not None and _is_allowed(inner, rules):
                return None
            return _refusal(shown, rule, text)
    if isinstance(parsed, IPv4Address):
        return None
    if parsed not in _GLOBAL_V6:
        return _refusal(shown, "reserved", "a reserved address")
    if int(parsed) >> 32 & 0xFFFFFFFF in _ISATAP:
        return _refusal(shown, "isatap", "an address that a tunnel turns into an IPv4 address")
    return None


def _embedded(address: Address) -> IPv4Address | None:
    """The IPv4 address that a transition mechanism would reach through this IPv6 address."""
    if isinstance(address, IPv4Address):
        return None
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if int(address) >> 32 in (0xFFFF, 0, 0x64FF9B << 64):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def _is_allowed(address: Address, rules: GuardRules) -> bool:
    return any(address.version == network.version and address in network for network in rules.allowed_networks)


def _refusal(shown: str, rule: str, text: str) -> Refused:
    return Refused(
        rule,
        f"{shown} is {text} (rule {rule}), so no request is sent to it. "
        "The operator can allow its network with BOOKBELL_ALLOW_NETWORKS.",
    )


def _literal(host: str) -> Address | None:
    """The address a host is, in any spelling a resolver takes: dotted, short, decimal, octal or hexadecimal."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    parts = host.split(".")
    if len(parts) > 4 or not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    numbers = [number for part in parts if (number := _number(part)) is not None]
    if len(numbers) < len(parts) or any(number > 255 for number in numbers[:-1]):
        return None
    *heads, last = numbers
    value = int.from_bytes(bytes(heads))
    rest_bits = 8 * (5 - len(parts))
    if last >= 1 << rest_bits:
        return None
    return IPv4Address(value << rest_bits | last)


def _number(text: str) -> int | None:
    try:
        if text.lower().startswith("0x"):
            return int(text[2:] or "0", 16)
        return int(text, 8) if text.startswith("0") and len(text) > 1 else int(text)
    except ValueError:
        return None
