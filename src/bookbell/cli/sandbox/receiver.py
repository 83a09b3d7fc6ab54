"""The receiver under test: where it is and what it verifies with."""

from dataclasses import dataclass

from bookbell.cli.sandbox.opening import LOOPBACK
from bookbell.config import StartError, read_settings
from bookbell.core.guard import GuardRules
from bookbell.core.keyset import check_length

NEXT = "-next"


@dataclass(frozen=True, slots=True)
class Receiver:
    """url: with the Basic credentials it demands, if any; next_secret: what it accepts besides, for rotation."""

    url: str
    secret: str
    next_secret: str


def receiver_of(url: str | None, secret: str | None, next_secret: str | None) -> Receiver:
    """The receiver that the options name. Raises: StartError, ValidationFailed."""
    if url is None or secret is None:
        raise StartError(
            "A scenario is played against a receiver: name it with --url, and the secret it verifies with by --secret."
        )
    chosen = secret + NEXT if next_secret is None else next_secret
    for each in (secret, chosen):
        check_length("secret_key", each)
    return Receiver(url, secret, chosen)


def local_rules() -> GuardRules:
    """The guard for commands on a developer's machine: loopback and what the settings allow."""
    return GuardRules((*LOOPBACK, *read_settings().allow_networks), is_short_host_allowed=True)
