"""A real DNS server for the tests, UDP and TCP, on 127.0.0.1 port 53 of the test's own namespace."""

import contextlib
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address
from types import TracebackType
from typing import Self

from dnslib import AAAA, CNAME, QTYPE, RR, A, DNSRecord

UDP_BYTES_MAX = 512
Zone = Callable[[str, str], list[RR] | None]
"""Name and type to records; None: not a word."""


class DnsServer:
    """Answers what `zone` gives for a name without its last dot and a type, `A` or `AAAA`."""

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.asked: Counter[str] = Counter()
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", 53))
        self._tcp = socket.create_server(("127.0.0.1", 53))
        for each in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=each, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        for each in (self._udp, self._tcp):
            with contextlib.suppress(OSError):  # wakes the thread that waits for it
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _serve_udp(self) -> None:
        while True:
            try:
                packet, asker = self._udp.recvfrom(4096)
            except OSError:
                return
            reply = self._reply(packet)
            if reply is None:
                continue
            packed = reply.pack()
            if len(packed) > UDP_BYTES_MAX:  # the asker comes back by TCP
                reply.rr.clear()
                reply.header.tc = 1
                packed = reply.pack()
            self._udp.sendto(packed, asker)

    def _serve_tcp(self) -> None:
        while True:
            try:
                connection, _ = self._tcp.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=[connection], daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        with connection:
            while size := connection.recv(2, socket.MSG_WAITALL):
                reply = self._reply(connection.recv(int.from_bytes(size), socket.MSG_WAITALL))
                if reply is not None:
                    packed = reply.pack()
                    connection.sendall(struct.pack("!H", len(packed)) + packed)

    def _reply(self, packet: bytes) -> DNSRecord | None:
        question = DNSRecord.parse(packet)
        name, kind = str(question.q.qname).rstrip(".").lower(), QTYPE[question.q.qtype]
        self.asked[name] += 1
        records = self.zone(name, kind)
        if records is None:
            return None
        reply = question.reply()
        reply.add_answer(*records)
        return reply


def address(name: str, value: str) -> RR:
    """An A or AAAA record."""
    if ":" in value:
        return RR(name, QTYPE.AAAA, rdata=AAAA(tuple(ip_address(value).packed)), ttl=0)
    return RR(name, QTYPE.A, rdata=A(value), ttl=0)


def alias(name: str, of: str) -> RR:
    """A CNAME record."""
    return RR(name, QTYPE.CNAME, rdata=CNAME(of), ttl=0)
