"""Uploads: streamed to disk, taken or refused for what they are, and nothing left of those that fail."""

import asyncio
import contextlib
import hashlib
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from bookbell.store.database import Database
from bookbell.web.discarding import sweep
from bookbell.web.files import TEMPORARY_SUFFIX as SUFFIX
from bookbell.web.files import WRITE_BYTES, sweep_temporary
from in_process import UPLOAD_BYTES_MAX, Opened, Peopled, file_of, opened
from raw_asgi import call
from web.refusals import assert_refused, changing_nothing, headers_of
from web.routes_of import NOBODYS_ID

PDF, MIXED, IMAGE = "/v1/book/upload", "/v1/book/upload/mixed", "/v1/book/upload/image"
BOUNDARY = "multipart/form-data; boundary=x"
CHUNK_BYTES = 65_536


def part(name: str, value: bytes, more: str = "") -> bytes:
    """One part of a form with the boundary x."""
    return f'--x\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value + b"\r\n"


def upload_of(content: bytes, *, name: str = "a.pdf", pk: int = 1) -> bytes:
    """A whole form with a book and a file."""
    return part("pk", str(pk).encode()) + part("upload", content, f'; filename="{name}"') + b"--x--\r\n"


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def run(peopled: Peopled, play: Callable[[Opened], Awaitable[None]], **settings: Any) -> None:
    async def opening() -> None:
        async with opened(peopled, **settings) as app:
            await play(app)

    asyncio.run(opening())


async def new_book(app: Opened, who: str = "one") -> int:
    name = f"Loan {app.context.ambient.new_id()}"
    answer = await app.client.post("/v1/book/add", json={"name": name}, headers=app.credentials(who))
    pk: int = answer.json()["response"]["pk"]
    return pk


async def upload(app: Opened, path: str, pk: int, recipe: str, **more: str) -> Any:
    """Upload a test file. Gives the answer's `response`."""
    answer = await app.client.post(
        path, data={"pk": str(pk), **more}, files={"upload": file_of(recipe)}, headers=app.credentials("one")
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["response"]


async def status(app: Opened, pk: int) -> Any:
    answer: httpx.Response = await app.client.get(f"/v1/book/status?pk={pk}", headers=app.credentials("one"))
    return answer.json()["response"]


def test_a_large_upload_is_written_while_it_arrives(peopled_sqlite: Peopled) -> None:
    size_bytes = 50 * 1024 * 1024
    folder = peopled_sqlite.blob_dir
    held: list[int] = []

    def arriving() -> Iterator[bytes]:
        sent = 0
        yield part("pk", b"1") + b'--x\r\nContent-Disposition: form-data; name="upload"; filename="big.pdf"\r\n\r\n'
        for _ in range(size_bytes // CHUNK_BYTES):
            yield b"\0" * CHUNK_BYTES
            sent += CHUNK_BYTES
            # Asked for more, so the chunk before is dealt with: what is not on disk is held in memory.
            held.append(sent - sum(path.stat().st_size for path in files_in(folder)))
        yield b"\r\n--x--\r\n"

    async def play(app: Opened) -> None:
        await new_book(app)
        answer = await call(app.app, "POST", PDF, headers_of(app, "one", BOUNDARY), arriving())
        assert answer.json()["response"]["message"] == "big.pdf is not a valid pdf\n"

    run(peopled_sqlite, play, upload_bytes_max=size_bytes)
    assert len(held) == size_bytes // CHUNK_BYTES
    assert max(held) <= WRITE_BYTES + 2 * CHUNK_BYTES
    assert files_in(folder) == []


def test_an_upload_is_kept_as_it_was_sent(peopled_sqlite: Peopled) -> None:
    name, content = file_of("pdf:3 name=statement.pdf")

    async def play(app: Opened) -> None:
        pk = await new_book(app)
        (shown,) = (await upload(app, PDF, pk, "pdf:3 name=statement.pdf"))["uploaded_docs"]
        assert (shown["name"], shown["page_count"]) == (name, 3)
        assert shown["checksum"] == hashlib.md5(content).hexdigest()
        (document,) = (await status(app, pk))["docs"]
        assert (document["uuid"], document["status"], document["pages"]) == (shown["uuid"], "QUEUED", 3)

    run(peopled_sqlite, play)
    (blob,) = files_in(peopled_sqlite.blob_dir)
    assert blob.read_bytes() == content


@pytest.mark.parametrize(("path", "kind"), [(PDF, "pdf"), ("/v1/book/upload/json", "json"), (MIXED, "pdf")])
@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("filename=\"a.pdf\"; filename*=utf-8''s%C3%A9.pdf", "sé.pdf"),
        ("filename=\"=?utf-8?B?c8OpLnBkZg==?=\"; filename*=utf-8''s%C3%A9.pdf", "sé.pdf"),
        ("filename*=UTF-8'en'dir%2Fs%C3%A9.pdf", "sé.pdf"),
        ("filename*=iso-8859-1''s%E9.pdf", "sé.pdf"),
        ("filename=\"a.pdf\"; filename*=utf-8''%ff", "a.pdf"),
        ("filename=\"a; filename*=utf-8''b.pdf\"", "a; filename*=utf-8''b.pdf"),
    ],
)
def test_a_file_may_have_an_encoded_name(path: str, kind: str, given: str, name: str, peopled_sqlite: Peopled) -> None:
    async def play(app: Opened) -> None:
        _, content = file_of(kind)
        form = part("pk", str(await new_book(app)).encode()) + part("upload", content, f"; {given}") + b"--x--\r\n"
        headers = {**app.credentials("one"), "Content-Type": BOUNDARY}
        answer = await app.client.post(path, content=form, headers=headers)
        (taken,) = next(iter(answer.json()["response"].values()))
        assert taken["name"] == name

    run(peopled_sqlite, play)


def test_the_same_file_again_is_refused_and_not_kept_twice(peopled_sqlite: Peopled) -> None:
    async def play(app: Opened) -> None:
        pk = await new_book(app)
        (shown,) = (await upload(app, PDF, pk, "pdf:1 name=one.pdf"))["uploaded_docs"]
        again = await upload(app, PDF, pk, "pdf:1 name=two.pdf")
        assert again == {
            "status": 400,
            "message": "two.pdf already exists\n",
            "original_existing_doc_pks": [shown["pk"]],
            "original_existing_doc_uuids": [shown["uuid"]],
            "uploaded_docs": [],
        }
        assert len((await status(app, pk))["docs"]) == 1
        other = await new_book(app, "one")
        assert len((await upload(app, PDF, other, "pdf:1 name=one.pdf"))["uploaded_docs"]) == 1

    run(peopled_sqlite, play)
    assert len(files_in(peopled_sqlite.blob_dir)) == 2


def test_two_uploads_of_one_file_at_once_make_one_document(peopled: Peopled) -> None:
    async def play(app: Opened) -> None:
        pk = await new_book(app)
        made = await asyncio.gather(*(upload(app, MIXED, pk, "pdf:1") for _ in range(2)))
        assert sorted(len(each["mixed_uploaded_docs"]) for each in made) == [0, 1]
        assert len((await status(app, pk))["mixed_docs"]) == 1

    run(peopled, play)
    assert len(files_in(peopled.blob_dir)) == 1


@pytest.mark.parametrize("recipe", ["text", "empty", "locked", "png", "text name=é☃.pdf"])
def test_what_is_no_readable_pdf_is_refused_inside_200(recipe: str, peopled_sqlite: Peopled) -> None:
    async def play(app: Opened) -> None:
        pk = await new_book(app)
        answer = await upload(app, PDF, pk, recipe)
        assert answer == {
            "status": 400,
            "message": f"{file_of(recipe)[0]} is not a valid pdf\n",
            "original_existing_doc_pks": [],
            "original_existing_doc_uuids": [],
            "uploaded_docs": [],
        }
        assert (await status(app, pk))["book_status"] == "CREATED"

    run(peopled_sqlite, play)
    assert files_in(peopled_sqlite.blob_dir) == []


def test_images_of_four_kinds_join_one_group_and_become_a_document(peopled_sqlite: Peopled) -> None:
    async def play(app: Opened) -> None:
        pk = await new_book(app)
        groups = {(await upload(app, IMAGE, pk, kind))["image_group_pk"] for kind in ("png", "jpeg", "bmp", "tiff")}
        assert len(groups) == 1
        one = app.credentials("one")
        done = await app.client.post(f"{IMAGE}/done", json={"pk": pk, "form_type": "W2"}, headers=one)
        assert done.json()["response"]["image_group_pk"] in groups
        (document,) = (await status(app, pk))["docs"]
        assert (document["pages"], document["image_group_pk"]) == (4, *groups)
        again = await app.client.post(f"{IMAGE}/done", json={"pk": pk}, headers=one)
        assert (again.status_code, again.json()["code"]) == (400, 7002)

    run(peopled_sqlite, play)
    assert len(files_in(peopled_sqlite.blob_dir)) == 4


def test_images_without_a_form_type_become_a_mixed_document(peopled_sqlite: Peopled) -> None:
    async def play(app: Opened) -> None:
        pk = await new_book(app)
        added = await upload(app, IMAGE, pk, "png", return_image_pk="true")
        assert added.keys() == {"image_group_pk", "image_pk"}
        done = await app.client.post(f"{IMAGE}/done", json={"pk": pk}, headers=app.credentials("one"))
        (mixed,) = (await status(app, pk))["mixed_docs"]
        assert done.json()["response"]["mixed_doc_uuid"] == mixed["uuid"]

    run(peopled_sqlite, play)


def test_what_is_no_single_image_is_refused_inside_200(peopled_sqlite: Peopled) -> None:
    async def play(app: Opened) -> None:
        pk = await new_book(app)
        for recipe in ("gif", "tiff:2", "pdf:1"):
            assert await upload(app, IMAGE, pk, recipe) == {
                "status": 400,
                "message": f"{file_of(recipe)[0]} is not a valid Image",
                "original_existing_groups_and_image_pks": [],
            }
        first = await upload(app, IMAGE, pk, "png", return_image_pk="true")
        again = await upload(app, IMAGE, pk, "png name=again.png")
        (known,) = again["original_existing_groups_and_image_pks"]
        assert again["message"] == "again.png already exists"
        assert (known["existing_image_group_pk"], known["existing_image_pk"]) == tuple(first.values())

    run(peopled_sqlite, play)
    assert len(files_in(peopled_sqlite.blob_dir)) == 1


def bad_uploads(content: bytes) -> list[tuple[str, str, Iterable[bytes], int, int]]:
    """What is wrong, content type, body, status and code; content: a file that would be taken."""
    return [
        ("no form", "application/pdf", [content], 415, 1100),
        ("JSON", "application/json", [b'{"pk": 1}'], 415, 1100),
        ("no boundary", "multipart/form-data", [upload_of(content)], 400, 1003),
        ("another boundary", "multipart/form-data; boundary=y", [upload_of(content)], 400, 1003),
        ("nothing", BOUNDARY, [b""], 400, 1003),
        ("an empty form", BOUNDARY, [b"--x--\r\n"], 400, 1103),
        ("no file", BOUNDARY, [part("pk", b"1") + b"--x--"], 400, 1103),
        ("text in another field", BOUNDARY, [part("pk", b"1") + part("document", b"x") + b"--x--"], 400, 1103),
        ("two files", BOUNDARY, [part("upload", b"a", '; filename="a"') + upload_of(b"b")], 400, 8001),
        ("two files in two fields", BOUNDARY, [part("file", b"a", '; filename="a"') + upload_of(b"b")], 400, 8001),
        ("cut off in the file", BOUNDARY, [upload_of(b"x" * 3_000_000)[:-2_000_000]], 400, 1003),
        ("cut off before the end", BOUNDARY, [upload_of(content)[:-5]], 400, 1003),
        ("cut off in a head", BOUNDARY, [b'--x\r\nContent-Disposition: form-data; name="uplo'], 400, 1003),
        ("a head without end", BOUNDARY, [b"--x\r\nA: " + b"x" * 10_000], 400, 1003),
        ("a head that is no UTF-8", BOUNDARY, [part("upload", content).replace(b"upload", b"\xff\xfe")], 400, 1003),
        ("a field that is no UTF-8", BOUNDARY, [part("pk", b"\xff") + upload_of(content)], 400, 1003),
        ("a file name with NUL", BOUNDARY, [upload_of(content, name="a\0.pdf")], 400, 1003),
        ("a name with NUL", BOUNDARY, [part("doc_name", b"a\0") + upload_of(content)], 400, 1003),
        ("a field that is too large", BOUNDARY, [part("doc_name", b"x" * 70_000) + upload_of(content)], 413, 1100),
        ("too many parts", BOUNDARY, [part("a", b"b") * 101 + upload_of(content)], 400, 1003),
        ("a file that is too large", BOUNDARY, [upload_of(b"x" * (UPLOAD_BYTES_MAX + 1))], 413, 1100),
        ("a form that is too large", BOUNDARY, [b"\r\n" * 500_000] * 7, 413, 1100),
        ("no book", BOUNDARY, [part("upload", content, '; filename="a"') + b"--x--"], 400, 1103),
        ("a book that is no number", BOUNDARY, [part("pk", b"x") + part("upload", content) + b"--x--"], 400, 1003),
        ("two books", BOUNDARY, [part("book_uuid", NOBODYS_ID.encode()) + upload_of(content)], 400, 1003),
    ]


@pytest.mark.parametrize("path", [PDF, MIXED, IMAGE])
def test_a_broken_upload_is_refused_and_leaves_nothing(path: str, peopled_sqlite: Peopled) -> None:
    async def ask(app: Opened) -> None:
        content = file_of("png" if path == IMAGE else "pdf:1")[1]
        for what, kind, chunks, expected, code in bad_uploads(content):
            answer = await call(app.app, "POST", path, headers_of(app, "one", kind), chunks)
            assert_refused(answer, {expected}, {code}, what)
            assert files_in(peopled_sqlite.blob_dir) == [], what

    changing_nothing(peopled_sqlite, ask)


def test_a_too_large_upload_is_refused_before_it_has_arrived(peopled_sqlite: Peopled) -> None:
    taken: list[int] = []

    def endless() -> Iterator[bytes]:
        yield upload_of(b"")[:-9]
        while True:
            taken.append(CHUNK_BYTES)
            yield b"x" * CHUNK_BYTES

    async def ask(app: Opened) -> None:
        answer = await call(app.app, "POST", PDF, headers_of(app, "one", BOUNDARY), endless())
        assert_refused(answer, {413}, {1100}, "endless")

    changing_nothing(peopled_sqlite, ask)
    assert sum(taken) <= UPLOAD_BYTES_MAX + 2 * CHUNK_BYTES


def test_a_client_that_goes_away_leaves_nothing(peopled_sqlite: Peopled) -> None:
    async def ask(app: Opened) -> None:
        for body in (upload_of(b"x" * 3_000_000)[:-9], upload_of(b"x" * 3_000_000)[:2_000_000], b""):
            answer = await call(app.app, "POST", PDF, headers_of(app, "one", BOUNDARY), [body], is_cut_off=True)
            assert answer.status >= 400

    changing_nothing(peopled_sqlite, ask)


def test_a_file_that_a_full_disk_did_not_take_is_removed(
    peopled_sqlite: Peopled, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened_on_a_full_disk(path: Path, mode: str = "r") -> Any:
        if not path.name.endswith(SUFFIX):
            return real_open(path, mode)
        path.touch()
        return open("/dev/full", "wb")  # noqa: PTH123 - closed by whoever asked

    async def ask(app: Opened) -> None:
        body = [upload_of(file_of("pdf:1")[1])]
        answer = await call(app.app, "POST", PDF, headers_of(app, "one", BOUNDARY), body)
        assert answer.status == 500

    real_open = Path.open
    monkeypatch.setattr(Path, "open", opened_on_a_full_disk)
    changing_nothing(peopled_sqlite, ask)


@pytest.mark.parametrize("is_committed", [True, False])
@pytest.mark.parametrize("error", [psycopg.OperationalError("no answer"), asyncio.CancelledError()])
def test_a_file_stays_that_the_database_may_have_taken(
    error: BaseException, is_committed: bool, peopled: Peopled, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, folder = Database.write, peopled.blob_dir

    async def unanswered(database: Database, *args: Any, **more: Any) -> None:
        if is_committed:
            await write(database, *args, **more)
        raise error

    async def play(app: Opened) -> None:
        pk = await new_book(app)
        body = [upload_of(file_of("pdf:1")[1], pk=pk)]
        with monkeypatch.context() as patch:
            patch.setattr(Database, "write", unanswered)
            with contextlib.suppress(asyncio.CancelledError):
                assert (await call(app.app, "POST", PDF, headers_of(app, "one", BOUNDARY), body)).status == 503
        assert await sweep(peopled.database, folder, before=app.ambient.now_ms() + 60_000) == (not is_committed)
        assert len(files_in(folder)) == is_committed
        documents = (await status(app, pk))["docs"]
        assert len(documents) == is_committed
        for document in documents:
            path = f"/v2/document/download?doc_uuid={document['uuid']}"
            answer = await app.client.get(path, headers=app.credentials("one"))
            assert (answer.status_code, answer.content) == (200, file_of("pdf:1")[1])

    run(peopled, play)


def test_an_upload_into_a_book_that_is_not_ones_own_leaves_nothing(peopled_sqlite: Peopled) -> None:
    async def make(app: Opened) -> None:
        for who in ("one", "two", "other"):
            await new_book(app, who)

    async def ask(app: Opened) -> None:
        for pk, code in ((2, 2102), (3, 1401), (999, 1401)):
            answer = await call(
                app.app, "POST", PDF, headers_of(app, "one", BOUNDARY), [upload_of(file_of("pdf:1")[1], pk=pk)]
            )
            assert_refused(answer, {400}, {code}, pk)

    run(peopled_sqlite, make)
    changing_nothing(peopled_sqlite, ask)


def test_what_a_crash_has_left_of_uploads_is_swept_and_nothing_else(tmp_path: Path) -> None:
    whole, left, arriving = (tmp_path / "ab" / name for name in ("whole", f"left{SUFFIX}", f"arriving{SUFFIX}"))
    whole.parent.mkdir()
    for path, written_s in ((whole, 1_000), (left, 1_000), (arriving, 2_000)):
        path.write_bytes(b"x")
        os.utime(path, (written_s, written_s))
    assert sweep_temporary(tmp_path, before=1_500_000) == 1
    assert files_in(tmp_path) == [arriving, whole]
