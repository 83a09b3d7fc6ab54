"""Uploaded files: streamed to the blob folder while they arrive, never held in memory.

A file is written under a temporary name, hashed on the way, flushed to disk, and renamed once the request is
complete. What goes wrong before the database may have taken it removes it. While it has its final name but the
database may not have taken it, an empty file beside it says so. What a crash leaves are temporary names, which
`sweep_temporary` removes at the next start, and such marks, which `unsure` finds: web/discarding.py asks the database.
A commit that nobody answered leaves a mark, too.
"""

import asyncio
import contextlib
import hashlib
import itertools
import math
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from bookbell.core import limits
from bookbell.core.errors import (
    BookbellError,
    MissingParameter,
    OneFileOnly,
    TooLarge,
    UnsupportedMediaType,
    ValidationFailed,
)
from bookbell.web import wire

FILE_FIELDS = {"upload", "file"}
TEMPORARY_SUFFIX = ".part"
UNSURE_SUFFIX = ".unsure"
WRITE_BYTES = 1024 * 1024  # gathered before a thread writes them
_OVERHEAD_BYTES = 1024 * 1024  # of a form around its file


@dataclass(frozen=True, slots=True)
class Received:
    """A file that has arrived whole. name: as the client calls it; blob: its path within the blob folder."""

    name: str
    blob: str
    path: Path
    md5: str
    size_bytes: int


@dataclass(slots=True)
class _Writing:
    """A file that is arriving."""

    name: str
    path: Path
    file: BinaryIO
    md5: Any = field(default_factory=lambda: hashlib.md5(usedforsecurity=False))  # the contract's checksum
    size_bytes: int = 0
    gathered: bytearray = field(default_factory=bytearray)


@contextlib.asynccontextmanager
async def received(
    request: wire.Wire, blob_dir: Path, blob_id: str, bytes_max: int
) -> AsyncIterator[tuple[wire.Params, Received]]:
    """The form of an upload with its one file. The file is kept if the block ends well, unless it calls `remove`.

    Raises: UnsupportedMediaType, ValidationFailed, MissingParameter, OneFileOnly, TooLarge.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != "multipart/form-data":
        raise UnsupportedMediaType("An upload is sent as multipart/form-data, with the file in the field upload.")
    blob, path = _placed(blob_dir, blob_id)
    form = _Form(path.with_name(path.name + TEMPORARY_SUFFIX), bytes_max)
    is_handed_over = False
    try:
        await form.read(request, options.get("boundary", ""))
        writing = form.writing
        if writing is None:
            raise MissingParameter("Required parameter not found: upload")
        await asyncio.to_thread(_finish, writing, path)
        params = wire.form_params(request, form.fields)
        name = wire.checked_text(params.text("doc_name") or writing.name)[: limits.NAME_CHARS_MAX]
        is_handed_over = True
        yield params, Received(name, blob, path, writing.md5.hexdigest(), writing.size_bytes)
        _marked(path).unlink(missing_ok=True)
    except BaseException as error:
        if _is_unwanted(error, is_handed_over=is_handed_over):
            await asyncio.shield(asyncio.to_thread(_remove, form.writing, path))
        raise


@contextlib.asynccontextmanager
async def written(blob_dir: Path, blob_id: str, content: bytes) -> AsyncIterator[str]:
    """A file with this content, kept if the block ends well. Gives its path within the blob folder."""
    blob, path = _placed(blob_dir, blob_id)
    is_handed_over = False
    try:
        await asyncio.to_thread(_write_whole, path, content)
        is_handed_over = True
        yield blob
        _marked(path).unlink(missing_ok=True)
    except BaseException as error:
        if _is_unwanted(error, is_handed_over=is_handed_over):
            await asyncio.shield(asyncio.to_thread(_unlink, path))
        raise


def _is_unwanted(error: BaseException, *, is_handed_over: bool) -> bool:
    """Whether the database has certainly not taken the file. It may have if a commit was not answered, or nobody
    waited for it any more; then the file stays, and so does its mark.
    """
    return not is_handed_over or isinstance(error, BookbellError)


def remove(file: Received) -> None:
    """Forget a file that is not wanted after all."""
    file.path.unlink(missing_ok=True)


def sweep_temporary(blob_dir: Path, *, before: int) -> int:
    """Remove what uploads cut off by a crash have left, last written to before this instant. Gives how many.

    Other processes may share the folder, so what was written to lately is left alone.
    """
    left = [path for path in blob_dir.glob(f"*/*{TEMPORARY_SUFFIX}") if _written_at(path) < before]
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


def unsure(blob_dir: Path, *, before: int) -> list[str]:
    """Files marked before this instant, so that only the database knows whether they are wanted; some of them."""
    marks = (path for path in blob_dir.glob(f"*/*{UNSURE_SUFFIX}") if _written_at(path) < before)
    found = itertools.islice(marks, limits.UNSURE_COUNT_MAX)
    return [f"{path.parent.name}/{path.name.removesuffix(UNSURE_SUFFIX)}" for path in found]


def settle(blob_dir: Path, blob: str, *, is_wanted: bool) -> None:
    """Take the mark from a file, and remove the file if it is not wanted."""
    path = blob_dir / blob
    if not is_wanted:
        path.unlink(missing_ok=True)
    _marked(path).unlink(missing_ok=True)


def _marked(path: Path) -> Path:
    return path.with_name(path.name + UNSURE_SUFFIX)


def _written_at(path: Path) -> float:
    try:
        return path.stat().st_mtime * 1000
    except FileNotFoundError:
        return math.inf  # its upload has ended meanwhile


class _Form:
    """Reads one multipart form: small fields into memory, the one file to disk."""

    def __init__(self, path: Path, bytes_max: int) -> None:
        self.fields: list[tuple[str, str]] = []
        self.writing: _Writing | None = None
        self._path = path
        self._bytes_max = bytes_max
        self._segment: MultipartSegment | None = None
        self._file_name: str | None = None
        self._value = bytearray()

    async def read(self, request: wire.Wire, boundary: str) -> None:
        """Take the whole form in. Raises: the errors of bad input."""
        try:
            with PushMultipartParser(boundary, max_segment_count=limits.FORM_PART_COUNT_MAX) as parser:
                await self._feed(request, parser)
        except (MultipartError, UnicodeDecodeError) as error:
            raise ValidationFailed("The multipart form cannot be read") from error
        await self._flush(1)

    async def _feed(self, request: wire.Wire, parser: PushMultipartParser) -> None:
        async for chunk in wire.read_chunks(request, self._bytes_max + _OVERHEAD_BYTES, limits.UPLOAD_MS_MAX):
            for part in parser.parse(chunk) if chunk else ():
                self._take(part)
            await self._flush(WRITE_BYTES)
        for part in parser.parse(b""):
            self._take(part)

    def _take(self, part: MultipartSegment | bytearray | bytes | None) -> None:
        if isinstance(part, MultipartSegment):
            self._segment, self._value = part, bytearray()
            self._file_name = wire.file_name(part)
            if self._is_file():
                self._open(self._file_name or "")
        elif part is None:
            assert self._segment is not None
            if not self._is_file():
                self.fields.append((self._segment.name, self._value.decode("utf-8")))
        elif self._is_file():
            assert self.writing is not None
            self.writing.gathered += part
            self.writing.size_bytes += len(part)
            self._check_size(self.writing.size_bytes)
        else:
            self._value += part
            if len(self._value) > limits.FORM_FIELD_BYTES_MAX:
                raise TooLarge(f"A form field exceeds {limits.FORM_FIELD_BYTES_MAX} bytes")

    def _is_file(self) -> bool:
        """Whether it is the file: clients also send it in a field named after the file."""
        segment = self._segment
        return segment is not None and (segment.name in FILE_FIELDS or self._file_name is not None)

    def _open(self, name: str) -> None:
        if self.writing is not None:
            raise OneFileOnly
        self._path.parent.mkdir(parents=True, exist_ok=True)
        shown = name.replace("\\", "/").rsplit("/", 1)[-1]
        self.writing = _Writing(shown or "upload", self._path, self._path.open("xb"))

    def _check_size(self, size_bytes: int) -> None:
        if size_bytes > self._bytes_max:
            raise TooLarge(f"The file exceeds {self._bytes_max} bytes")

    async def _flush(self, at_least: int) -> None:
        writing = self.writing
        if writing is not None and len(writing.gathered) >= at_least:
            gathered, writing.gathered = writing.gathered, bytearray()
            await asyncio.to_thread(_write, writing, gathered)


def _placed(blob_dir: Path, blob_id: str) -> tuple[str, Path]:
    blob = f"{blob_id[-2:]}/{blob_id}"
    return blob, blob_dir / blob


def _write_whole(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    with temporary.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    _marked(path).touch()
    temporary.rename(path)


def _write(writing: _Writing, gathered: bytearray) -> None:
    writing.md5.update(gathered)
    writing.file.write(gathered)


def _finish(writing: _Writing, path: Path) -> None:
    writing.file.flush()
    os.fsync(writing.file.fileno())
    writing.file.close()
    _marked(path).touch()
    writing.path.rename(path)


def _remove(writing: _Writing | None, path: Path) -> None:
    if writing is not None:
        with contextlib.suppress(OSError):  # it writes what is left to be written, and the disk may be full
            writing.file.close()
        writing.path.unlink(missing_ok=True)
        _unlink(path)


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)
    _marked(path).unlink(missing_ok=True)
