"""What machine this is, so that a figure can be read: processor, kernel, interpreter, libraries, disk."""

import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import apsw
import pycurl

WORK_COUNT, WORK_ROUNDS = 51, 10_000
SYNC_COUNT = 200
SYNC_BYTES = 4_096


def describe() -> dict[str, Any]:
    """Names, versions, and what a little work of the interpreter and an fdatasync after 4 KiB take, as JSON-ready
    fields.
    """
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "system": f"{platform.system()} {platform.release()}",
        "python": sys.version.split()[0],
        "python_ns": round(work_ns()),
        "sqlite": apsw.sqlite_lib_version(),
        "libcurl": pycurl.version_info()[1],
        "fdatasync_us": round(sync_us(Path(tempfile.gettempdir()))),
    }


def work_ns() -> float:
    """Nanoseconds of a round of plain Python: a store in a dictionary, a text, a hash; the least of several times.

    It tells an interpreter that was built with optimizations from one that was not, whose versions are the same.
    """
    taken = []
    for _ in range(WORK_COUNT):
        began, kept, total = time.perf_counter_ns(), {}, 0
        for number in range(WORK_ROUNDS):
            kept[number & 255] = number
            total += len(str(number))
            total ^= hash((number, total))
        taken.append(time.perf_counter_ns() - began)
    return min(taken) / WORK_ROUNDS


def sync_us(folder: Path) -> float:
    """Median microseconds of writing 4 KiB and syncing it, in a file of this folder."""
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        taken = []
        for _ in range(SYNC_COUNT):
            began = time.perf_counter_ns()
            file.seek(0)
            file.write(b"x" * SYNC_BYTES)
            file.flush()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter_ns() - began)
    return sorted(taken)[len(taken) // 2] / 1000


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
