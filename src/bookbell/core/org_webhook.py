"""What a client asks of an org-level webhook, read from its JSON and checked; and where that has it send.

Every message begins with the field it is about; those the contract knows are its own. Source: contract 5.3, 8.2, 8.4.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bookbell.core import limits, target
from bookbell.core.errors import InvalidInput, WebhookInvalid
from bookbell.core.guard import GuardRules, judge_url
from bookbell.core.target import Target

_BOTH = "You need to pass both username and password"
_KEYS = ("webhook", "event_names")
_WEBHOOK_KEYS = ("url", "description", "is_active", "username", "password")
NO_LOGIN = ("", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request gives; None: it does not say.

    url: as given, checked; description: "" takes it away; login: username and password given beside the URL,
    NO_LOGIN takes them away; event_types: unique, in their order.
    """

    url: str | None = None
    description: str | None = None
    is_active: bool | None = None
    login: tuple[str, str] | None = None
    event_types: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """url: with all credentials; masked: for pages; bare: the same for all ways to write it, without credentials."""

    url: str
    masked: str
    bare: str
    are_credentials_apart: bool


def read_new(body: Mapping[str, Any], rules: GuardRules) -> Asked:
    """What is asked of a new webhook; url and event_types are there. Raises: WebhookInvalid."""
    asked = _read(body, rules)
    if asked.url is None:
        raise WebhookInvalid("url: field required" if "webhook" in body else "webhook: field required")
    if asked.event_types is None:
        raise WebhookInvalid("event_names: field required")
    return asked


def read_change(body: Mapping[str, Any], rules: GuardRules) -> Asked:
    """What is asked of a webhook there is. Raises: WebhookInvalid, also when nothing is."""
    if not any(body.get(name) is not None for name in _KEYS):
        raise WebhookInvalid("webhook: one of webhook and event_names is required")
    return _read(body, rules)


def address_of(asked: Asked, current: Address | None) -> Address:
    """Where to send from now on. current: where until now; with None, asked.url is there. Raises: WebhookInvalid.

    A URL that differs drops the credentials that were given beside the one before: they were not meant for it.
    """
    if current is None:
        assert asked.url is not None
        return _address(asked.url, asked.login or NO_LOGIN)
    if asked.url is None and asked.login is None:
        return current
    if asked.url is None:
        return _address(target.without_credentials(current.url), asked.login or NO_LOGIN)
    is_same = target.parse(asked.url).url == current.bare
    kept = _login_in(current.url) if is_same and current.are_credentials_apart else NO_LOGIN
    return _address(asked.url, asked.login or kept)


def address_from(url: str, *, are_credentials_apart: bool) -> Address:
    """The address of a URL that was checked when it was stored."""
    parsed = target.parse(url)
    return Address(url=url, masked=parsed.masked(), bare=parsed.url, are_credentials_apart=are_credentials_apart)


def bare_of(masked: str) -> str:
    """What `Address.bare` was, from what `Address.masked` is."""
    return target.without_credentials(masked)


def shown_url(address: Address) -> str:
    """The URL as it was given, without what was given beside it."""
    return target.without_credentials(address.url) if address.are_credentials_apart else address.url


def _read(body: Mapping[str, Any], rules: GuardRules) -> Asked:
    _refuse_unknown(body, _KEYS)
    webhook = body.get("webhook")
    if webhook is not None and not isinstance(webhook, dict):
        raise WebhookInvalid("webhook: an object is expected")
    fields = webhook or {}
    _refuse_unknown(fields, _WEBHOOK_KEYS)
    return Asked(
        url=_url(fields, rules),
        description=_description(fields),
        is_active=_flag(fields, "is_active"),
        login=_login(fields),
        event_types=_event_types(body.get("event_names")),
    )


def _refuse_unknown(values: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name in values:
        if name not in known:
            raise WebhookInvalid(f"{name[:80]}: unknown field; known are {', '.join(known)}")


def _text(values: Mapping[str, Any], name: str) -> str | None:
    value = values.get(name)
    if value is not None and not isinstance(value, str):
        raise WebhookInvalid(f"{name}: a text is expected")
    return value


def _flag(values: Mapping[str, Any], name: str) -> bool | None:
    value = values.get(name)
    if value is not None and not isinstance(value, bool):
        raise WebhookInvalid(f"{name}: true or false is expected")
    return value


def _url(fields: Mapping[str, Any], rules: GuardRules) -> str | None:
    url = _text(fields, "url")
    if url is None:
        return None
    if not url.lower().startswith(("http://", "https://")):
        raise WebhookInvalid("url: invalid or missing URL scheme")
    parsed = _parsed(url, "url")
    if _is_short(parsed.host) and not rules.is_short_host_allowed:
        raise WebhookInvalid("url: URL host invalid, top level domain required")
    if parsed.username is not None and not (parsed.username and parsed.password):
        raise WebhookInvalid(_BOTH)
    refused = judge_url(parsed, rules)
    if refused is not None:
        raise WebhookInvalid(f"url: {refused.detail}")
    return url


def _is_short(host: str) -> bool:
    return ":" not in host and "." not in host.rstrip(".")


def _parsed(url: str, field: str) -> Target:
    try:
        return target.parse(url)
    except InvalidInput as error:
        raise WebhookInvalid(f"{field}: {error.details}") from error


def _description(fields: Mapping[str, Any]) -> str | None:
    if "description" not in fields:
        return None
    text = _text(fields, "description")
    if text is None:
        return ""
    if len(text) < limits.DESCRIPTION_CHARS_MIN:
        raise WebhookInvalid(f"description: length of value must be at least {limits.DESCRIPTION_CHARS_MIN}")
    if len(text) > limits.DESCRIPTION_CHARS_MAX:
        raise WebhookInvalid(f"description: length of value must be at most {limits.DESCRIPTION_CHARS_MAX}")
    return text


def _login(fields: Mapping[str, Any]) -> tuple[str, str] | None:
    username, password = _text(fields, "username"), _text(fields, "password")
    if bool(username) != bool(password):
        raise WebhookInvalid(_BOTH)
    if "username" not in fields and "password" not in fields:
        return None
    return username or "", password or ""


def _event_types(names: Any) -> tuple[str, ...] | None:
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise WebhookInvalid("event_names: a list of texts is expected")
    if not names:
        raise WebhookInvalid("event_names: length of value must be at least 1")
    if len(set(names)) < len(names):
        raise WebhookInvalid("event_names: a name is given twice")
    return tuple(names)


def _address(url: str, login: tuple[str, str]) -> Address:
    if login == NO_LOGIN:
        return address_from(url, are_credentials_apart=False)
    if target.parse(url).username is not None:
        raise WebhookInvalid("username: give username and password either in the URL or beside it")
    full = target.with_credentials(url, *login)
    _parsed(full, "username and password")
    return address_from(full, are_credentials_apart=True)


def _login_in(url: str) -> tuple[str, str]:
    parsed = target.parse(url)
    return parsed.username or "", parsed.password or ""
