"""The whole web edge in this process, over a real database, with people who ask and files they send.

`Peopled` is a database with its cast (fixtures `peopled`, `peopled_sqlite`, `peopled_postgresql` in conftest.py);
`opened` is the application over it and a client; `file_of` makes the files that tests upload.
"""

import contextlib
import io
import shlex
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

import httpx
from PIL import Image
from pypdf import PdfWriter

from bookbell.actions import accounts
from bookbell.actions.accounts import NewAccount
from bookbell.actions.stamp import Stamp
from bookbell.ambient import RealAmbient
from bookbell.core.attempt import Report, Request
from bookbell.core.guard import GuardRules, judge_address
from bookbell.core.model import Account, LanePk, Made, Role
from bookbell.delivery.exchange import Exchange
from bookbell.delivery.sender import Sender
from bookbell.store.database import Database
from bookbell.vault import Vault, hash_of_secret
from bookbell.web import auth
from bookbell.web.app import App
from bookbell.web.context import Context
from bookbell.web.routes import ROUTES

MASTER_KEY = "A" * 43
OPERATOR_TOKEN = "operator-token"
PIPELINE_TOKEN = "pipeline-token"
GUARD = GuardRules(allowed_networks=(ip_network("127.0.0.0/8"),))
UPLOAD_BYTES_MAX = 5_000_000


@dataclass(frozen=True, slots=True)
class Member:
    """One API account and its secret."""

    account: Account
    secret: str


Cast = dict[str, Member]
"""Accounts by their part: `one` and `two` (standard) and `manager` of one organization, `other` of another one."""


class MovableAmbient(RealAmbient):
    """The world as it is, but later."""

    def __init__(self) -> None:
        super().__init__()
        self.later_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.later_ms


@dataclass(frozen=True, slots=True)
class Peopled:
    """A migrated database with the cast in it, and a folder for uploads."""

    database: Database
    cast: Cast
    blob_dir: Path


@dataclass(frozen=True, slots=True)
class Opened:
    """The application that runs. rung: every lane that was rung, in order; made: the deliveries that went along."""

    app: App
    client: httpx.AsyncClient
    context: Context
    ambient: MovableAmbient
    cast: Cast
    rung: list[LanePk]
    made: list[Made]

    def credentials(self, who: str) -> dict[str, str]:
        """The headers by which somebody asks: a part of the cast, `operator`, `pipeline` or `nobody`."""
        match who:
            case "nobody":
                return {}
            case "operator":
                return {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
            case "pipeline":
                return {"Authorization": f"Bearer {PIPELINE_TOKEN}"}
            case _:
                now_s = self.ambient.now_ms() // 1000
                token = auth.mint(self.cast[who].account, self.context.vault, now_s=now_s)
                return {"Authorization": f"Bearer {token}"}


def with_cast(database: Database) -> Cast:
    """Two organizations and their accounts, added to this database."""
    ambient = RealAmbient()
    stamp = Stamp(ambient.now_ms(), ambient.new_id)
    penny = database.write_now(accounts.create_organization, "PennyMae", stamp).id
    quick = database.write_now(accounts.create_organization, "QuickLend", stamp).id
    cast: Cast = {}
    for name, organization, role in (
        ("one", penny, Role.STANDARD),
        ("two", penny, Role.STANDARD),
        ("manager", penny, Role.MANAGER),
        ("other", quick, Role.STANDARD),
    ):
        secret = f"secret-of-{name}"
        wanted = NewAccount(
            name=name,
            role=role,
            email=f"{name}@lender.example",
            client_id=f"client-{name}",
            secret_hash=hash_of_secret(secret),
        )
        cast[name] = Member(database.write_now(accounts.create_account, organization, wanted, stamp), secret)
    return cast


@contextlib.asynccontextmanager
async def opened(
    peopled: Peopled, *, is_stopping: bool = False, upload_bytes_max: int = UPLOAD_BYTES_MAX
) -> AsyncIterator[Opened]:
    """The application over this database. Requests to receivers really go out, to loopback addresses only."""
    ambient, rung, made = MovableAmbient(), list[LanePk](), list[Made]()

    def ring(lanes: Iterable[LanePk], new: Sequence[Made]) -> None:
        rung.extend(lanes)
        made.extend(new)

    async with _sending() as sending:
        context = Context(
            database=peopled.database,
            ambient=ambient,
            vault=Vault(MASTER_KEY),
            guard=GUARD,
            operator_tokens=(OPERATOR_TOKEN,),
            pipeline_tokens=(PIPELINE_TOKEN,),
            preset="standard",
            blob_dir=peopled.blob_dir,
            upload_bytes_max=upload_bytes_max,
            send=sending.send,
            ring=ring,
            is_stopping=lambda: is_stopping,
        )
        app = App(context, ROUTES)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://bookbell.test", trust_env=False) as client:
            yield Opened(app, client, context, ambient, peopled.cast, rung, made)


class _Sending:
    """Sends through a real sender, which starts with the first request: most tests send none."""

    def __init__(self) -> None:
        self.exchange = Exchange()
        self.sender: Sender | None = None

    async def send(self, request: Request) -> Report:
        if self.sender is None:
            self.sender = Sender(lambda address: judge_address(address, GUARD), deliver=self.exchange.deliver)
            self.sender.start()
            self.exchange.connect(self.sender)
        return await self.exchange.send(request)


@contextlib.asynccontextmanager
async def _sending() -> AsyncIterator[_Sending]:
    sending = _Sending()
    try:
        yield sending
    finally:
        if sending.sender is not None:
            sending.sender.stop()


def file_of(recipe: str) -> tuple[str, bytes]:
    """Name and content of a test file: a kind, then `name=` and `salt=` (another content of the same kind).

    Kinds: `pdf:3` (pages), `locked` (a PDF with a password), `png`, `jpeg`, `bmp`, `tiff`, `tiff:2` (pages), `gif`,
    `text`, `empty`, `json` (an object), `jsonlist`.
    """
    kind, *options = shlex.split(recipe)
    given = dict(option.split("=", 1) for option in options)
    kind, _, count = kind.partition(":")
    salt = given.get("salt", "")
    name = given.get("name", f"file.{'pdf' if kind == 'locked' else kind}")
    match kind:
        case "pdf" | "locked":
            return name, _pdf(int(count or 1), salt, password="secret" if kind == "locked" else None)
        case "text" | "empty":
            return name, f"just text {salt}".encode() if kind == "text" else b""
        case "json" | "jsonlist":
            return name, (f'{{"report": "{salt}"}}' if kind == "json" else "[]").encode()
        case _:
            return name, _image(kind, int(count or 1), salt)


def _pdf(page_count: int, salt: str, password: str | None) -> bytes:
    writer = PdfWriter()
    for _ in range(page_count):
        writer.add_blank_page(width=100, height=100)
    writer.add_metadata({"/Title": salt})
    if password is not None:
        writer.encrypt(password, algorithm="RC4-128")
    output = io.BytesIO()
    writer.write(output)
    return output.getvalue()


def _image(kind: str, frame_count: int, salt: str) -> bytes:
    color = int.from_bytes(salt.encode()[-3:].rjust(3, b"\1"))
    frames = [Image.new("RGB", (8 + number, 8), color) for number in range(frame_count)]
    output = io.BytesIO()
    more = {"save_all": True, "append_images": frames[1:]} if frame_count > 1 else {}
    frames[0].save(output, format=kind.upper(), **more)
    return output.getvalue()
