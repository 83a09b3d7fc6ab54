"""Seals what must not be readable in the database, and derives tokens and keys from the master key.

AES-256-GCM with a fresh 96-bit nonce for each value and the value's place as associated data, so that a sealed
value cannot be moved to another row. Format: version byte, nonce, ciphertext with tag.
"""

import base64
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION = b"\x01"
_NONCE_BYTES = 12
_KEY_BYTES = 32


class VaultError(Exception):
    """A sealed value cannot be opened: the master key is not the one it was sealed under, or the row was altered."""


class Vault:
    """Opens and seals under one master key."""

    def __init__(self, master_key: str) -> None:
        """master_key: 43 characters of URL-safe base64 (32 bytes), as `new_master_key` makes them."""
        try:
            self._master = base64.urlsafe_b64decode(master_key + "=")
        except ValueError:
            self._master = b""
        if len(self._master) != _KEY_BYTES:
            raise VaultError("The master key must be 43 characters of URL-safe base64; make one with `bookbell key`.")
        self._cipher = AESGCM(self.derive("seal"))

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose; they say nothing about the master key or another purpose's bytes."""
        return hmac.digest(self._master, b"bookbell:" + purpose.encode(), hashlib.sha256)

    def token(self, role: str) -> str:
        """The token of a role (`operator`, `pipeline`) when none is set by hand."""
        return f"bb_{role}_" + base64.urlsafe_b64encode(self.derive("token:" + role)[:24]).decode()

    def seal(self, text: str, place: str) -> bytes:
        """Encrypt text for one place, e.g. `endpoint-url:<id>`."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, text.encode(), place.encode())

    def open(self, sealed: bytes, place: str) -> str:
        """The text that was sealed for this place. Raises: VaultError."""
        nonce, rest = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            if sealed[:1] != _VERSION:
                raise InvalidTag
            return self._cipher.decrypt(nonce, rest, place.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise VaultError(f"The sealed value at {place} cannot be opened with this master key.") from error


def hash_of_secret(secret: str) -> str:
    """What is stored of a client secret. The secrets are 32 random bytes, so one round of SHA-256 is enough."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def is_same(one: str, other: str) -> bool:
    """Whether two texts are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))


def new_master_key() -> str:
    """A fresh master key, 43 characters."""
    return secrets.token_urlsafe(32)


def kept_master_key(path: Path) -> str:
    """The key in this file, made on first use and readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        file.write(new_master_key() + "\n")
        file.flush()
        os.fsync(file.fileno())
    return path.read_text().strip()
