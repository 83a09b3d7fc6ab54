"""Tests that need a network and a resolver of their own: each runs in a child process inside its own namespaces.

There the machine is alone: loopback is the only interface, carries whatever public addresses a test gives it, and port
53 is free for a DNS server that `/etc/resolv.conf` names. Nothing outside is touched, and nothing outside is reached.
"""

import fcntl
import functools
import inspect
import os
import runpy
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from ipaddress import IPv4Address, ip_address
from pathlib import Path

import pytest

CHILD_S_MAX = 120
RESOLVER_FILES = {
    "/etc/resolv.conf": "nameserver 127.0.0.1\noptions timeout:30 attempts:1\n",
    "/etc/nsswitch.conf": "hosts: files dns\n",
    "/etc/hosts": "127.0.0.1 localhost\n",
}
_SIOCSIFFLAGS, _SIOCSIFADDR, _UP = 0x8914, 0x8916, 0x1


def isolated(test: Callable[[], None]) -> Callable[[], None]:
    """The test runs in a child of its own; it is skipped, with the reason, where no namespaces can be made."""

    @functools.wraps(test)
    def run() -> None:
        command = _unshare()
        if isinstance(command, str):
            pytest.skip(command)
        done = subprocess.run(
            [*command, sys.executable, "-W", "error", __file__, inspect.getfile(test), test.__name__],
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
            capture_output=True,
            text=True,
            timeout=CHILD_S_MAX,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return run


@functools.cache
def _unshare() -> list[str] | str:
    """The command that makes the namespaces, or why there is none."""
    if shutil.which("unshare") is None:
        return "there is no unshare on this machine"
    problem = ""
    for rights in ([], ["--user", "--map-root-user"]):
        command = ["unshare", *rights, "--mount", "--net"]
        tried = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
        if tried.returncode == 0:
            return command
        problem = tried.stderr.strip()
    return f"namespaces cannot be made here: {problem}"


def carry(address: str) -> None:
    """Give loopback this address too. Only inside the namespace."""
    parsed = ip_address(address)
    if isinstance(parsed, IPv4Address):
        name = f"lo:{int(parsed) & 0xFFFF}".encode()
        request = struct.pack("16sHH4s8x", name, socket.AF_INET, 0, parsed.packed)
        family = socket.AF_INET
    else:
        request = struct.pack("16sII", parsed.packed, 128, socket.if_nametoindex("lo"))
        family = socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFADDR, request)


def _settle_in() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _UP))
    folder = tempfile.mkdtemp()
    for path, text in RESOLVER_FILES.items():
        if Path(path).exists():
            ours = Path(folder, Path(path).name)
            ours.write_text(text)
            subprocess.run(["mount", "--bind", ours, path], check=True)
    for cache in ("/run/nscd", "/run/systemd/resolve"):  # whoever would look names up for us, outside
        if Path(cache).is_dir() and "resolv.conf" not in os.path.realpath("/etc/resolv.conf").removeprefix(cache):
            subprocess.run(["mount", "-t", "tmpfs", "none", cache], check=True)


if __name__ == "__main__":
    _settle_in()
    runpy.run_path(sys.argv[1])[sys.argv[2]].__wrapped__()
