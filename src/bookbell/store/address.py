"""How a PostgreSQL server is reached: one host, or several of which the one that can be written to is wanted.

A connection finds out by itself whether the server at the other end has gone, so a machine that vanishes holds up
nobody for longer than `SILENT_MS`.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import URL, make_url

SILENT_MS = 10_000
_DRIVER = "postgresql+psycopg"
_LIVENESS = {
    "connect_timeout": 5,  # for each host
    "keepalives_idle": 4,
    "keepalives_interval": 3,
    "keepalives_count": 2,
    "tcp_user_timeout": SILENT_MS,
}


def parameters(address: str, own: Mapping[str, Any]) -> dict[str, Any]:
    """What the driver connects with.

    address: `postgresql://user:password@host:port,host:port/name?...`; own: parameters besides, which win over the
    address's, but for `options`, which are added to it. Of several hosts the one that can be written to is wanted, for
    reading too: a replica may be behind.
    Raises: ValueError, sqlalchemy.exc.ArgumentError.
    """
    url, hosts = _split(address)
    _, found = postgresql.psycopg.dialect().create_connect_args(url)  # type: ignore[no-untyped-call]
    given = {**_LIVENESS, **found, **hosts}
    if "," in str(given.get("host", "")):
        given.setdefault("target_session_attrs", "read-write")
    options = " ".join(str(each["options"]) for each in (given, own) if "options" in each)
    return {**given, **own, **({"options": options} if options else {})}


def _split(address: str) -> tuple[URL, dict[str, str]]:
    """The address without its hosts if there are several, and the hosts and ports as the driver wants them."""
    scheme, _, rest = address.partition("://")
    authority, slash, path = rest.partition("/")
    login, at, places = authority.rpartition("@")
    if "," not in places:
        return make_url(address).set(drivername=_DRIVER), {}
    pairs = [_host_and_port(place) for place in places.split(",")]
    hosts = {"host": ",".join(host for host, _ in pairs), "port": ",".join(port for _, port in pairs)}
    return make_url(f"{scheme}://{login}{at}{slash}{path}").set(drivername=_DRIVER), hosts


def _host_and_port(place: str) -> tuple[str, str]:
    """
    >>> _host_and_port("db1:5433"), _host_and_port("db2"), _host_and_port("[::1]:5433")
    (('db1', '5433'), ('db2', ''), ('::1', '5433'))
    """
    host, colon, port = place.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = place, ""
    if port and not port.isdigit():
        raise ValueError("a port is a number")
    return host.strip("[]"), port
