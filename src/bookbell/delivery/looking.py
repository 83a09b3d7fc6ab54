"""Looks: reads the endpoint and the due deliveries of lanes, and settles what cannot be sent now.

What waits for an earlier event of its book is taken out of what is due; what was held for too long expires; what is
superseded is cancelled; what nobody wants any more is cancelled too.
"""

from collections import Counter
from collections.abc import Sequence

from bookbell.core.circuit import CLOSED, after_change, is_given_up
from bookbell.core.model import Delivery, DeliveryPk, Event, LanePk, Level, Made, OrganizationId
from bookbell.core.pace import READY_COUNT, READY_COUNT_MIN, must_wait
from bookbell.core.policy import Order
from bookbell.core.rate import Bucket
from bookbell.delivery.lane import Lane
from bookbell.delivery.parts import Hold
from bookbell.store import circuits, configs, deliveries, holding
from bookbell.store.configs import LaneConfig
from bookbell.store.database import Tx
from bookbell.store.deliveries import END, LOOK_LANES_MAX, START, Due, Look, Position
from bookbell.store.schema import NEVER_AT

LOOK_ROWS = 2_048  # of lanes with a backlog no more are looked at together than may bring so many, or one
KNOWN_MS = 50  # a lane that has enough to send is not looked at more often than that when it is rung for

Found = dict[LanePk, tuple[LaneConfig, list[Due]]]


class Looking:
    """Feeds the lanes of a worker."""

    def __init__(self, hold: Hold) -> None:
        self._hold = hold
        self._ambient = hold.ambient
        self._database = hold.database
        self._is_filling = False

    async def look(self) -> None:
        """Look at every lane that is hungry, then at some of those with a backlog that wait for their turn.

        In one turn of the engine at no more of these than one statement reads well: so long whoever is rung for waits.
        """
        wanted = self._wanted()
        for start in range(0, len(wanted), LOOK_LANES_MAX):
            await self._look_at(wanted[start : start + LOOK_LANES_MAX])
        if some := self._in_turn():
            await self._look_at(some)

    def _wanted(self) -> list[Lane]:
        """Take the hungry lanes. Gives those to look at now."""
        wanted: list[Lane] = []
        turns: Counter[OrganizationId] = Counter()
        for lane in [self._hold.lanes[each] for each in self._hold.hungry if each in self._hold.lanes]:
            self._take_hunger(lane)
            if _is_short(lane):
                if self._must_wait(lane, turns):
                    self._wait(lane)
                else:
                    wanted.append(lane)
                continue
            lane.has_more = True  # what it was told of is read once it is short
            if self._is_outdated(lane):
                wanted.append(lane)
            else:
                lane.next_due = min(lane.next_due, self._ambient.now_ms() + KNOWN_MS)
                self._hold.tend(lane)
        return wanted

    def _take_hunger(self, lane: Lane) -> None:
        """It is hungry no more. If something new may lie before the place it was read to, read it from its start."""
        if self._hold.hungry.pop(lane.pk, END) <= lane.read_to:
            lane.read_to = START

    def _in_turn(self) -> list[Lane]:
        """Take some of the lanes whose turn it is to be read on: when few are ready, until many are."""
        waiting, ready = self._hold.dispatch.waiting, self._hold.dispatch.ring.open_count
        self._is_filling = ready < (READY_COUNT if self._is_filling else READY_COUNT_MIN)
        found: list[Lane] = []
        now, lane_count, row_count = self._ambient.now_ms(), len(self._hold.lanes), 0
        room = min(LOOK_LANES_MAX, READY_COUNT - ready) if self._is_filling else 0
        while len(found) < room and row_count < LOOK_ROWS and (lane := waiting.take()) is not None:
            lane.is_waiting = False
            if self._hold.lanes.get(lane.pk) is lane and _is_short(lane):
                self._take_hunger(lane)
                row_count += lane.look_count(now, lane_count)
                found.append(lane)
        if found and waiting.count:
            self._hold.bell.set()
        return found

    def _must_wait(self, lane: Lane, turns: Counter[OrganizationId]) -> bool:
        """turns: what each organization has got in this turn."""
        if not lane.is_behind or not (lane.config is None or lane.may_send(self._ambient.now_ms())):
            return False
        ring, organization = self._hold.dispatch.ring, lane.organization_id
        own = ring.count_of(organization) + turns[organization]
        is_late = lane.is_waiting or self._hold.dispatch.waiting.count_of(organization)  # others were here before
        if is_late or must_wait(ring.open_count + turns.total(), own, ring.organization_count):
            return True
        turns[organization] += 1
        return False

    def _wait(self, lane: Lane) -> None:
        if not lane.is_waiting:
            lane.is_waiting = True
            self._hold.dispatch.waiting.add(lane)

    def hand_over(self, lane: Lane, new: Sequence[Made]) -> bool:
        """Take new deliveries of an owned lane that have just been committed, as a look would. Gives whether it did.

        Only where all that is due is in hand, and the endpoint is known as it was in the transaction that made them.
        """
        if lane.pk in self._hold.hungry or not self._may_hand_over(lane, new):
            return False
        lane.take_in([_due(lane, *each[:3]) for each in new], self._hold.dispatch.in_flight)
        lane.busy_at = self._ambient.monotonic_ms()
        self._hold.dispatch.offer(lane)
        return True

    def _may_hand_over(self, lane: Lane, new: Sequence[Made]) -> bool:
        now, config = self._ambient.now_ms(), lane.config
        if config is None or config.is_unwanted or not lane.may_send(now) or self._hold.is_draining:
            return False
        if lane.circuit is not CLOSED or lane.has_more or lane.read_to != START:
            return False
        has_room = len(lane.buffer) + len(new) <= lane.look_count(now, len(self._hold.lanes))
        version = config.updated_at
        return has_room and all(delivery.queue_pk is None and made == version for _, delivery, _, made in new)

    async def _look_at(self, wanted: list[Lane]) -> None:
        now, monotonic = self._ambient.now_ms(), self._ambient.monotonic_ms()
        lane_count = len(self._hold.lanes)
        asked = {lane.pk: lane.look_count(now, lane_count) for lane in wanted if _is_short(lane)}
        for lane in wanted:
            lane.is_looking = True
            lane.next_due = NEVER_AT
            lane.known_at = monotonic
            if lane.pk in asked and lane.read_to == START:
                self._hold.rounds.note(lane.pk, monotonic)
        found: Found = {}
        looks = {lane.pk: _look_of(lane, asked.get(lane.pk, 0)) for lane in wanted}
        try:
            found = await self._database.read(_read, looks, now=now)
        finally:
            # No await until every lane has taken in what was found for it: `settled` covers just this stretch.
            kept = [lane for lane in wanted if lane.pk in found and self._knows(lane, found[lane.pk][0])]
            for lane in kept:
                self._take_in(lane, found[lane.pk][1], asked.get(lane.pk, 0))
            for lane in wanted:
                lane.is_looking = False
                lane.settled.clear()
                self._hold.tend(lane)
        for lane in kept:
            await self._settle(lane, found[lane.pk][1])
        self._hold.dispatch.start()

    def _is_outdated(self, lane: Lane) -> bool:
        """Whether the endpoint's row is to be read although there is enough to send: it may be closed or paused."""
        return not lane.is_looking and self._ambient.monotonic_ms() >= lane.known_at + KNOWN_MS

    def _knows(self, lane: Lane, config: LaneConfig) -> bool:
        """Learn how the endpoint stands now. Gives whether the lane is still this worker's."""
        if config.epoch != lane.epoch:
            self._hold.lose([lane])
            return False
        lane.next_due = min(lane.next_due, config.next_due_at)
        if lane.config is None:
            lane.circuit = lane.saved_circuit = config.circuit
            if config.is_spent:
                lane.bucket = Bucket(0.0, self._ambient.monotonic_ms())
        is_marked = lane.config is not None and lane.config.discard_at != config.discard_at
        if lane.config is None or is_marked or lane.config.updated_at != config.updated_at:
            lane.config = config
            if config.closed_at is not None:
                return True
            former, lane.destination = lane.destination, self._hold.parts.open_destination(config)
            is_over = former is not None and is_given_up(former.policy, lane.destination.policy)
            lane.circuit = after_change(lane.circuit, config.resumed_at, is_given_up=is_over)
            if lane.buffer and lane.destination.policy.order is Order.BOOK:
                lane.forget_buffer()  # what comes first of a book may be another now
                self._hold.starve(lane)
        return True

    def _take_in(self, lane: Lane, due: list[Due], asked: int) -> None:
        assert lane.config is not None
        if asked:
            lane.has_more = len(due) >= asked
            lane.read_to = (due[-1].due_at, due[-1].pk) if lane.has_more else START
        now = self._ambient.now_ms()
        lane.is_behind = False
        if lane.config.is_unwanted or not lane.may_send(now):
            lane.forget_buffer()
            return
        if self._must_walk(lane) or self._must_expire(lane, due, now):
            return
        if asked and lane.body_bytes:  # the first look brought little, for it did not know how large they are
            lane.low_count = max(1, len(due) // 4)
        lane.take_in(due, self._hold.dispatch.in_flight)
        lane.is_behind = bool(asked) and lane.has_more
        if lane.buffer:
            lane.busy_at = self._ambient.monotonic_ms()
        self._hold.dispatch.offer(lane)

    async def _settle(self, lane: Lane, due: list[Due]) -> None:
        """What a look calls for beside sending. Whatever may have more to it makes the lane hungry again."""
        assert lane.config is not None
        now = self._ambient.now_ms()
        if lane.config.is_unwanted:
            if due or lane.config.discard_at is not None:
                await self._database.write(deliveries.cancel_unwanted, lane.pk, at=now)
                self._hold.starve(lane)
            return
        assert lane.destination is not None
        if lane.circuit is not lane.saved_circuit and lane.circuit.opened_at is None:
            await self._save_circuit(lane)
        if self._must_walk(lane):
            await self._walk(lane, now)
        if self._must_expire(lane, due, now):
            before = now - lane.hold_ms
            await self._database.write(holding.expire, lane.pk, lane.epoch, before=before, at=now)
            self._hold.starve(lane)
        elif waiting := [each for each in due if not each.is_head and each.pk not in lane.held]:
            await self._database.write(deliveries.defer, waiting)
            self._hold.starve(lane)

    async def _save_circuit(self, lane: Lane) -> None:
        """Keep that the circuit was closed by hand, so that the lane does not sleep until a probe."""
        circuit = lane.circuit
        await self._database.write(circuits.save_circuits, [(lane.pk, lane.epoch, circuit)])
        lane.saved_circuit = circuit

    def _must_expire(self, lane: Lane, due: list[Due], now: int) -> bool:
        """Whether the endpoint is down and the first that waits has been held for too long; nothing is in hand."""
        if lane.config is None or lane.held or not due:
            return False
        is_down = lane.config.is_resting or lane.circuit.opened_at is not None
        return is_down and due[0].due_at <= now - lane.hold_ms

    def _must_walk(self, lane: Lane) -> bool:
        """Whether superseded events are to be cancelled before anything is sent: for each probe, when it is due."""
        if lane.destination is None or lane.circuit.opened_at is None or lane.walk is None:
            return False
        return lane.destination.policy.collapse and lane.may_send(self._ambient.now_ms())

    async def _walk(self, lane: Lane, now: int) -> None:
        assert lane.walk is not None
        _, lane.walk = await self._database.write(
            holding.supersede, lane.pk, lane.epoch, since=lane.walk, spared=frozenset(lane.held), at=now
        )
        self._hold.starve(lane)


def _due(lane: Lane, pk: DeliveryPk, delivery: Delivery, event: Event) -> Due:
    assert lane.config is not None
    body = event.body_org if lane.config.level is Level.ORG else event.body_account
    assert body is not None
    at = delivery.due_at, delivery.created_at
    return Due(pk, delivery.id, lane.pk, event.type, delivery.attempt_count, *at, body)


def _is_short(lane: Lane) -> bool:
    return not lane.is_looking and lane.is_short


def _look_of(lane: Lane, asked: int) -> tuple[int, Position]:
    """How many to read, and from where on: what is in hand lies before the place that the last look came to."""
    return asked and asked + (len(lane.held) if lane.read_to == START else 0), lane.read_to


def _read(tx: Tx, looks: dict[LanePk, tuple[int, Position]], *, now: int) -> Found:
    known = {config.lane_pk: config for config in configs.configs(tx, looks, now=now)}
    wanted = {lane_pk: Look(known[lane_pk].level, *look) for lane_pk, look in looks.items() if look[0]}
    found = deliveries.due(tx, wanted, now=now) if wanted else {}
    return {lane_pk: (known[lane_pk], found.get(lane_pk, [])) for lane_pk in looks}
