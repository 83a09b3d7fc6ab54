"""Waits for what a scenario expects, and says in a sentence what came instead."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bookbell.actions import history
from bookbell.cli.sandbox.keys import BY_NAME
from bookbell.cli.sandbox.opening import account_of
from bookbell.cli.sandbox.relay import Relay, Seen
from bookbell.cli.sandbox.scenario import Expect, ExpectOrder, Settle
from bookbell.core import limits
from bookbell.core.ledger import Ledger
from bookbell.core.model import OrganizationId
from bookbell.service import Opened
from bookbell.store import images
from bookbell.store.history import DeliveryQuery
from bookbell.store.ledger import ledgers

LOOK_MS = 50


@dataclass(slots=True)
class Watch:
    """Looks at what passed the relay and at the rows. deadline_ms: of the scenario, on the monotonic clock."""

    relay: Relay
    parts: Opened
    deadline_ms: int = 0

    @property
    def organization_id(self) -> OrganizationId:
        """The sandbox's organization."""
        return account_of(self.parts, BY_NAME["one"]).organization_id

    def group_uuid(self, pk: int) -> str:
        """The uuid of a group of images; while it is open the API tells only its pk."""
        found = self.parts.database.read_now(images.find_group, self.organization_id, pk=pk)
        assert found is not None
        return found.uuid

    def expect(self, step: Expect) -> tuple[bool, str]:
        """Whether exactly that many deliveries came to that, and a sentence about it."""
        if step.state != "delivered":
            return self._expect_state(step)
        self._until(lambda: len(self._taken(step)) >= step.count, step.within_s)
        taken = self._taken(step)
        shown = f"{step.event}: {len(taken)} delivered"
        if len(taken) != step.count:
            return False, f"{shown}, {step.count} expected{self._why(step)}"
        if short := [each for each in taken.values() if len(self._attempts(step, each)) < step.attempts]:
            made = len(self._attempts(step, short[0]))
            return False, f"{shown}, but after {made} attempts, at least {step.attempts} expected"
        for each in taken.values():
            if wrong := _differences(step.body, each.fields()):
                return False, f"{shown}, but {wrong}"
        return True, shown + (f" after {step.attempts} or more attempts" if step.attempts > 1 else "")

    def expect_order(self, step: ExpectOrder) -> tuple[bool, str]:
        """Whether the receiver first took these events in this order."""
        taken = [each.event for each in self.relay.of(step.key) if each.status == 200 and each.event in step.events]
        first = list(dict.fromkeys(taken))
        return first == step.events, f"taken in the order {', '.join(first) or 'of nothing at all'}"

    def settle(self, step: Settle) -> tuple[bool, str]:
        """Whether nothing is pending any more and the ledger balances."""
        self._until(lambda: self._ledger().pending == 0, step.within_s)
        ledger = self._ledger()
        parts = ", ".join(f"{name} {getattr(ledger, name)}" for name in _PARTS)
        problems = ledger.problems()
        return ledger.pending == 0 and not problems, " ".join([f"matched {ledger.matched}: {parts}", *problems])

    def _expect_state(self, step: Expect) -> tuple[bool, str]:
        self._until(lambda: self._count(step) >= step.count, step.within_s)
        found = self._count(step)
        shown = f"{step.event}: {found} {step.state}"
        return found == step.count, shown if found == step.count else f"{shown}, {step.count} expected"

    def _count(self, step: Expect) -> int:
        if step.state == "attempted":
            return len({each.request_id for each in self.relay.of(step.key, step.event)})
        account = account_of(self.parts, BY_NAME[step.key])
        query = DeliveryQuery(state=step.state, event_type=step.event, count=limits.PAGE_COUNT_MAX)
        return len(self.parts.database.read_now(history.list_deliveries, account, query).deliveries)

    def _taken(self, step: Expect) -> dict[str, Seen]:
        """The last good attempt of each delivery."""
        return {each.request_id: each for each in self.relay.of(step.key, step.event) if each.status == 200}

    def _attempts(self, step: Expect, delivered: Seen) -> list[Seen]:
        return [each for each in self.relay.of(step.key) if each.request_id == delivered.request_id]

    def _why(self, step: Expect) -> str:
        failed = [each for each in self.relay.of(step.key, step.event) if each.status != 200]
        return f"; the last attempt: {failed[-1].problem}" if failed else ""

    def _ledger(self) -> Ledger:
        now = self.parts.ambient.now_ms()
        organization_id = self.organization_id
        found = self.parts.database.read_now(ledgers, since=0, until=now + 1, organization_id=organization_id)
        return found[0] if found else Ledger(organization_id=organization_id)

    def _until(self, is_true: Callable[[], bool], within_s: float) -> None:
        """Look again when something came by and now and then, until it is true or time is up."""
        clock = self.relay.ambient
        end = min(clock.monotonic_ms() + int(within_s * 1000), self.deadline_ms)
        while not is_true() and clock.monotonic_ms() < end and not self.relay.closing.is_set():
            with self.relay.changed:
                self.relay.changed.wait(LOOK_MS / 1000)


_PARTS = ("delivered", "exhausted", "cancelled", "pending")


def _differences(wanted: dict[str, Any], found: dict[str, Any]) -> str:
    """The first field that is not as wanted, in words; empty when all are."""
    for name, value in wanted.items():
        if found.get(name) != value:
            return f"its {name} is {json.dumps(found.get(name))}, {json.dumps(value)} expected"
    return ""
