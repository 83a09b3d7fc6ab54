"""Plays scenarios, each on a service of its own, and gives the verdict."""

import asyncio
import json
import threading
from collections.abc import Coroutine
from typing import Any

import typer
import uvloop

from bookbell import telemetry
from bookbell.cli.sandbox.inbox import Inbox
from bookbell.cli.sandbox.opening import folder_of, open_sandbox, settings_of
from bookbell.cli.sandbox.outgoing import Outgoing
from bookbell.cli.sandbox.player import Outcome, Player
from bookbell.cli.sandbox.receiver import Receiver, local_rules
from bookbell.cli.sandbox.relay import Relay
from bookbell.cli.sandbox.scenario import Scenario, chosen
from bookbell.cli.sandbox.watching import Watch
from bookbell.service import Opened, Role, Service

INTERRUPTED = 130


def play_all(names: list[str], receiver: Receiver, *, as_json: bool) -> int:
    """Play these. Gives the exit status: 0 all passed, 1 some did not, 130 interrupted. Raises: StartError."""
    scenarios, failed = chosen(names), 0
    for scenario in scenarios:
        outcomes, is_interrupted = _play(scenario, receiver)
        passed = len(outcomes) == len(scenario.lines) and all(each.is_ok for each in outcomes)
        failed += not passed
        verdict = "passed" if passed else "interrupted" if is_interrupted else "failed"
        typer.echo(_as_json(scenario, outcomes, passed) if as_json else _as_text(scenario, outcomes, verdict))
        if is_interrupted:
            return INTERRUPTED
    if not as_json and len(scenarios) > 1:
        typer.echo(f"\n{len(scenarios) - failed} of {len(scenarios)} scenarios passed")
    return 1 if failed else 0


def _play(scenario: Scenario, receiver: Receiver) -> tuple[list[Outcome], bool]:
    """What came of each step that was played, and whether the story was interrupted."""
    with folder_of(None) as folder, Outgoing(local_rules()) as outgoing:
        settings = settings_of(folder, port=0, is_fast=True)
        telemetry.set_up_logging(settings.log_format, is_quiet=True)
        parts = open_sandbox(settings)
        relay = Relay(outgoing, outgoing.target_of(receiver.url), parts.ambient)
        with Inbox(relay.handle) as inbox:
            return uvloop.run(_on_service(parts, scenario, relay, inbox.port, receiver))


async def _on_service(
    parts: Opened, scenario: Scenario, relay: Relay, relay_port: int, receiver: Receiver
) -> tuple[list[Outcome], bool]:
    """Start the service, play on a thread, stop the service. Ctrl-C stops the service and ends the story."""
    held = threading.Event()
    service = Service(parts, role=Role.ALL, is_simulating=True, is_held=held.is_set)
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(service.run(ready.set_result))
    await _first(serving, ready)
    if serving.done():
        await serving
        return [], True
    player = Player(ready.result(), relay, relay_port, receiver, Watch(relay, parts), held)
    playing = asyncio.create_task(asyncio.to_thread(player.play, scenario))
    await _first(serving, playing)
    is_interrupted = not playing.done()
    relay.closing.set()
    outcomes = await playing
    service.stop()
    await serving
    return outcomes, is_interrupted


async def _first(*awaited: "asyncio.Future[Any] | Coroutine[Any, Any, Any]") -> None:
    await asyncio.wait([asyncio.ensure_future(each) for each in awaited], return_when=asyncio.FIRST_COMPLETED)


def _as_text(scenario: Scenario, outcomes: list[Outcome], verdict: str) -> str:
    lines = [f"\n{scenario.title}  ({scenario.file})"]
    for each in outcomes:
        mark = typer.style("ok    ", fg="green") if each.is_ok else typer.style("FAILED", fg="red", bold=True)
        lines.append(f"  {mark} {each.line:>3}: {each.step:<13} {each.message}")
    if len(outcomes) < len(scenario.lines):
        lines.append(f"  the remaining {len(scenario.lines) - len(outcomes)} steps were not played")
    seconds = sum(each.took_ms for each in outcomes) / 1000
    word = typer.style(verdict, fg="green" if verdict == "passed" else "red", bold=True)
    return "\n".join([*lines, f"  {word} ({seconds:.1f} s)"])


def _as_json(scenario: Scenario, outcomes: list[Outcome], passed: bool) -> str:
    return json.dumps(
        {
            "scenario": scenario.file.stem,
            "title": scenario.title,
            "passed": passed,
            "steps_unplayed": len(scenario.lines) - len(outcomes),
            "steps": [
                {
                    "line": each.line,
                    "step": each.step,
                    "ok": each.is_ok,
                    "message": each.message,
                    "took_ms": each.took_ms,
                }
                for each in outcomes
            ],
        },
        ensure_ascii=False,
    )
