"""Connects to PostgreSQL, so that a server that does not answer is not waited for by one caller after the other."""

import time
from collections.abc import Callable
from typing import Any

import psycopg


class Connecting:
    """The way to a server, for all that connects to it in a process.

    It takes long to find out that a machine does not answer. For as long again nobody else tries: whoever would is
    told at once what was found. A server that refuses says so at once, and can be tried again at once.
    """

    def __init__(self, monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._monotonic_ns = monotonic_ns
        self._until = 0
        self._found = ""

    def connect(self, **parameters: Any) -> psycopg.Connection[Any]:
        """As the driver does. Raises: psycopg.OperationalError."""
        began = self._monotonic_ns()
        if began < self._until:
            raise psycopg.OperationalError(self._found)
        try:
            return psycopg.connect(**parameters)
        except psycopg.OperationalError as error:
            now = self._monotonic_ns()
            self._until, self._found = now + (now - began), str(error)
            raise
