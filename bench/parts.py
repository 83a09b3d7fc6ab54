"""The parts of a delivery that can be measured alone: `python -m bench.parts`, from the project's folder.

Prints the processor time of each, user and system of this process: the median of several repeats, and the least and
the most of them. What is not here (libcurl, the database, the turns of the loop) is measured in whole runs only.
"""

import socket
import statistics
import time
from collections.abc import Callable
from ipaddress import ip_network
from itertools import count
from types import SimpleNamespace

import pycurl

from bookbell import ed25519
from bookbell.ambient import RealAmbient
from bookbell.bench.seeding import BODY, SECRET
from bookbell.core.attempt import Answered, Report, Timings
from bookbell.core.circuit import CLOSED
from bookbell.core.guard import GuardRules, judge_address
from bookbell.core.model import DeliveryId, DeliveryPk, EndpointId, LanePk, Level, OrganizationId
from bookbell.core.policy import PRESETS
from bookbell.core.signing import Scheme, Signing, delivery_lines, ed25519_signer, signing_with
from bookbell.delivery.sender_transfer import Setup, Transfer
from bookbell.delivery.worker import USER_AGENT, Sent, Settling, settle
from bookbell.store.configs import LaneConfig
from bookbell.store.deliveries import Due

REPEAT_COUNT, CALL_COUNT = 9, 20_000
AT_MS = 1_750_000_000_000
RULES = GuardRules((ip_network("127.0.0.0/8"),))

Part = Callable[[], object]


def parts() -> dict[str, Part]:
    """What is measured, by what it is called; each is one call of what the service itself calls."""
    ambient = RealAmbient()
    by_hmac, message = signing_with(SECRET), f"{AT_MS // 1000}.{ambient.new_id()}.".encode() + BODY
    assert by_hmac is not None
    private, _ = ed25519.new_pair(bytes(32))
    by_pair = Signing(Scheme.STANDARD, (ed25519_signer(ed25519.signing_function(private)),))
    due = Due(DeliveryPk(1), DeliveryId(ambient.new_id()), LanePk(1), "DOC_VERIFIED", 0, AT_MS, AT_MS, BODY)
    number = count()

    def headers() -> object:
        return delivery_lines(due.id, AT_MS // 1000, BODY, by_hmac, None, USER_AGENT)

    return {
        "guard: a new connection to an address seen before, its socket included": opening("127.0.0.1"),
        "of it the socket, opened and closed": lambda: socket.socket().close(),
        "guard: judging an address not seen before": lambda: judge_address(_address(next(number)), RULES),
        "signing: HMAC": lambda: by_hmac.signers[0].sign(message),
        "signing: ed25519": lambda: by_pair.signers[0].sign(message),
        "header lines of a delivery, signed by HMAC": headers,
        "judging an attempt, its row included": judging(due, ambient),
        "an id (UUID version 7)": ambient.new_id,
    }


def _address(number: int) -> str:
    return f"93.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def opening(address: str) -> Part:
    """libcurl's question for a socket, as it asks for each new connection; the socket is closed at once."""
    setup = Setup(lambda host: judge_address(host, RULES), None, None)
    transfer = Transfer(setup, lambda: None)
    asked = SimpleNamespace(addr=(address, 443), family=2, socktype=1, protocol=6)
    return lambda: transfer._open_socket(pycurl.SOCKTYPE_IPCXN, asked)


def judging(due: Due, ambient: RealAmbient) -> Part:
    """From the report of an attempt to what is recorded."""
    nothing = dict.fromkeys(("closed_at", "disabled_at", "paused_at", "resumed_at", "discard_at"))
    config = LaneConfig(
        lane_pk=due.lane_pk,
        organization_id=OrganizationId("o"),
        endpoint_id=EndpointId("p"),
        account_id=None,
        level=Level.ACCOUNT,
        epoch=1,
        url_sealed=None,
        secret_sealed=None,
        policy="{}",
        updated_at=AT_MS,
        circuit=CLOSED,
        next_due_at=AT_MS,
        is_spent=False,
        **nothing,
    )
    sent = Sent(due, config, PRESETS["standard"], AT_MS)
    report = Report(Answered(200), Timings(0, 0, 0, 900, 950), "127.0.0.1", b"HTTP/1.1 200 OK\r\n\r\n", b"ok")
    by = Settling("worker", AT_MS, ambient.draw)
    return lambda: settle(sent, report, by)


def costs_us(part: Part, *, repeat_count: int = REPEAT_COUNT, call_count: int = CALL_COUNT) -> list[float]:
    """Microseconds of processor time for each call, ascending, one figure for each repeat."""
    found = []
    for _ in range(repeat_count):
        began = time.process_time_ns()
        for _ in range(call_count):
            part()
        found.append((time.process_time_ns() - began) / call_count / 1000)
    return sorted(found)


def main(call_count: int = CALL_COUNT) -> None:
    """Measure and print."""
    print(f"{'part':70} {'µs CPU':>7} {'min':>7} {'max':>7}")
    for name, part in parts().items():
        found = costs_us(part, call_count=call_count)
        print(f"{name:70} {statistics.median(found):7.2f} {found[0]:7.2f} {found[-1]:7.2f}")


if __name__ == "__main__":
    main()
