"""The secrets of one endpoint: which sign, which is the primary, how one takes the place of another.

The first secret of a keyset is its primary. By `ocrolus` the primary alone signs, by `standard-webhooks` every secret
that fits and has not expired: an HMAC secret (`whsec_…`) as `v1`, an ed25519 key (`whsk_…`) as `v1a`. A primary has no
expiry and cannot be taken away, so an endpoint that was signed stays signed until it is deregistered.
Knows no clock, no randomness and no curve. Source: docs/signatures.md.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace

from bookbell.core import limits, signing
from bookbell.core.attempt import Answered, Report, describe
from bookbell.core.errors import ProofFailed, SecretNotFound, ValidationFailed
from bookbell.core.signing import Scheme, Signer, Signing


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """One secret. value: the text; public_key: what receivers hold of an ed25519 pair, None for others.

    expires_at: from when it signs nothing, None for never; proven_at: when its receiver proved that it holds it.
    """

    id: str
    value: str = field(repr=False)
    created_at: int
    expires_at: int | None = None
    proven_at: int | None = None
    public_key: str | None = None

    @property
    def algorithm(self) -> str:
        """`ed25519` or `hmac-sha256`."""
        return "hmac-sha256" if self.public_key is None else "ed25519"

    @property
    def shared(self) -> str:
        """The text the receiver holds."""
        return self.public_key or self.value

    def fits(self, scheme: Scheme) -> bool:
        """Whether it can sign by this scheme."""
        if scheme is Scheme.OCROLUS:
            return self.public_key is None
        return self.public_key is not None or signing.hmac_key(self.value) is not None


@dataclass(frozen=True, slots=True)
class Keyset:
    """secrets: the primary first, then by age; never empty."""

    scheme: Scheme
    secrets: tuple[Secret, ...]

    @property
    def primary(self) -> Secret:
        return self.secrets[0]

    def signs(self, secret: Secret) -> bool:
        """Whether deliveries carry this secret's signature, as long as it has not expired."""
        if self.scheme is Scheme.OCROLUS:
            return secret is self.primary
        return secret.fits(self.scheme)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What is to sign from now on; None leaves it as it is.

    overlap_ms: how long a primary that is replaced stays, 0 forgets it; proven_at: when the new one was proven.
    """

    scheme: Scheme | None = None
    primary: str | None = None
    overlap_ms: int = limits.SECRET_OVERLAP_MS
    proven_at: int | None = None


def added(keyset: Keyset | None, new: Secret, *, at: int) -> Keyset:
    """With one more secret; the first is the primary, and signs by `ocrolus` if it can. Raises: ValidationFailed."""
    if keyset is None:
        return Keyset(Scheme.OCROLUS if new.fits(Scheme.OCROLUS) else Scheme.STANDARD, (new,))
    kept = remaining(keyset, at)
    if len(kept.secrets) >= limits.SECRETS_MAX:
        raise ValidationFailed(f"secret: a webhook has at most {limits.SECRETS_MAX} secrets; remove one first")
    if any(each.value == new.value for each in kept.secrets):
        raise ValidationFailed("secret: the webhook has this secret already")
    if not new.fits(kept.scheme) and not new.fits(Scheme.STANDARD):
        raise ValidationFailed(f"secret: {UNFIT}")
    return replace(kept, secrets=(*kept.secrets, new))


def used(keyset: Keyset, use: Use, *, at: int) -> Keyset:
    """With another scheme or primary. A primary that is replaced stays for the overlap.

    Raises: SecretNotFound; ValidationFailed when no secret, or not the wanted one, fits the scheme.
    """
    kept = remaining(keyset, at)
    scheme = use.scheme or kept.scheme
    wanted = _wanted(kept, scheme, use.primary)
    chosen = replace(wanted, expires_at=None, proven_at=use.proven_at or wanted.proven_at)
    others = [each for each in kept.secrets if each is not wanted]
    if wanted is not kept.primary:
        others = [replace(others[0], expires_at=at + use.overlap_ms), *others[1:]]
    return remaining(Keyset(scheme, (chosen, *sorted(others, key=lambda each: (each.created_at, each.id)))), at)


def expiring(keyset: Keyset, secret_id: str, after_ms: int, *, at: int) -> Keyset:
    """With this secret forgotten after that time. Raises: SecretNotFound; ValidationFailed for the primary."""
    kept = remaining(keyset, at)
    found = find(kept, secret_id)
    if found is kept.primary:
        raise ValidationFailed("The primary secret stays: make another one the primary first")
    secrets = [replace(each, expires_at=at + after_ms) if each is found else each for each in kept.secrets]
    return remaining(replace(kept, secrets=tuple(secrets)), at)


def replaced(keyset: Keyset | None, only: Secret) -> Keyset:
    """With this secret in place of all others, at once (contract 5.2). Raises: ValidationFailed if it does not fit."""
    scheme = Scheme.OCROLUS if keyset is None else keyset.scheme
    if not only.fits(scheme):
        raise ValidationFailed(f"secret_key: {UNFIT}")
    return Keyset(scheme, (only,))


def check_length(name: str, value: str) -> None:
    """Raises: ValidationFailed when a secret's length is out of bounds, in the contract's words."""
    if len(value) < limits.SECRET_CHARS_MIN:
        raise ValidationFailed(f"{name}: length of value must be at least {limits.SECRET_CHARS_MIN}")
    if len(value) > limits.SECRET_CHARS_MAX:
        raise ValidationFailed(f"{name}: length of value must be at most {limits.SECRET_CHARS_MAX}")


def check_given(value: str) -> None:
    """Raises: ValidationFailed for a text that may not be added as a secret."""
    check_length("secret", value)
    if value.startswith((signing.PRIVATE_PREFIX, signing.PUBLIC_PREFIX)):
        raise ValidationFailed("secret: an ed25519 pair is always made here")
    if value.startswith(signing.HMAC_PREFIX) and signing.hmac_key(value) is None:
        raise ValidationFailed(f"secret: {UNFIT}")


def remaining(keyset: Keyset, at: int) -> Keyset:
    """Without what has expired."""
    kept = tuple(each for each in keyset.secrets if each.expires_at is None or each.expires_at > at)
    return replace(keyset, secrets=kept)


def find(keyset: Keyset, secret_id: str) -> Secret:
    """The secret with this id. Raises: SecretNotFound."""
    for each in keyset.secrets:
        if each.id == secret_id:
            return each
    raise SecretNotFound


def ready(keyset: Keyset, ed25519: Callable[[str], Callable[[bytes], bytes]]) -> Signing:
    """The keyset made ready for signing. ed25519: gives how a private key signs."""
    if keyset.scheme is Scheme.OCROLUS:
        return Signing(Scheme.OCROLUS, (signing.ocrolus_signer(keyset.primary.value),))
    signers = [_signer(each, ed25519) for each in keyset.secrets if each.fits(Scheme.STANDARD)]
    return Signing(Scheme.STANDARD, tuple(signers))


def candidate(keyset: Keyset, use: Use, *, at: int) -> Keyset:
    """What would be the primary, alone and by its scheme: how a challenge is signed. Raises: as `used` does."""
    after = used(keyset, use, at=at)
    return Keyset(after.scheme, (after.primary,))


def demand_proof(secret: Secret, nonce: str, report: Report) -> None:
    """Raises: ProofFailed unless this is how a receiver answers a challenge that holds the secret."""
    outcome = report.outcome
    if not (isinstance(outcome, Answered) and outcome.status_code == 200):
        raise ProofFailed(details=f"The receiver was sent a challenge. {describe(outcome)} 200 is expected.")
    if not signing.is_proof(secret.shared, nonce, report.body):
        raise ProofFailed(
            details=f"The receiver answered 200 without {signing.CHALLENGE_ANSWER}, or with one that does not fit. "
            "It is to answer a verified challenge, see Signatures."
        )


def to_text(keyset: Keyset) -> str:
    """The keyset as text, to be sealed."""
    return json.dumps({"scheme": keyset.scheme, "secrets": [asdict(each) for each in keyset.secrets]})


def from_text(text: str) -> Keyset:
    """The keyset that became this text."""
    found = json.loads(text)
    return Keyset(Scheme(found["scheme"]), tuple(Secret(**each) for each in found["secrets"]))


def hmac_value(key: bytes) -> str:
    """The secret `whsec_…` of these random bytes."""
    return signing.HMAC_PREFIX + base64.b64encode(key).decode()


UNFIT = "Standard Webhooks takes whsec_ and the base64 of 24 to 64 random bytes"


def _wanted(keyset: Keyset, scheme: Scheme, primary: str | None) -> Secret:
    if primary is not None:
        found = find(keyset, primary)
        if not found.fits(scheme):
            raise ValidationFailed(f"primary: this secret cannot sign by {scheme}")
        return found
    fitting = [each for each in keyset.secrets if each.fits(scheme)]
    if not fitting:
        raise ValidationFailed(f"scheme: no secret of the webhook can sign by {scheme}; add one first")
    return fitting[0] if fitting[0] is keyset.primary else fitting[-1]


def _signer(secret: Secret, ed25519: Callable[[str], Callable[[bytes], bytes]]) -> Signer:
    key = signing.hmac_key(secret.value)
    if key is not None and secret.public_key is None:
        return signing.hmac_signer(key, secret.expires_at)
    return signing.ed25519_signer(ed25519(secret.value), secret.expires_at)
