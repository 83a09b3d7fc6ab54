"""Every setting is read from its variable, and a value nobody could work with is refused with its name."""

from dataclasses import fields
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from bookbell.config import Settings, SettingsError, read_settings
from bookbell.store.database import Database

GOOD: dict[str, tuple[str, Any]] = {
    "data_dir": ("/tmp/somewhere", Path("/tmp/somewhere")),
    "database_url": ("postgresql://user:password@host/name", "postgresql://user:password@host/name"),
    "host": ("::1", "::1"),
    "port": ("9000", 9000),
    "master_key": ("A" * 43, "A" * 43),
    "master_keys_old": ("B" * 43, "B" * 43),
    "operator_token": ("operator", "operator"),
    "pipeline_token": ("pipeline", "pipeline"),
    "allow_networks": ("10.1.0.0/16, ::1/128", (ip_network("10.1.0.0/16"), ip_network("::1/128"))),
    "allow_short_hosts": ("yes", True),
    "preset": ("ocrolus", "ocrolus"),
    "proxy": ("http://proxy.example:3128", "http://proxy.example:3128"),
    "lease_ms": ("2000", 2000),
    "shutdown_ms": ("0", 0),
    "keep_days_bodies": ("7", 7),
    "keep_days_history": ("30", 30),
    "keep_bytes_max": ("1000000", 1_000_000),
    "upload_bytes_max": ("1", 1),
    "simulator_delay_ms": ("0", 0),
    "log_format": ("json", "json"),
    "org_webhooks_max": ("7", 7),
    "rate_limit_per_s": ("0", 0),
    "always_200": ("yes", True),
    "books_public": ("yes", True),
    "books_paginated": ("yes", True),
}


def test_every_setting_is_tried_here() -> None:
    assert {each.name for each in fields(Settings)} == GOOD.keys()


@pytest.mark.parametrize("name", GOOD)
def test_a_setting_is_read_from_its_variable(name: str) -> None:
    text, value = GOOD[name]
    assert getattr(read_settings({f"BOOKBELL_{name.upper()}": text}), name) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("database_url", "mysql://user@host/name"),
        ("database_url", "bookbell.db"),
        ("database_url", "sqlite:///"),
        ("database_url", "sqlite:///:memory:"),
        ("operator_token", "from-a-file\n"),
        ("operator_token", " spaced"),
        ("pipeline_token", "schlüssel"),
        ("host", ""),
        ("port", "many"),
        ("port", "65536"),
        ("port", "-1"),
        ("allow_networks", "10.0.0.0/33"),
        ("allow_networks", "10.0.0.1/8"),
        ("allow_networks", "everything"),
        ("allow_short_hosts", "perhaps"),
        ("org_webhooks_max", "-1"),
        ("rate_limit_per_s", "-1"),
        ("rate_limit_per_s", "many"),
        ("preset", "fast"),
        ("proxy", "proxy.example"),
        ("proxy", "socks5://proxy.example:1080"),
        ("proxy", "http://proxy.example:many"),
        ("lease_ms", "0"),
        ("lease_ms", "1.5"),
        ("shutdown_ms", "-1"),
        ("keep_days_bodies", "0"),
        ("keep_days_history", "29"),
        ("keep_bytes_max", "-1"),
        ("upload_bytes_max", "0"),
        ("simulator_delay_ms", "-1"),
        ("log_format", "xml"),
        ("colour", "red"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"BOOKBELL_{name.upper()}"):
        read_settings({f"BOOKBELL_{name.upper()}": text})


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [("books_public", "maybe", "yes or no is expected"), ("port", "web", "a whole number is expected")],
)
def test_the_message_for_a_value_of_another_kind_says_what_is_wanted(name: str, text: str, wanted: str) -> None:
    with pytest.raises(SettingsError, match=f"^BOOKBELL_{name.upper()}='{text}' cannot be read: {wanted}.$"):
        read_settings({f"BOOKBELL_{name.upper()}": text})


def test_the_message_for_a_bad_database_address_does_not_show_its_password() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({"BOOKBELL_DATABASE_URL": "mysql://user:hunter2@host/name"})
    assert "hunter2" not in str(caught.value)


def test_an_override_wins_and_none_does_not_count() -> None:
    environ = {"BOOKBELL_PORT": "9000", "BOOKBELL_HOST": "::1"}
    settings = read_settings(environ, port=1, host=None)
    assert (settings.port, settings.host) == (1, "::1")


def test_other_variables_are_not_looked_at() -> None:
    assert read_settings({"PORT": "x", "DATABASE_URL": "x"}) == Settings()


def test_without_an_address_the_database_is_a_file_in_the_data_folder(tmp_path: Path) -> None:
    settings = read_settings({"BOOKBELL_DATA_DIR": str(tmp_path)})
    assert settings.database == f"sqlite:///{tmp_path}/bookbell.db"
    assert settings.blob_dir == tmp_path / "blobs"


@pytest.mark.parametrize("name", ["a b", "a%20b", "a?b", "a#b", "Bücher"])
def test_the_data_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    database = Database(Settings(data_dir=folder).database)
    database.check()
    database.close()
    assert [each.name for each in folder.iterdir()] == ["bookbell.db"]
    assert [each.name for each in tmp_path.iterdir()] == [name]
