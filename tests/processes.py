"""Real processes of the service for the end-to-end tests, and what drives them over their HTTP API."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bookbell.cli.api_client import ApiClient, ApiError

WAIT_S = 40.0
MASTER_KEY = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
OPERATOR, PIPELINE = "operator-token", "pipeline-token"
SETTINGS = "/v1/account/settings"


def until(what: str, is_true: Callable[[], Any], wait_s: float = WAIT_S) -> Any:
    """Look again and again until it is true. Fails with what was awaited."""
    pause = threading.Event()
    for _ in range(int(wait_s / 0.02)):
        found = is_true()
        if found:
            return found
        pause.wait(0.02)
    raise AssertionError(f"in vain: {what}")


class Service:
    """One process of `bookbell serve`, on a port that stays the same over restarts."""

    program: tuple[str, ...] = ("-m", "bookbell.cli.main", "serve")

    def __init__(self, folder: Path, *arguments: str, **settings: str) -> None:
        self.folder = folder
        self.port = 0
        self._arguments = arguments
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("BOOKBELL_")},
            "BOOKBELL_DATA_DIR": str(folder / "data"),
            "BOOKBELL_MASTER_KEY": MASTER_KEY,
            "BOOKBELL_OPERATOR_TOKEN": OPERATOR,
            "BOOKBELL_PIPELINE_TOKEN": PIPELINE,
            "BOOKBELL_ALLOW_NETWORKS": "127.0.0.0/8",
            "BOOKBELL_LEASE_MS": "2000",
            "BOOKBELL_RATE_LIMIT_PER_S": "0",
            "PYTHONWARNINGS": "default",
            **{f"BOOKBELL_{name.upper()}": value for name, value in settings.items()},
        }
        self.start()

    def set(self, **settings: str) -> None:
        """Other settings, for commands and from the next start on."""
        self.environment |= {f"BOOKBELL_{name.upper()}": value for name, value in settings.items()}

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._log = (self.folder / "service.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, *self.program, "--port", str(self.port), *self._arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "bookbell is ready" in line, f"{line}{self.log()}"
        self.port = int(line.rsplit(":", 1)[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def log(self) -> str:
        """What it has logged, all restarts together."""
        return (self.folder / "service.log").read_text()

    def kill(self) -> None:
        """kill -9; a process that has ended already is only cleaned up."""
        self.process.kill()
        self._reap()

    def stop(self) -> int:
        """SIGTERM. Gives the exit status."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(WAIT_S)
        self._reap()
        return status

    def _reap(self) -> None:
        self.process.wait(WAIT_S)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._log.close()

    def begin(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a bookbell command on this service's database, and do not wait for it."""
        return subprocess.Popen(
            [sys.executable, "-m", "bookbell.cli.main", *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
        )

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a bookbell command on this service's database."""
        return subprocess.run(
            [sys.executable, "-m", "bookbell.cli.main", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )


@contextmanager
def running(*services: Service) -> Iterator[None]:
    """End these processes at the end, whatever happens."""
    try:
        yield
    finally:
        for service in services:
            service.kill()
    for service in services:
        assert "Warning" not in service.log(), service.log()


@dataclass(frozen=True, slots=True)
class Client:
    """One account, signed in, with its own names."""

    api: ApiClient
    client_id: str
    client_secret: str
    organization_id: str

    def register(self, url: str, *events: str, **policy: Any) -> None:
        """Register the webhook, and change its policy."""
        self.api.post(f"{SETTINGS}/update/webhook_endpoint", {"webhook_endpoint": url, "event": list(events)})
        if policy:
            self.api.put(f"{SETTINGS}/webhook/policy", policy)

    def add_book(self, name: str) -> dict[str, Any]:
        """Create a book."""
        book: dict[str, Any] = self.api.post("/v1/book/add", {"name": name})
        return book

    def deliveries(self, **query: Any) -> list[dict[str, Any]]:
        """A page of deliveries, newest first."""
        found: list[dict[str, Any]] = self.api.get("/v1/deliveries", **query)["deliveries"]
        return found


def sign_up(url: str, organization: str, *names: str) -> list[Client]:
    """An organization with an account for each name."""
    operator = ApiClient(url, OPERATOR)
    made = operator.post("/platform/v1/organizations", {"name": organization})
    return [add_account(url, made["id"], name) for name in names]


def add_account(url: str, organization_id: str, name: str, role: str = "standard") -> Client:
    """Another account of an organization, signed in."""
    operator = ApiClient(url, OPERATOR)
    account = operator.post(f"/platform/v1/organizations/{organization_id}/accounts", {"name": name, "role": role})
    api = ApiClient(url).signed_in(account["client_id"], account["client_secret"])
    return Client(api, account["client_id"], account["client_secret"], organization_id)


def fill_book(client: Client, name: str, document_count: int) -> list[str]:
    """A book with that many classified documents, cut out of one mixed PDF. Gives their uuids."""
    book = client.add_book(name)
    uploaded = client.api.upload("/v1/book/upload/mixed", {"pk": str(book["pk"])}, f"{name}.pdf", pdf(1, name))
    mixed = uploaded["mixed_uploaded_docs"][0]["uuid"]
    pipeline = ApiClient(client.api.base_url, PIPELINE)
    report: dict[str, Any] = {"documents": [{} for _ in range(document_count)]}
    made = pipeline.post(f"/platform/v1/mixed-documents/{mixed}/classified", report)
    return [document["uuid"] for document in made["documents"]]


def verify_all(url: str, uuids: list[str], *, batch: int = 50) -> None:
    """Report these documents as verified, in batches."""
    pipeline = ApiClient(url, PIPELINE)
    for start in range(0, len(uuids), batch):
        chunk = uuids[start : start + batch]
        reports = [{"subject": "document", "uuid": uuid, "status": "VERIFICATION_COMPLETE"} for uuid in chunk]
        pipeline.post("/platform/v1/reports", {"reports": reports})


def pdf(page_count: int, title: str) -> bytes:
    """A small real PDF; each title gives other bytes."""
    import io

    from pypdf import PdfWriter

    writer = PdfWriter()
    for _ in range(page_count):
        writer.add_blank_page(width=200, height=200)
    writer.add_metadata({"/Title": title})
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


__all__ = [
    "ApiError",
    "Client",
    "Service",
    "add_account",
    "fill_book",
    "pdf",
    "running",
    "sign_up",
    "until",
    "verify_all",
]
