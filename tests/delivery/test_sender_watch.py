"""What is watched is told when it is ready, by epoll and by its stand-in; numbers of closed sockets come again."""

import select
import socket
from collections.abc import Iterator

import pytest

from bookbell.delivery.sender_watch import IN, OUT, SelectorPoller, Watch

COUNT = 64


@pytest.fixture(params=["best", "selector"])
def watch(request: pytest.FixtureRequest) -> Iterator[Watch]:
    made = Watch(SelectorPoller() if request.param == "selector" else None)
    yield made
    made.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


Pair = tuple[socket.socket, socket.socket]


class Counting(SelectorPoller):
    """Counts how often it is told to watch something."""

    registered_count = 0

    def register(self, fd: int, eventmask: int) -> None:
        self.registered_count += 1
        super().register(fd, eventmask)


def test_a_wanted_descriptor_is_told_when_it_is_ready(watch: Watch, pair: Pair) -> None:
    one, other = pair
    watch.want(one.fileno(), IN)
    assert watch.ready(COUNT) == []
    other.send(b"x")
    assert watch.ready(COUNT) == [(one.fileno(), IN)]
    watch.want(one.fileno(), IN | OUT)
    assert watch.ready(COUNT) == [(one.fileno(), IN | OUT)]
    watch.want(one.fileno(), OUT)
    assert watch.ready(COUNT) == [(one.fileno(), OUT)]


def test_its_own_descriptor_is_readable_when_something_is_ready(watch: Watch, pair: Pair) -> None:
    one, other = pair
    watch.want(one.fileno(), IN)
    assert select.select([watch.fileno()], [], [], 0)[0] == []
    other.send(b"x")
    assert select.select([watch.fileno()], [], [], 0)[0] == [watch.fileno()]


def test_what_speaks_up_while_nobody_waits_is_not_told_and_ended(watch: Watch, pair: Pair) -> None:
    one, other = pair
    watch.want(one.fileno(), IN)
    watch.unwant(one.fileno())
    other.send(b"x")
    assert watch.ready(COUNT) == []
    assert watch.ready(COUNT) == []
    watch.want(one.fileno(), IN)
    ((descriptor, mask),) = watch.ready(COUNT)
    assert (descriptor, bool(mask & IN)) == (one.fileno(), True)
    with pytest.raises(ConnectionResetError):
        other.recv(1)


def test_what_could_be_written_to_while_nobody_waits_is_left_alone(watch: Watch, pair: Pair) -> None:
    one, other = pair
    watch.want(one.fileno(), OUT)
    watch.unwant(one.fileno())
    assert watch.ready(COUNT) == []
    watch.want(one.fileno(), IN)
    other.send(b"x")
    assert watch.ready(COUNT) == [(one.fileno(), IN)]
    one.send(b"y")
    assert other.recv(1) == b"y"


def test_what_could_be_written_to_first_and_speaks_up_later_is_ended_too(watch: Watch, pair: Pair) -> None:
    one, other = pair
    watch.want(one.fileno(), OUT)
    watch.unwant(one.fileno())
    assert watch.ready(COUNT) == []
    other.send(b"x")
    watch.sweep(COUNT)
    with pytest.raises(ConnectionResetError):
        other.recv(1)


def test_the_number_of_a_closed_socket_serves_the_next(watch: Watch) -> None:
    for _ in range(3):
        watch.doubt()
        one, other = socket.socketpair()
        watch.want(one.fileno(), IN)
        other.send(b"x")
        assert watch.ready(COUNT) == [(one.fileno(), IN)]
        watch.unwant(one.fileno())
        one.close()
        other.close()
        assert watch.ready(COUNT) == []


def test_one_that_is_wanted_again_is_registered_once(pair: Pair) -> None:
    one, other = pair
    poller = Counting()
    watch = Watch(poller)
    for _ in range(3):
        watch.want(one.fileno(), IN)
        other.send(b"x")
        assert watch.ready(COUNT) == [(one.fileno(), IN)]
        one.recv(1)
        watch.unwant(one.fileno())
    assert poller.registered_count == 1
    watch.doubt()
    watch.want(one.fileno(), IN)
    assert poller.registered_count == 2
    watch.close()


def test_only_so_many_are_told_at_once(watch: Watch) -> None:
    pairs = [socket.socketpair() for _ in range(5)]
    for one, _ in pairs:
        watch.want(one.fileno(), OUT)
    assert len(watch.ready(3)) == 3
    for one, other in pairs:
        watch.unwant(one.fileno())
        one.close()
        other.close()
