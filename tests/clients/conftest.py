"""One sandbox and one receiver for the client programs of a module; what the receiver got is verified afresh."""

from collections.abc import Iterator

import pytest

from bookbell.receiver import verify
from receivers import Receiver
from sandboxes import Sandbox

SECRET = "sample_secret_value_01"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox that works fast."""
    with Sandbox("--fast") as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that takes everything; at the end each request must carry a right signature."""
    with Receiver() as listening:
        yield listening
        for _, headers, body in listening.requests:
            verify(headers, body, SECRET)


@pytest.fixture
def secret() -> str:
    """The webhook's secret."""
    return SECRET
