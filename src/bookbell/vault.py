"""Seals what must not be readable in the database, and derives tokens and keys from the master key.

AES-256-GCM with a fresh 96-bit nonce for each value and the value's place as associated data, so that a sealed
value cannot be moved to another row. Format: version byte 2, four bytes that name the key, nonce, ciphertext with tag;
values of version 1 lack the name and are tried with every key.

The keys are a ring: the primary seals, all of them open and are believed, so that one can take the place of another
while the service runs (docs/operating.md).
"""

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_UNNAMED, _NAMED = b"\x01", b"\x02"
_NAME_BYTES = 4
_NONCE_BYTES = 12
_KEY_BYTES = 32
UNNAMED = "unnamed"
"""What `key_name_of` says of a value that does not name its key."""


class VaultError(Exception):
    """A sealed value cannot be opened: the master key is not the one it was sealed under, or the row was altered."""


class Vault:
    """Opens under any key of a ring and seals under the first."""

    def __init__(
        self, master_key: str, others: Sequence[str] = (), *, reread: Callable[[], Sequence[str]] | None = None
    ) -> None:
        """Keys: 43 characters of URL-safe base64 (32 bytes), as `new_master_key` makes them.

        reread: gives the ring as it is now, primary first, or nothing if it cannot be told. It is asked when a value
        names a key that is not known; and before each sealing, for the primary may have been replaced and dropped.
        """
        self._texts: Sequence[str] = [master_key, *others]
        self._ring = [_key(each) for each in self._texts]
        self._reread = reread

    @property
    def key_names(self) -> list[str]:
        """The names of the keys, in hex, the primary's first. They say nothing about the keys."""
        return [each.name.hex() for each in self._ring]

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose; they say nothing about the master key or another purpose's bytes."""
        return self._ring[0].derive(purpose)

    def derive_all(self, purpose: str) -> list[bytes]:
        """The same from each key of the ring, the primary's first: what is to be believed."""
        return [each.derive(purpose) for each in self._ring]

    def tokens(self, role: str) -> list[str]:
        """The tokens of a role (`operator`, `pipeline`) when none is set by hand: today's, then others believed."""
        derived = self.derive_all("token:" + role)
        return [f"bb_{role}_" + base64.urlsafe_b64encode(each[:24]).decode() for each in derived]

    def seal(self, text: str, place: str) -> bytes:
        """Encrypt text for one place, e.g. `endpoint-url:<id>`."""
        self._look_again()
        key, nonce = self._ring[0], secrets.token_bytes(_NONCE_BYTES)
        return _NAMED + key.name + nonce + key.cipher.encrypt(nonce, text.encode(), place.encode())

    def open(self, sealed: bytes, place: str) -> str:
        """The text that was sealed for this place. Raises: VaultError."""
        at = 1 + (_NAME_BYTES if sealed[:1] == _NAMED else 0)
        nonce, rest = sealed[at : at + _NONCE_BYTES], sealed[at + _NONCE_BYTES :]
        for key in self._keys_of(sealed):
            try:
                return key.cipher.decrypt(nonce, rest, place.encode()).decode()
            except (InvalidTag, ValueError):
                continue
        raise VaultError(f"The sealed value at {place} cannot be opened with this master key.")

    def is_current(self, sealed: bytes) -> bool:
        """Whether a value is sealed under the primary key and says so."""
        return key_name_of(sealed) == self._ring[0].name.hex()

    def _keys_of(self, sealed: bytes) -> list["_Key"]:
        """The keys a value may be sealed under."""
        if sealed[:1] == _UNNAMED:
            return self._ring
        name = sealed[1 : 1 + _NAME_BYTES]
        found = [each for each in self._ring if sealed[:1] == _NAMED and each.name == name]
        if not found and sealed[:1] == _NAMED:
            self._look_again()
            found = [each for each in self._ring if each.name == name]
        return found

    def _look_again(self) -> None:
        texts = list(self._reread()) if self._reread is not None else []
        if texts and texts != self._texts:
            self._ring, self._texts = [_key(each) for each in texts], texts


def key_name_of(sealed: bytes) -> str:
    """The name of the key a value was sealed under, in hex; `UNNAMED` when it does not say."""
    return sealed[1 : 1 + _NAME_BYTES].hex() if sealed[:1] == _NAMED else UNNAMED


@dataclass(frozen=True, slots=True)
class _Key:
    master: bytes
    name: bytes
    cipher: AESGCM

    def derive(self, purpose: str) -> bytes:
        return _derived(self.master, purpose)


def _derived(master: bytes, purpose: str) -> bytes:
    return hmac.digest(master, b"bookbell:" + purpose.encode(), hashlib.sha256)


def _key(text: str) -> _Key:
    try:
        master = base64.urlsafe_b64decode(text + "=")
    except ValueError:
        master = b""
    if len(master) != _KEY_BYTES:
        raise VaultError("A master key must be 43 characters of URL-safe base64; make one with `bookbell key`.")
    return _Key(master, _derived(master, "name")[:_NAME_BYTES], AESGCM(_derived(master, "seal")))


def hash_of_secret(secret: str) -> str:
    """What is stored of a client secret. The secrets are 32 random bytes, so one round of SHA-256 is enough."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def is_same(one: str, other: str) -> bool:
    """Whether two texts are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))


def new_master_key() -> str:
    """A fresh master key, 43 characters."""
    return secrets.token_urlsafe(32)


def kept_keys(path: Path) -> list[str]:
    """The ring in this file, one key a line, the primary first; made on first use, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().split()
    with os.fdopen(descriptor, "w") as file:
        _write_keys(file.fileno(), [new_master_key()])
    return path.read_text().split()


def keys_now(path: Path) -> list[str]:
    """The ring in this file; empty if it is not there any more, in whose place nothing is made."""
    try:
        return path.read_text().split()
    except OSError:
        return []


def keep_keys(path: Path, ring: Sequence[str]) -> None:
    """Put this ring in the place of the one in the file; whoever reads meanwhile sees one or the other."""
    fresh = path.with_name(path.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        _write_keys(descriptor, ring)
    finally:
        os.close(descriptor)
    fresh.replace(path)


def _write_keys(descriptor: int, ring: Sequence[str]) -> None:
    os.write(descriptor, "".join(f"{each}\n" for each in ring).encode())
    os.fsync(descriptor)
