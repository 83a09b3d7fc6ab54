"""Looks into an uploaded file in a process of its own: how many pages a PDF has, whether an image is one.

Files come from strangers, and a file made for it can keep a parser busy for ever or eat all memory. So the parser
runs in a child with limits on time, memory and processor, and whatever happens there the answer is a value.
"""

import asyncio
import resource
import subprocess
import sys
import warnings
from pathlib import Path

INSPECT_S_MAX = 20
MEMORY_BYTES_MAX = 1024**3
AT_ONCE_MAX = 2
IMAGE_FORMATS = ("JPEG", "PNG", "BMP", "TIFF")

_at_once: dict[asyncio.AbstractEventLoop, asyncio.Semaphore] = {}


async def page_count(path: Path) -> int | None:
    """Pages of a PDF; None when it is not a valid one, or not within the limits."""
    return await _ask("pdf", path)


async def is_image(path: Path) -> bool:
    """Whether the file is one JPEG, PNG, BMP or single-page TIFF image."""
    return await _ask("image", path) is not None


async def _ask(kind: str, path: Path) -> int | None:
    loop = asyncio.get_running_loop()
    async with _at_once.setdefault(loop, asyncio.Semaphore(AT_ONCE_MAX)):
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bookbell.web.inspection",
            kind,
            str(path),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(INSPECT_S_MAX):
                output, _ = await child.communicate()
        except TimeoutError:
            return None
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
    return int(output) if child.returncode == 0 and output.strip().isdigit() else None


def _count_pages(path: str) -> int:
    from pypdf import PdfReader  # noqa: PLC0415 - only the child pays for it

    with open(path, "rb") as file:  # noqa: PTH123 - a plain file
        if b"%PDF-" not in file.read(1024):
            raise ValueError("no PDF header")
    reader = PdfReader(path, strict=False)
    if reader.is_encrypted and not reader.decrypt(""):
        raise ValueError("encrypted")
    return len(reader.pages)


def _check_image(path: str) -> int:
    from PIL import Image  # noqa: PLC0415 - only the child pays for it

    with Image.open(path, formats=IMAGE_FORMATS) as image:
        frames = getattr(image, "n_frames", 1)
        image.load()
    if frames != 1:
        raise ValueError("several images")
    return frames


def main(kind: str, path: str) -> int:
    """Inspect in this process, under limits; print the count. Gives the exit status."""
    warnings.simplefilter("error")  # a decompression bomb is only a warning at first
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CPU, (INSPECT_S_MAX, INSPECT_S_MAX))
    try:
        if kind == "pdf":
            warnings.simplefilter("ignore")
            count = _count_pages(path)
        else:
            count = _check_image(path)
    except Exception:  # noqa: BLE001 - whatever the parser trips over: the file is not valid
        return 1
    sys.stdout.write(str(count))
    return 0 if count > 0 else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
