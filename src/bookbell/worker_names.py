"""Names of workers, by which who runs on the same machine sees that a worker is dead, without waiting for its lease.

On Linux a name holds the number of the process, when it began, and where: the boot of the machine and the namespace of
processes. From another place, and on other systems, nothing can be told, and leases are what counts.
"""

import hashlib
import itertools
import os
import re
import socket
from functools import cache
from pathlib import Path

_MARK = re.compile(r":(\d{1,10})-(\d{1,20})-([0-9a-f]{8})-\d+")
_numbers = itertools.count(1)


def new_name(unique: str) -> str:
    """A name for a worker of this process that no other has. unique: what makes it so where no more can be told."""
    place, began = _place(), _began(os.getpid())
    mark = unique if place is None or began is None else f"{os.getpid()}-{began}-{place}-{next(_numbers)}"
    return f"{socket.gethostname()}:{mark}"


def is_gone(name: str) -> bool:
    """Whether the process of this worker has certainly ended; False where that cannot be told."""
    found = _MARK.fullmatch(name, name.rfind(":"))
    if found is None or found[3] != _place():
        return False
    pid = int(found[1])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        pass  # another user's, or nobody's
    began = _began(pid)
    return began is not None and began != found[2]  # another process has the number now


@cache
def _place() -> str | None:
    """This boot and this namespace of processes; None where there is no telling, or /proc shows another's."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
        namespace = Path("/proc/self/ns/pid").readlink()
        is_own = Path("/proc/self/stat").read_text().split()[0] == str(os.getpid())
    except OSError:
        return None
    return hashlib.sha256(f"{boot}{namespace}".encode()).hexdigest()[:8] if is_own else None


def _began(pid: int) -> str | None:
    """When this process began, in ticks since the boot; None if that is not to be seen. Source: proc(5)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[19]  # the name of its program, in brackets, may hold anything
