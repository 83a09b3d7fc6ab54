"""Files are parsed in children that may be ended at any time; the next file is not harmed by it."""

import asyncio
import os
import signal
import threading
from pathlib import Path

import pytest

from bookbell.core.model import OrganizationId
from bookbell.web import inspection
from bookbell.web.inspection import is_image, page_count
from in_process import file_of

ONE, TWO = OrganizationId("one"), OrganizationId("two")


@pytest.fixture
def statement(tmp_path: Path) -> Path:
    path = tmp_path / "statement.pdf"
    path.write_bytes(file_of("pdf:3")[1])
    return path


def test_many_files_at_once_are_each_answered_rightly(statement: Path, tmp_path: Path) -> None:
    picture = tmp_path / "picture"
    picture.write_bytes(file_of("png")[1])

    async def ask() -> list[int | bool | None]:
        asked = [
            page_count(statement, ONE),
            is_image(picture, TWO),
            page_count(picture, ONE),
            is_image(statement, TWO),
        ] * 5
        return list(await asyncio.gather(*asked))

    assert asyncio.run(ask()) == [3, True, None, False] * 5


def test_files_that_wait_to_be_inspected_hold_up_no_other_file(
    statement: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_over = threading.Event()
    monkeypatch.setattr(inspection._pool, "ask", lambda _kind, _path: is_over.wait(30) and 1)

    async def ask() -> bytes:
        waiting = [asyncio.create_task(page_count(statement, ONE)) for _ in range(50)]
        await asyncio.sleep(0)
        try:
            async with asyncio.timeout(10):
                return await asyncio.to_thread(statement.read_bytes)
        finally:
            is_over.set()
            await asyncio.gather(*waiting)

    assert asyncio.run(ask()).startswith(b"%PDF-")


def test_files_of_one_organization_hold_up_those_of_another_no_longer_than_one_of_them_takes(
    statement: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_into: list[str] = []

    def ask(kind: str, _path: Path) -> int:
        looked_into.append(kind)
        return 1

    monkeypatch.setattr(inspection._pool, "ask", ask)

    async def play() -> None:
        many = [asyncio.create_task(page_count(statement, ONE)) for _ in range(50)]
        await asyncio.sleep(0)
        await is_image(statement, TWO)
        assert looked_into.index("image") < 5
        await asyncio.gather(*many)

    asyncio.run(play())
    assert len(looked_into) == 51
    assert not inspection._turns


def test_a_helper_that_was_ended_is_replaced(statement: Path) -> None:
    assert asyncio.run(page_count(statement, ONE)) == 3
    for helper in inspection._pool._free:
        os.killpg(helper._process.pid, signal.SIGKILL)
    assert [asyncio.run(page_count(statement, ONE)) for _ in range(3)] == [3, 3, 3]


def test_a_file_that_eats_memory_is_not_valid(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(_png_of(60_000, 60_000))
    assert not asyncio.run(is_image(bomb, ONE))


def _png_of(width: int, height: int) -> bytes:
    """The head of a PNG that says it is this large."""
    head = width.to_bytes(4) + height.to_bytes(4) + b"\x08\x02\0\0\0"
    return b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + head + b"\0\0\0\0"
