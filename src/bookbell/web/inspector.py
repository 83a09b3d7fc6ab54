"""The helper that looks into files: `python -m bookbell.web.inspector`, started by web/inspection.py.

It reads one question a line, ["pdf" | "image", path], and answers each with a line: the count, or `-`. It has loaded
the parsers and never opens a file itself: for each question it forks a child that sets its limits and parses, and that
ends with the answer. It ends with its input.
"""

import contextlib
import json
import os
import resource
import signal
import sys
import warnings

from PIL import Image, ImageFile
from pypdf import PdfReader

from bookbell.core.limits import INSPECT_MEMORY_BYTES_MAX, INSPECT_S_MAX

IMAGE_FORMATS = ("JPEG", "PNG", "BMP", "TIFF")


def main() -> None:
    """Answer questions until there are no more."""
    Image.init()
    for line in sys.stdin.buffer:
        kind, path = json.loads(line)
        sys.stdout.buffer.write(_in_child(kind, path) + b"\n")
        sys.stdout.buffer.flush()


def _in_child(kind: str, path: str) -> bytes:
    """What a child finds, or `-` when it finds nothing, fails, or is ended by its limits."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _answer(kind, path, writing)
    os.close(writing)
    with open(reading, "rb") as answer:  # noqa: PTH123 - a descriptor
        found = answer.read(20)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)  # it has said all it has to say
    os.waitpid(child, 0)
    return found if found.isdigit() and int(found) > 0 else b"-"


def _answer(kind: str, path: str, writing: int) -> None:
    """Inspect under limits, in the child, and end it."""
    try:
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        resource.setrlimit(resource.RLIMIT_AS, (INSPECT_MEMORY_BYTES_MAX, INSPECT_MEMORY_BYTES_MAX))
        resource.setrlimit(resource.RLIMIT_CPU, (INSPECT_S_MAX, INSPECT_S_MAX))
        signal.alarm(INSPECT_S_MAX)  # of the clock, whatever it waits for
        count = _count_pages(path) if kind == "pdf" else _check_image(path)
        os.write(writing, str(count).encode())
    except BaseException:  # noqa: BLE001 - whatever the parser trips over: the file is not valid
        os._exit(1)
    os._exit(0)


def _count_pages(path: str) -> int:
    warnings.simplefilter("ignore")
    with open(path, "rb") as file:  # noqa: PTH123 - a plain file
        if b"%PDF-" not in file.read(1024):
            raise ValueError("no PDF header")
    reader = PdfReader(path, strict=False)
    if reader.is_encrypted and not reader.decrypt(""):
        raise ValueError("encrypted")
    return len(reader.pages)


def _check_image(path: str) -> int:
    warnings.simplefilter("error")  # a decompression bomb is only a warning at first
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    with Image.open(path, formats=IMAGE_FORMATS) as image:
        frames = getattr(image, "n_frames", 1)
        image.load()
    if frames != 1:
        raise ValueError("several images")
    return frames


if __name__ == "__main__":
    main()
