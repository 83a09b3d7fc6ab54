"""How scenarios are run in turn, what of a failure is told, and that nothing waits for a process that has ended."""

import asyncio
import json
import sys
from pathlib import Path

import pytest
from bench.pages import BEGIN, END, write_pages

from bookbell.actions import ledger
from bookbell.bench.backlog import hooks_in
from bookbell.bench.figures import Figures, summarized
from bookbell.bench.lists import run_lists
from bookbell.bench.loader import run
from bookbell.bench.measuring import measure
from bookbell.bench.multitude import Multitude, fill
from bookbell.bench.processes import BenchError, Pinned, Sink, cores
from bookbell.bench.scenarios import Scenario
from bookbell.core.model import DeliveryState, Level
from bookbell.store import deliveries
from bookbell.store.database import Database
from bookbell.store.deliveries import Look


def scenario(*found: Figures | BaseException, is_long: bool = False) -> Scenario:
    left = list(found)

    def one() -> Figures:
        figures = left.pop(0)
        if isinstance(figures, BaseException):
            raise figures
        return figures

    return Scenario(title="t", target="", short=one, full=one, is_long=is_long)


def of(cpu_us: float) -> Figures:
    return Figures(count=1, cpu_us=cpu_us)


def test_medians_stand_beside_the_reference_of_the_same_runs() -> None:
    chosen = {"bare": scenario(of(10), of(12), of(11)), "a": scenario(of(40), of(44), of(99))}
    (_, row), is_whole = measure(chosen, runs=3, is_full=False, say=lambda _: None)
    assert is_whole
    assert row["runs"] == 3
    assert row["figures"]["cpu_us"] == {"median": 44, "min": 40, "max": 99}
    assert row["ratio_to_bare"] == 4


def test_a_scenario_that_fails_is_told_and_the_others_go_on() -> None:
    said: list[str] = []
    chosen = {"a": scenario(of(1), BenchError("The disk is full.")), "b": scenario(of(1), of(2), of(3))}
    (a, b), _ = measure(chosen, runs=3, is_full=False, say=said.append)
    assert (a["failed"], b["failed"]) == ("The disk is full.", None)
    assert any("failed: The disk is full." in line for line in said)
    assert b["figures"]["cpu_us"]["median"] == 2


def test_one_that_repeats_itself_runs_once() -> None:
    (row,), _ = measure({"a": scenario(of(7), is_long=True)}, runs=3, is_full=False, say=lambda _: None)
    assert row["figures"]["cpu_us"]["median"] == 7


def test_what_was_measured_before_an_interruption_is_given() -> None:
    said: list[str] = []
    chosen = {"bare": scenario(of(10), of(12)), "a": scenario(of(40), KeyboardInterrupt()), "b": scenario(of(7))}
    rows, is_whole = measure(chosen, runs=3, is_full=False, say=said.append)
    assert not is_whole
    assert [(row["name"], row["runs"], row["ratio_to_bare"]) for row in rows] == [
        ("bare", 2, None),
        ("a", 1, 40 / 11),
        ("b", 1, 7 / 11),
    ]
    assert "interrupted in run 2 of 3" in said[-1]
    assert measure({"a": scenario(KeyboardInterrupt())}, runs=1, is_full=False, say=print).rows == []


def test_figures_of_no_run_are_none() -> None:
    assert summarized([]) == {}


def test_a_process_that_ends_is_not_waited_for() -> None:
    with Sink(cores()[1]) as sink, Pinned([sys.executable, "-c", ""], cores()[0], environment={}) as sender:
        sender.process.wait()
        with pytest.raises(BenchError, match="ended with status 0"):
            sink.wait_for(1, 600, sender)
        with pytest.raises(BenchError, match="ended with status 0"):
            sender.line()


def test_one_that_is_not_waited_for_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Pinned] = []

    def interrupted(sink: Pinned) -> str:
        started.append(sink)
        raise KeyboardInterrupt

    monkeypatch.setattr(Pinned, "line", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Sink(cores()[1])
    assert started[0].process.returncode is not None


def test_a_load_whose_service_hangs_up_ends() -> None:
    async def story() -> dict[str, object]:
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        plan = {"requests": [["/", "{}"]], "token": "t", "count": 1, "connections": 1, "rate_per_s": 0}
        async with server:
            return await run(port, plan)

    assert asyncio.run(story())["refused"] == {"connection closed": 1}


def test_both_sizes_are_kept_and_shown(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(f"before\n{BEGIN}old\n{END}after\n")
    for size, cores_count in (("short", 2), ("full", 8), ("short", 4)):
        chosen = {"bare": scenario(of(10)), "a": scenario(BenchError("x|y"))}
        rows, _ = measure(chosen, runs=1, is_full=False, say=print)
        write_pages(
            tmp_path,
            {"code": f"commit of {size}", "size": size, "machine": {"cores": cores_count}, "runs": 1, "results": rows},
        )
    page = (tmp_path / "README.md").read_text()
    assert page.startswith("before\n")
    assert page.endswith("after\n")
    assert "old" not in page
    assert page.index("## Full size") < page.index("cores 8") < page.index("## Short size") < page.index("cores 4")
    assert "**failed**: x/y" in page
    assert json.loads((tmp_path / "results" / "full.json").read_text())["machine"] == {"cores": 8}


def test_a_multitude_is_what_publishers_would_have_left(tmp_path: Path) -> None:
    path = tmp_path / "bookbell.db"
    hooks = hooks_in(path, [f"http://127.0.0.1:9/{number}" for number in range(3)])
    fill(path, hooks, Multitude(count=30, from_at=1_000_000, spread_ms=1_000))
    done = Multitude(count=10, from_at=2_000_000, spread_ms=10, state=DeliveryState.DELIVERED)
    fill(path, hooks[:1], done)
    database = Database(f"sqlite:///{path}")
    try:
        lane_pk = hooks[1].lane_pk
        found = database.read_now(deliveries.due, {lane_pk: Look(Level.ACCOUNT, 100)}, now=3_000_000)[lane_pk]
        assert len(found) == 10
        assert len({each.due_at for each in found}) > 1
        audited = database.read_now(ledger.audit_slice, ledger.Range(since=0, before=3_000_000))
        assert list(audited.findings) == []
        assert database.read_now(lambda tx: tx.exec_driver_sql("SELECT count(*) FROM attempts").scalar_one()) == 10
    finally:
        database.close()


def test_lists_are_asked_for_among_as_many_as_wanted() -> None:
    found = run_lists(1_000)
    assert (found.lost, len(found.extra)) == (0, 7)
    assert all(value > 0 for value in found.extra.values())
