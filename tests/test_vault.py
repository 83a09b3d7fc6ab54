"""What is sealed opens in its own place, under any key of the ring, and nowhere else."""

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from bookbell.vault import UNNAMED, Vault, VaultError, keep_keys, kept_keys, key_name_of, keys_now, new_master_key

OLD, NEW = new_master_key(), new_master_key()


@given(st.text(), st.text())
def test_what_is_sealed_opens_in_its_place(text: str, place: str) -> None:
    text, place = (each.encode("utf-8", "replace").decode() for each in (text, place))
    vault = Vault(NEW)
    assert vault.open(vault.seal(text, place), place) == text


def test_another_place_another_key_and_an_altered_value_do_not_open() -> None:
    vault = Vault(NEW)
    sealed = vault.seal("secret", "place:1")
    for other, value, place in (
        (vault, sealed, "place:2"),
        (Vault(OLD), sealed, "place:1"),
        (vault, sealed[:-1] + bytes([sealed[-1] ^ 1]), "place:1"),
        (vault, b"\x03" + sealed[1:], "place:1"),
        (vault, b"", "place:1"),
        (vault, b"\x01", "place:1"),
        (vault, sealed[:9], "place:1"),
    ):
        with pytest.raises(VaultError, match="cannot be opened"):
            other.open(value, place)


@given(st.binary())
def test_random_bytes_do_not_open_and_raise_nothing_else(value: bytes) -> None:
    with pytest.raises(VaultError):
        Vault(NEW, [OLD]).open(value, "place")


def test_a_ring_opens_what_any_of_its_keys_has_sealed_and_seals_under_the_first() -> None:
    before = Vault(OLD).seal("secret", "place")
    ring = Vault(NEW, [OLD])
    assert ring.open(before, "place") == "secret"
    assert not ring.is_current(before)
    after = ring.seal("secret", "place")
    assert ring.is_current(after)
    assert key_name_of(after) == ring.key_names[0] == Vault(NEW).key_names[0]
    assert Vault(OLD, [NEW]).open(after, "place") == "secret"


def test_a_value_sealed_before_keys_had_names_still_opens() -> None:
    master = base64.urlsafe_b64decode(OLD + "=")
    assert len(master) == 32
    nonce = b"n" * 12
    sealed = b"\x01" + nonce + AESGCM(Vault(OLD).derive("seal")).encrypt(nonce, b"secret", b"place")
    assert key_name_of(sealed) == UNNAMED
    assert Vault(OLD).open(sealed, "place") == Vault(NEW, [OLD]).open(sealed, "place") == "secret"
    assert not Vault(OLD).is_current(sealed)
    with pytest.raises(VaultError):
        Vault(NEW).open(sealed, "place")


def test_tokens_of_every_key_of_the_ring_are_believed_and_todays_comes_first() -> None:
    ring = Vault(NEW, [OLD])
    assert ring.tokens("operator") == [Vault(NEW).tokens("operator")[0], Vault(OLD).tokens("operator")[0]]
    assert ring.derive_all("jwt") == [Vault(NEW).derive("jwt"), Vault(OLD).derive("jwt")]
    assert ring.tokens("operator")[0].startswith("bb_operator_")


def test_a_key_that_came_into_the_file_later_is_found_there(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    (old,) = kept_keys(path)
    running = Vault(old, reread=lambda: kept_keys(path))
    keep_keys(path, [NEW, old])
    assert kept_keys(path) == [NEW, old]
    assert path.stat().st_mode & 0o777 == 0o600
    sealed = Vault(NEW).seal("secret", "place")
    assert running.open(sealed, "place") == "secret"
    assert running.is_current(running.seal("text", "place"))
    assert running.key_names[0] == Vault(NEW).key_names[0]
    assert [each.name for each in tmp_path.iterdir()] == ["master.key"]


@pytest.mark.parametrize("key", ["", "short", "A" * 44, "é" * 43])
def test_a_key_of_another_form_is_refused(key: str) -> None:
    with pytest.raises(VaultError, match="43 characters"):
        Vault(NEW, [key])


def test_what_runs_on_seals_under_the_key_that_has_taken_the_place_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    (old,) = kept_keys(path)
    running = Vault(old, reread=lambda: keys_now(path))
    keep_keys(path, [NEW])
    assert Vault(NEW).open(running.seal("secret", "place"), "place") == "secret"


def test_a_key_file_that_is_lost_changes_nothing_for_what_runs(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    (old,) = kept_keys(path)
    running = Vault(old, reread=lambda: keys_now(path))
    path.unlink()
    assert Vault(old).open(running.seal("secret", "place"), "place") == "secret"
    with pytest.raises(VaultError):
        running.open(Vault(NEW).seal("secret", "place"), "place")
    assert not path.exists()
