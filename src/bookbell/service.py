"""Composition root: builds the parts, starts them, stops them.

Start: settings → database (migrated here on SQLite, checked on PostgreSQL) → sender → engine → simulator → listener.
Stop (SIGTERM, SIGINT): not ready → no new connections and no new claims → what is in flight finishes or is
released → sender → database.
"""

import asyncio
import contextlib
import gc
import resource
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from bookbell import telemetry, worker_names
from bookbell.actions.stamp import Stamp
from bookbell.ambient import RealAmbient
from bookbell.config import Settings, StartError
from bookbell.core import limits
from bookbell.core.guard import GuardRules, judge_address
from bookbell.core.model import LanePk, Made
from bookbell.delivery.engine import Engine
from bookbell.delivery.exchange import Exchange
from bookbell.delivery.far_bell import FarBell
from bookbell.delivery.parts import POLL_MS, EngineParts
from bookbell.delivery.replaying import Replayer
from bookbell.delivery.sender import Sender
from bookbell.delivery.worker import open_destination
from bookbell.keeping.auditor import audit
from bookbell.keeping.batches import Chores
from bookbell.keeping.pruner import prune
from bookbell.pipeline.simulator import Simulator
from bookbell.store import sealed
from bookbell.store.database import Database, DatabaseError
from bookbell.store.upgrade import missing, upgrade
from bookbell.vault import Vault, VaultError, kept_keys, keys_now
from bookbell.web import health
from bookbell.web.app import App
from bookbell.web.context import Context
from bookbell.web.discarding import remove_discarded, sweep
from bookbell.web.routes import ROUTES
from bookbell.web.server import Server
from bookbell.web.throttle import Throttle

GC_THRESHOLDS = (50_000, 20, 50)  # deliveries come by the thousand and hold no cycles
SWITCH_INTERVAL_S = 0.001  # a saturated loop would otherwise starve the store's threads
PRUNE_MS = 60_000
OPEN_FILES_MAX = 65_536


class Role(StrEnum):
    """What a process does: answer requests, deliver, or both. Each answers how it is, on its port."""

    ALL = "all"
    API = "api"
    WORKER = "worker"


@dataclass(frozen=True, slots=True)
class Opened:
    """The parts that commands and the service share."""

    settings: Settings
    vault: Vault
    database: Database
    ambient: RealAmbient

    @property
    def operator_token(self) -> str:
        return self.operator_tokens[0]

    @property
    def pipeline_token(self) -> str:
        return self.pipeline_tokens[0]

    @property
    def operator_tokens(self) -> list[str]:
        """The operator's token, and those of older master keys that are still believed."""
        return [self.settings.operator_token] if self.settings.operator_token else self.vault.tokens("operator")

    @property
    def pipeline_tokens(self) -> list[str]:
        """The same for the pipeline."""
        return [self.settings.pipeline_token] if self.settings.pipeline_token else self.vault.tokens("pipeline")

    @property
    def key_file(self) -> Path | None:
        """Where the master keys are kept; None when a setting holds them."""
        return None if self.settings.master_key else key_file_in(self.settings)

    def stamp(self) -> Stamp:
        """Now, with fresh ids."""
        return Stamp(self.ambient.now_ms(), self.ambient.new_id)

    @property
    def chores(self) -> Chores:
        """What work in the background is done with, under a name that no other process has."""
        owner = worker_names.new_name(self.ambient.new_id()[-12:])
        return Chores(database=self.database, ambient=self.ambient, owner=owner)

    @property
    def guard(self) -> GuardRules:
        return GuardRules(self.settings.allow_networks, self.settings.allow_short_hosts)


def open_parts(settings: Settings, *, is_checked: bool = True) -> Opened:
    """Open vault and database. Raises: StartError when a key is missing or the schema is not up to date."""
    if settings.database_url and not settings.database_url.startswith("sqlite") and not settings.master_key:
        raise StartError(
            "BOOKBELL_MASTER_KEY is not set. With PostgreSQL every process needs the same key: make one with "
            "`bookbell key` and give it to all of them."
        )
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds clients' documents
        has_key = bool(settings.master_key) or key_file_in(settings).exists()
        vault = _open_vault(settings) if has_key else None
    except OSError as error:
        raise StartError(f"The data folder {settings.data_dir} cannot be used: {error.strerror}.") from error
    database = _open_database(settings, is_checked=is_checked)
    try:
        return Opened(settings, vault or _first_vault(settings, database), database, RealAmbient())
    except StartError:
        database.close()
        raise


def key_file_in(settings: Settings) -> Path:
    """Where the master keys are kept when no setting holds them."""
    return settings.data_dir / "master.key"


def _open_vault(settings: Settings) -> Vault:
    others = [each.strip() for each in settings.master_keys_old.split(",") if each.strip()]
    path = key_file_in(settings)
    ring = [settings.master_key] if settings.master_key else kept_keys(path)
    if not ring:
        raise StartError(f"{path} holds no master key.")
    place = "BOOKBELL_MASTER_KEY" if settings.master_key else str(path)
    try:
        if settings.master_key:
            return Vault(settings.master_key, others)
        return Vault(
            ring[0], [*ring[1:], *others], reread=lambda: [*found, *others] if (found := keys_now(path)) else []
        )
    except VaultError as error:
        raise VaultError(f"{place}{' or BOOKBELL_MASTER_KEYS_OLD' if others else ''}: {error}") from error


def _first_vault(settings: Settings, database: Database) -> Vault:
    """With a new key, which is made only where nothing is sealed yet: else the one it was sealed under is lost."""
    if database.read_now(sealed.is_any):
        raise StartError(
            f"{key_file_in(settings)} is not there, and the database holds URLs and secrets that only the keys in it "
            "open. Put the file back, or set BOOKBELL_MASTER_KEY."
        )
    return _open_vault(settings)


def _open_database(settings: Settings, *, is_checked: bool) -> Database:
    try:
        database = Database(settings.database)
    except DatabaseError as error:
        raise StartError(str(error)) from error
    try:
        database.check()
        if database.is_sqlite:
            upgrade(database)
        elif is_checked and (revision := missing(database)):
            raise StartError(f"The database lacks migration {revision}. Run `bookbell db upgrade` once.")
    except DatabaseError as error:
        database.close()
        raise StartError(str(error)) from error
    except StartError:
        database.close()
        raise
    return database


class Service:
    """One process of bookbell. Make it and run it on one event loop."""

    def __init__(
        self,
        opened: Opened,
        *,
        role: Role,
        is_simulating: bool,
        is_held: Callable[[], bool] = lambda: False,
        poll_ms: int = POLL_MS,
    ) -> None:
        """is_held: whether the simulator rests; poll_ms: how late work is found that no bell tells of."""
        self._opened = opened
        self._settings = opened.settings
        self._role = role
        self._is_simulating = is_simulating
        self._is_held = is_held
        self._stop = asyncio.Event()
        self._is_stopping = False
        self._exchange = Exchange()
        guard = opened.guard
        self._sender = Sender(
            lambda address: judge_address(address, guard),
            deliver=self._exchange.deliver,
            proxy=self._settings.proxy or None,
        )
        self._engine = self._make_engine(guard, poll_ms) if role is not Role.API else None
        self._bell = self._make_bell()
        self._exchange.connect(self._sender, self._engine.on_reports if self._engine else None)

    def _make_engine(self, guard: GuardRules, poll_ms: int) -> Engine:
        vault = self._opened.vault
        return Engine(
            EngineParts(
                database=self._opened.database,
                ambient=self._opened.ambient,
                transport=self._exchange,
                open_destination=lambda config: open_destination(config, vault, guard),
                worker=worker_names.new_name(self._opened.ambient.new_id()[-12:]),
                is_gone=worker_names.is_gone,
                lease_ms=self._settings.lease_ms,
                poll_ms=poll_ms,
            )
        )

    def _make_bell(self) -> FarBell | None:
        """The bell between processes. With SQLite they are few, and the poll finds what another one published."""
        if self._opened.database.is_sqlite:
            return None
        hear = self._engine.hint if self._engine else lambda _lanes: None
        return FarBell(self._opened.database, self._opened.ambient, hear)

    def stop(self) -> None:
        """Ask for an orderly stop; `run` returns when it is done."""
        self._stop.set()

    async def run(self, on_ready: Callable[[str], None] = lambda _address: None) -> None:
        """Serve until stopped. on_ready: called with the base URL once requests are answered there."""
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        allow_open_files()
        gc.collect()
        gc.freeze()  # what was imported stays for good, and needs not be looked through again
        gc.set_threshold(*GC_THRESHOLDS)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        self._sender.start()
        engine = asyncio.create_task(self._engine.run()) if self._engine else None
        side = [asyncio.create_task(each) for each in self._side_tasks()]
        try:
            await self._serve(on_ready)
        finally:
            self._begin_stopping()
            for task in side:
                task.cancel()
            await asyncio.gather(*side, return_exceptions=True)
            unfinished = 0
            if engine:
                unfinished = await engine
            self._sender.stop()
            await asyncio.to_thread(self._opened.database.close)
            telemetry.log().info("service_stopped", unfinished=unfinished)

    async def _serve(self, on_ready: Callable[[str], None]) -> None:
        listener = _listen(self._settings)
        if self._role is not Role.WORKER:
            silent_since = self._opened.ambient.now_ms() - limits.UPLOAD_SILENCE_MS_MAX
            await sweep(self._opened.database, self._settings.blob_dir, before=silent_since)
        host, port = listener.getsockname()[:2]
        routes = health.routes if self._role is Role.WORKER else ROUTES
        server = Server(App(self._context(), routes), shutdown_ms=self._settings.shutdown_ms)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await _first(server.is_up.wait(), serving)
        self._announce(f"http://{f'[{host}]' if ':' in host else host}:{port}", on_ready)
        await _first(self._stop.wait(), serving)
        self._begin_stopping()
        server.should_exit = True
        await serving

    def _begin_stopping(self) -> None:
        """Say so, and send nothing new: requests from clients and to receivers have the same time to end."""
        if not self._is_stopping:
            self._is_stopping = True
            telemetry.log().info("service_stopping", role=self._role.value)
            if self._engine:
                self._engine.stop(self._settings.shutdown_ms)

    def _announce(self, address: str, on_ready: Callable[[str], None]) -> None:
        telemetry.log().info(
            "service_started",
            address=address,
            role=self._role.value,
            database="sqlite" if self._opened.database.is_sqlite else "postgresql",
        )
        on_ready(address)

    def _context(self) -> Context:
        opened = self._opened
        return Context(
            database=opened.database,
            ambient=opened.ambient,
            vault=opened.vault,
            guard=opened.guard,
            operator_tokens=tuple(opened.operator_tokens),
            pipeline_tokens=tuple(opened.pipeline_tokens),
            preset=self._settings.preset,
            blob_dir=self._settings.blob_dir,
            upload_bytes_max=self._settings.upload_bytes_max,
            are_books_public=self._settings.books_public,
            are_books_paginated=self._settings.books_paginated,
            send=self._exchange.send,
            ring=self._ring,
            throttle=Throttle(self._settings.rate_limit_per_s),
            is_always_200=self._settings.always_200,
            is_stopping=self._stop.is_set,
            org_webhooks_max=self._settings.org_webhooks_max,
        )

    def _ring(self, lanes: Iterable[LanePk], made: Sequence[Made] = ()) -> None:
        if self._engine:
            self._engine.ring(lanes, made)
        if self._bell:
            self._bell.ring(lanes)

    def _side_tasks(self) -> list[Coroutine[None, None, None]]:
        opened, tasks = self._opened, []
        if self._is_simulating:
            simulator = Simulator(
                opened.database, opened.ambient, self._ring, self._settings.simulator_delay_ms, self._is_held
            )
            tasks.append(simulator.run())
        if self._bell:
            tasks.append(self._bell.tell())
            if self._engine:
                tasks.append(self._bell.listen())
        if self._role is not Role.API:
            tasks.append(Replayer(opened.database, opened.ambient, self._ring).run())
            tasks.append(self._housekeeping("retention", lambda: prune(opened.chores, self._settings.keeping)))
            tasks.append(self._housekeeping("audit", lambda: audit(opened.chores)))
        if self._role is not Role.WORKER:
            tasks.append(self._housekeeping("files", self._remove_files))
        return tasks

    async def _housekeeping(self, name: str, step: Callable[[], Awaitable[object]]) -> None:
        """Take a bounded step now and then, for ever."""
        while True:
            await self._opened.ambient.sleep_ms(PRUNE_MS)
            try:
                await step()
            except Exception:  # noqa: BLE001 - the border of a loop's turn
                telemetry.log().error("loop_failed", loop=name, exc_info=True)

    async def _remove_files(self) -> None:
        """Files that removed books and documents have left: where requests are answered, there the files are."""
        now = self._opened.ambient.now_ms()
        await remove_discarded(self._opened.database, self._settings.blob_dir, at=now)


def allow_open_files() -> None:
    """Have as many files open as the system lets this process have: what shells and systemd begin with, 1,024, is less
    than the requests that may be in flight, and receivers that hang would leave no socket to others and to the API.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # some systems have a bound of their own
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _first(awaited: Coroutine[Any, Any, Any], serving: asyncio.Task[None]) -> None:
    """Wait for one thing, or for the server to end by itself."""
    waiting = asyncio.create_task(awaited)
    await asyncio.wait({waiting, serving}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise StartError(
            f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}. "
            "Choose another with --port or BOOKBELL_PORT; 0 takes a free one."
        ) from error
    listener.listen(1024)
    return listener
