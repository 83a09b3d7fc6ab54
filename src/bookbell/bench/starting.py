"""How long a process takes before it is of use."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bookbell.bench.figures import Figures
from bookbell.bench.processes import Service, cores


def run_start() -> Figures:
    """From starting `bookbell serve` on an empty folder to its being ready."""
    with tempfile.TemporaryDirectory(prefix="bookbell-bench-") as name, Service(Path(name), cores()[0]) as service:
        return Figures(count=1, memory_mb=service.memory_mb(), extra={"ready_ms": service.start_s * 1000})


def run_help() -> Figures:
    """`bookbell --help`, from start to end."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}  # bytecode is kept, as where it is installed
    command = [sys.executable, "-m", "bookbell.cli.main", "--help"]
    began = time.perf_counter()
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return Figures(count=1, extra={"wall_ms": (time.perf_counter() - began) * 1000})
