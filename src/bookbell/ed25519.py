"""The pairs of keys that sign without a shared secret. The service's only door to the curve.

Texts are those of Standard Webhooks: `whsk_` and `whpk_` before the base64 of 32 bytes.
"""

import base64
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bookbell.core.signing import PRIVATE_PREFIX, PUBLIC_PREFIX, private_key_bytes


def new_pair(seed: bytes) -> tuple[str, str]:
    """The private and the public key made of 32 random bytes."""
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return PRIVATE_PREFIX + base64.b64encode(seed).decode(), PUBLIC_PREFIX + base64.b64encode(public).decode()


def signing_function(private_key: str) -> Callable[[bytes], bytes]:
    """How this private key signs; made once for an endpoint, because making it costs more than signing."""
    seed = private_key_bytes(private_key)
    assert seed is not None, "private keys are made here only"
    return Ed25519PrivateKey.from_private_bytes(seed).sign
