"""The descriptors that libcurl wants watched, by the system's means.

libcurl takes a kept connection off the list when a transfer ends and puts it back when the next begins. A descriptor
that is taken off stays registered until it speaks up while nobody waits for it; that saves a system call for each
request. The kernel forgets one that was closed meanwhile, even if its number is in use again, and says so when it is
put back.
"""

import select

IN, OUT = select.POLLIN, select.POLLOUT  # epoll's are the same numbers


class Watch:
    """What is watched. Close it once."""

    def __init__(self) -> None:
        self._poller = select.epoll() if hasattr(select, "epoll") else select.poll()
        self._unit_s = 1 if hasattr(select, "epoll") else 0.001
        self._known: set[int] = set()
        self._wanted: dict[int, int] = {}

    def want(self, descriptor: int, mask: int) -> None:
        """Watch for this from now on."""
        if self._wanted.get(descriptor) == mask:
            return
        self._wanted[descriptor] = mask
        if descriptor in self._known:
            try:
                self._poller.modify(descriptor, mask)
            except FileNotFoundError:
                pass
            else:
                return
        self._known.add(descriptor)
        self._poller.register(descriptor, mask)

    def unwant(self, descriptor: int) -> None:
        """Nobody waits for it any more."""
        self._wanted.pop(descriptor, None)

    def ready(self, wait_s: float) -> list[tuple[int, int]]:
        """Descriptors and what they are ready for, within that time; an error or a hang-up counts as readable too."""
        found = []
        for descriptor, mask in self._poller.poll(wait_s / self._unit_s):
            if descriptor in self._wanted:
                found.append((descriptor, mask))
            else:
                self._forget(descriptor)
        return found

    def close(self) -> None:
        """Watch nothing any more."""
        if hasattr(self._poller, "close"):
            self._poller.close()

    def _forget(self, descriptor: int) -> None:
        self._known.discard(descriptor)
        try:
            self._poller.unregister(descriptor)
        except OSError:
            pass  # it has been closed
