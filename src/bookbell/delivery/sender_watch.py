"""The descriptors that libcurl wants watched, by the system's means; all of them behind one descriptor.

libcurl takes a kept connection off the list when a transfer ends and puts it back when the next begins. A descriptor
that is taken off stays registered until it speaks up while nobody waits for it, and is ended then; that saves two
system calls for each request. The kernel forgets one that was closed meanwhile, even if its number is in use again:
once a socket was opened, each is registered anew when it is put back.
"""

import contextlib
import os
import select
import selectors
import socket
from typing import Protocol

IN, OUT = select.POLLIN, select.POLLOUT  # epoll's are the same numbers


class Poller(Protocol):
    """What `select.epoll` does."""

    def register(self, fd: int, eventmask: int, /) -> None: ...
    def modify(self, fd: int, eventmask: int, /) -> None: ...
    def unregister(self, fd: int, /) -> None: ...
    def poll(self, timeout: float, maxevents: int, /) -> list[tuple[int, int]]: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...


class Watch:
    """What is watched. Close it once."""

    def __init__(self, poller: Poller | None = None) -> None:
        """poller: None takes the system's best."""
        self._poller: Poller = poller or (select.epoll() if hasattr(select, "epoll") else SelectorPoller())
        self._known: dict[int, int] = {}  # what each is registered for
        self._sure: set[int] = set()  # of these, whose number has not changed hands
        self._wanted: dict[int, int] = {}
        self.has_told_all = False  # the last question was answered in full; set it to False to have it asked again

    def fileno(self) -> int:
        """The descriptor that is readable when `ready` has something to give."""
        return self._poller.fileno()

    def want(self, descriptor: int, mask: int) -> None:
        """Watch for this from now on."""
        if self._wanted.get(descriptor) == mask:
            return
        self._wanted[descriptor] = mask
        known = self._known.get(descriptor)
        if known == mask and descriptor in self._sure:
            return
        self._sure.add(descriptor)
        self._known[descriptor] = mask
        if known is not None:
            try:
                self._poller.modify(descriptor, mask)
            except FileNotFoundError:
                pass
            else:
                return
        self._poller.register(descriptor, mask)

    def doubt(self) -> None:
        """A socket is about to be opened: its number may be that of one that was closed unseen."""
        self._sure.clear()

    def unwant(self, descriptor: int) -> None:
        """Nobody waits for it any more."""
        self._wanted.pop(descriptor, None)

    def ready(self, count_max: int) -> list[tuple[int, int]]:
        """Descriptors and what they are ready for now; an error or a hang-up counts as readable too."""
        asked = self._poller.poll(0, count_max)
        self.has_told_all = len(asked) < count_max
        found = [each for each in asked if each[0] in self._wanted]
        if len(found) < len(asked):
            self._drop_unwanted(asked)
        return found

    def sweep(self, count_max: int) -> None:
        """Only end what spoke up while nobody waited: before libcurl chooses among kept connections."""
        asked = self._poller.poll(0, count_max)
        self.has_told_all = len(asked) < count_max
        self._drop_unwanted(asked)

    def close(self) -> None:
        """Watch nothing any more."""
        self._poller.close()

    def _drop_unwanted(self, asked: list[tuple[int, int]]) -> None:
        for descriptor, mask in asked:
            if descriptor not in self._wanted:
                self._drop(descriptor, mask)

    def _drop(self, descriptor: int, mask: int) -> None:
        """Nobody waits for this one. That it could be written to says nothing; what it says from now on does."""
        try:
            if mask == OUT:
                self._poller.modify(descriptor, IN)
                self._known[descriptor] = IN
                return
            self._known.pop(descriptor, None)
            self._poller.unregister(descriptor)
        except (OSError, KeyError):
            self._known.pop(descriptor, None)  # it has been closed
            return
        _end(descriptor)


def _end(descriptor: int) -> None:
    """End a connection that spoke up while nobody waited: it is closing, or has something left over that libcurl would
    take for the answer to its next request. A dead socket takes its place and its number: what has come is gone, and
    libcurl finds the end of the connection and makes another.
    """
    dead, gone = socket.socketpair()
    gone.close()
    with dead, contextlib.suppress(OSError):
        os.dup2(dead.fileno(), descriptor, inheritable=False)


class SelectorPoller:
    """For systems without epoll: the same by the standard library's selector (kqueue)."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def register(self, fd: int, eventmask: int) -> None:
        """Watch this; one that is watched already is watched anew."""
        if fd in self._selector.get_map():
            self._selector.unregister(fd)
        self._selector.register(fd, eventmask_of(eventmask))

    def modify(self, fd: int, eventmask: int) -> None:
        """Watch it for something else. The selector cannot tell whether it was closed meanwhile, so it begins anew."""
        self.register(fd, eventmask)

    def unregister(self, fd: int) -> None:
        """Watch it no more."""
        self._selector.unregister(fd)

    def poll(self, timeout: float, maxevents: int) -> list[tuple[int, int]]:
        """What is ready within that many seconds."""
        found = self._selector.select(timeout)[:maxevents]
        return [
            (key.fd, (IN if mask & selectors.EVENT_READ else 0) | (OUT if mask & selectors.EVENT_WRITE else 0))
            for key, mask in found
        ]

    def fileno(self) -> int:
        """The selector's own descriptor."""
        return int(self._selector.fileno())

    def close(self) -> None:
        """Release it."""
        self._selector.close()


def eventmask_of(mask: int) -> int:
    """What `selectors` calls this mask."""
    return (selectors.EVENT_READ if mask & IN else 0) | (selectors.EVENT_WRITE if mask & OUT else 0)
