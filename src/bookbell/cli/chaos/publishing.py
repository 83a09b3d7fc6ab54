"""Publishes numbered events at a bounded rate, each until it is accepted, however often the API is killed."""

import http.client
import json
import threading
import time
from collections.abc import Sequence

from bookbell.cli.chaos.processes import PIPELINE

TYPE = "chaos.happened"
RETRY_S = 0.1
TIMEOUT_S = 5.0


class Publisher:
    """One event for each account and number. accepted: number to when the API had answered."""

    def __init__(self, port: int, organization_id: str, accounts: Sequence[str], per_s: float) -> None:
        self.accepted: dict[int, float] = {}
        self.failed_count = 0
        self._port, self._organization_id, self._accounts = port, organization_id, accounts
        self._pause_s = 1 / per_s
        self._ending, self._aborted = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def finish(self, wait_s: float) -> bool:
        """Begin nothing new, and wait until the last one is accepted. Gives whether it was."""
        self._ending.set()
        self._thread.join(wait_s)
        self._aborted.set()
        return not self._thread.is_alive()

    def _run(self) -> None:
        number = 0
        while not self._ending.wait(self._pause_s):
            body = self._body_of(number)
            while not self._is_accepted(number, body):
                self.failed_count += 1
                if self._aborted.wait(RETRY_S):
                    return
            self.accepted[number] = time.monotonic()
            number += 1

    def _body_of(self, number: int) -> bytes:
        event = {"type": TYPE, "organization_id": self._organization_id, "body": {"number": number}}
        return json.dumps({"events": [{**event, "account_id": account} for account in self._accounts]}).encode()

    def _is_accepted(self, number: int, body: bytes) -> bool:
        """A number is repeated under the same key, so it becomes one event however often it is asked for."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_S)
        headers = {
            "Authorization": f"Bearer {PIPELINE}",
            "Content-Type": "application/json",
            "Idempotency-Key": f"chaos-{number}",
        }
        try:
            connection.request("POST", "/platform/v1/events", body, headers)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
