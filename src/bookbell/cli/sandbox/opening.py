"""Opens a sandbox: its folder, its settings, its organization and keys.

A folder is a sandbox's when it holds the marker; any other folder that holds something is refused, and so is
PostgreSQL, because everybody knows the sandbox's keys.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path

from bookbell.actions import accounts as acting
from bookbell.actions.stamp import Stamp
from bookbell.cli.sandbox import files
from bookbell.cli.sandbox.keys import KEYS, MARKER, OPERATOR_TOKEN, ORGANIZATION, PIPELINE_TOKEN, Key
from bookbell.config import Settings, StartError, read_settings
from bookbell.core.model import Account
from bookbell.service import Opened, open_parts
from bookbell.store import accounts
from bookbell.store.database import Tx
from bookbell.vault import hash_of_secret

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
HUMAN_MS, FAST_MS = 1_500, 60


@contextmanager
def folder_of(data: Path | None) -> Iterator[Path]:
    """The sandbox's folder: the one that was named, or a temporary one that is removed at the end.

    Raises: StartError when it is not a sandbox's, or PostgreSQL is set.
    """
    if (url := read_settings().database_url) and not url.startswith("sqlite"):
        raise StartError(
            "The sandbox keeps to a SQLite file of its own: its keys are known to everybody. Unset "
            "BOOKBELL_DATABASE_URL, or run `bookbell serve` on that database."
        )
    if data is None:
        with tempfile.TemporaryDirectory(prefix="bookbell-sandbox-") as made:
            yield _marked(Path(made))
    else:
        yield _marked(data)


def settings_of(folder: Path, *, port: int | None, is_fast: bool) -> Settings:
    """The settings of the sandbox in this folder; those it does not decide itself come from the environment."""
    return read_settings(
        data_dir=folder,
        database_url="",
        host="127.0.0.1",
        port=port,
        operator_token=OPERATOR_TOKEN,
        pipeline_token=PIPELINE_TOKEN,
        allow_networks=LOOPBACK,
        allow_short_hosts=True,
        preset="ocrolus",
        simulator_delay_ms=FAST_MS if is_fast else HUMAN_MS,
    )


def open_sandbox(settings: Settings) -> Opened:
    """Open the database and see to it that the organization and its keys are there."""
    parts = open_parts(settings)
    stamp = parts.stamp()
    parts.database.write_now(_seed, stamp)
    files.write_samples(settings.data_dir)
    for key in KEYS:
        path = settings.data_dir / f"credentials-{key.name}.json"
        path.write_text(json.dumps(key.as_credentials()) + "\n")
    return parts


def account_of(parts: Opened, key: Key) -> Account:
    """The account of a key."""
    found = parts.database.read_now(accounts.find_login, key.client_id)
    assert found is not None, "the sandbox is seeded when it is opened"
    return found[0]


def _marked(folder: Path) -> Path:
    marker = folder / MARKER
    if not marker.exists():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise StartError(
                f"{folder} is not a sandbox's: it lacks {MARKER} and is not an empty folder. Name a new folder with "
                "--data, or leave --data out for a temporary one."
            )
        folder.mkdir(parents=True, exist_ok=True)
        marker.write_text(json.dumps({"sandbox": True, "why": "its keys are public: never serve it to others"}) + "\n")
    return folder.absolute()


def _seed(tx: Tx, stamp: Stamp) -> None:
    organization = accounts.find_organization_by_name(tx, ORGANIZATION)
    if organization is None:
        organization = acting.create_organization(tx, ORGANIZATION, stamp)
    for key in KEYS:
        if accounts.find_login(tx, key.client_id) is None:
            wanted = acting.NewAccount(
                name=key.name,
                role=key.role,
                email=key.email,
                client_id=key.client_id,
                secret_hash=hash_of_secret(key.client_secret),
            )
            acting.create_account(tx, organization.id, wanted, stamp)
