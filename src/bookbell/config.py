"""The settings: one frozen value, read once from BOOKBELL_* variables. The only file that reads the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import quote, urlsplit

from bookbell.core import limits
from bookbell.core.policy import PRESETS
from bookbell.core.retention import Keeping

Network = IPv4Network | IPv6Network
PREFIX = "BOOKBELL_"
FLAGS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
DATABASES = ("postgresql://", "postgresql+psycopg://", "postgres://", "sqlite:///")


class SettingsError(Exception):
    """A setting cannot be used; the message names it and says what it should look like."""


class StartError(Exception):
    """The service cannot start; the message says why and what to do."""


def _setting(default: Any, help_text: str) -> Any:
    return field(default=default, metadata={"help": help_text})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every field is the variable BOOKBELL_<FIELD>; its help is the text in docs/settings.md."""

    data_dir: Path = _setting(Path("bookbell-data"), "Folder of the SQLite file, uploaded files and generated keys.")
    database_url: str = _setting(
        "", "postgresql://user:password@host/name (several hosts: host1,host2); empty means SQLite in the data folder."
    )
    host: str = _setting("127.0.0.1", "Address to listen on.")
    port: int = _setting(8080, "Port to listen on; 0 takes a free one.")
    master_key: str = _setting(
        "",
        "Key that seals secrets, 43 characters from `bookbell key`; empty keeps a generated one in the data folder.",
    )
    master_keys_old: str = _setting(
        "", "More keys that values are still, or already, sealed under, comma separated; see Operating."
    )
    operator_token: str = _setting("", "Token of the operator; empty derives one from the master key.")
    pipeline_token: str = _setting("", "Token of the pipeline; empty derives one from the master key.")
    allow_networks: tuple[Network, ...] = _setting(
        (), "Networks receivers may be in although they are not public, comma separated, e.g. 10.1.0.0/16,::1/128."
    )
    allow_short_hosts: bool = _setting(False, "Whether a receiver's host may have no dot, e.g. localhost.")
    preset: str = _setting("standard", "Delivery policy of a new endpoint: standard or ocrolus.")
    org_webhooks_max: int = _setting(limits.ORG_WEBHOOKS_MAX, "The most org-level webhooks an organization may have.")
    proxy: str = _setting("", "Proxy for requests to receivers, http://host:port; then the proxy guards addresses.")
    lease_ms: int = _setting(10_000, "How long a worker owns a lane without renewing; a dead one's move after that.")
    shutdown_ms: int = _setting(20_000, "How long a stopping process waits for requests in flight.")
    keep_days_bodies: int = _setting(30, "How many days bodies of events and of receivers' answers are kept.")
    keep_days_history: int = _setting(
        90, "How many days events, deliveries and attempts are kept once they have ended; then the totals are."
    )
    keep_bytes_max: int = _setting(0, "Bytes of bodies to keep; the oldest go first, waiting ones stay; 0: no bound.")
    upload_bytes_max: int = _setting(limits.UPLOAD_BYTES_MAX, "Largest file a client may upload.")
    rate_limit_per_s: int = _setting(
        limits.REQUESTS_PER_S, "Requests an organization may make in a second, per API process; 0 means no limit."
    )
    always_200: bool = _setting(
        False, "Whether v1 answers errors with HTTP 200 and the status in the body only; 413, 429 and 5xx stay."
    )
    simulator_delay_ms: int = _setting(1_500, "How long the simulator takes for one step of a document.")
    books_public: bool = _setting(False, "Whether a book is public when its client does not say so.")
    books_paginated: bool = _setting(
        False, "Whether GET /v1/books with a limit answers {limit, books, total_book_count, _links}, not an array."
    )
    log_format: str = _setting("text", "text for people or json for machines.")

    def __post_init__(self) -> None:
        """Raises: SettingsError for a value that no process could work with."""
        for name, is_right, wanted in _checks(self):
            if not is_right:
                raise SettingsError(f"{PREFIX}{name.upper()} cannot be used: {wanted}.")

    @property
    def database(self) -> str:
        """The database's address, with the default filled in."""
        return self.database_url or f"sqlite:///{quote(str(self.data_dir / 'bookbell.db'))}"

    @property
    def keeping(self) -> Keeping:
        """How long what is kept."""
        return Keeping(
            days_bodies=self.keep_days_bodies, days_history=self.keep_days_history, bytes_max=self.keep_bytes_max
        )

    @property
    def blob_dir(self) -> Path:
        """Where uploaded files are kept."""
        return self.data_dir / "blobs"


def read_settings(environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Settings from the environment; overrides (of commands and tests) win, those that are None do not count.

    Raises: SettingsError, also for a BOOKBELL_ variable that is no setting.
    """
    environ = os.environ if environ is None else environ
    types = get_type_hints(Settings)
    values: dict[str, Any] = {}
    for name, text in environ.items():
        if name.startswith(PREFIX):
            key = name.removeprefix(PREFIX).lower()
            if key not in types:
                known = ", ".join(sorted(PREFIX + each.name.upper() for each in fields(Settings)))
                raise SettingsError(f"{name} is no setting of bookbell. Known are: {known}.")
            values[key] = _parsed(name, text, types[key])
    values |= {key: value for key, value in overrides.items() if value is not None}
    return Settings(**values)


def _checks(settings: Settings) -> list[tuple[str, bool, str]]:
    """Field, whether its value can be used, and what is wanted."""
    return [
        (
            "database_url",
            _is_database(settings.database_url),
            "postgresql://user:password@host/name or sqlite:///file is expected",
        ),
        ("operator_token", _is_token(settings.operator_token), _CARRIED_WANTED),
        ("pipeline_token", _is_token(settings.pipeline_token), _CARRIED_WANTED),
        ("org_webhooks_max", settings.org_webhooks_max >= 0, "at least 0 is expected"),
        ("rate_limit_per_s", settings.rate_limit_per_s >= 0, "at least 0 is expected"),
        ("host", bool(settings.host), "an address to listen on is expected"),
        ("port", 0 <= settings.port <= 65_535, "a port from 0 to 65535 is expected"),
        ("preset", settings.preset in PRESETS, f"one of {', '.join(PRESETS)} is expected"),
        ("proxy", not settings.proxy or _is_proxy(settings.proxy), "http://host:port is expected"),
        ("lease_ms", 500 <= settings.lease_ms <= 3_600_000, "500 to 3600000 is expected"),
        ("shutdown_ms", 0 <= settings.shutdown_ms <= 3_600_000, "0 to 3600000 is expected"),
        ("keep_days_bodies", 1 <= settings.keep_days_bodies <= 36_500, "1 to 36500 is expected"),
        (
            "keep_days_history",
            settings.keep_days_bodies <= settings.keep_days_history <= 36_500,
            "no less than BOOKBELL_KEEP_DAYS_BODIES and at most 36500 is expected",
        ),
        ("keep_bytes_max", settings.keep_bytes_max >= 0, "at least 0 is expected"),
        ("upload_bytes_max", settings.upload_bytes_max > 0, "at least 1 is expected"),
        ("simulator_delay_ms", settings.simulator_delay_ms >= 0, "at least 0 is expected"),
        ("log_format", settings.log_format in {"text", "json"}, "text or json is expected"),
    ]


_CARRIED_WANTED = "printable ASCII characters with no space around them are expected"


def _is_token(text: str) -> bool:
    """Whether it comes through the header Authorization as it is."""
    return text.isascii() and text.isprintable() and text == text.strip()


def _is_database(url: str) -> bool:
    """Not one in memory: each connection would have its own."""
    is_known = any(url.startswith(prefix) and url != prefix for prefix in DATABASES)
    return not url or (is_known and not url.startswith("sqlite:///:memory:"))


def _is_proxy(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port is not None
    except ValueError:
        return False


def _parsed(name: str, text: str, kind: Any) -> Any:
    if kind is Path:
        return Path(text)
    if kind is str:
        return text
    try:
        if kind is bool:
            return FLAGS[text.strip().lower()]
        if kind is int:
            return int(text)
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except KeyError as error:
        raise SettingsError(f"{name}={text!r} cannot be read: yes or no is expected.") from error
    except ValueError as error:
        wanted = "a whole number is expected" if kind is int else str(error)
        raise SettingsError(f"{name}={text!r} cannot be read: {wanted}.") from error
