"""Fills a database with organizations, webhooks and due deliveries, through the same actions and statements as the
service.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bookbell.actions import accounts, webhooks
from bookbell.actions.stamp import Stamp
from bookbell.ambient import RealAmbient
from bookbell.bench.processes import MASTER_KEY
from bookbell.core.model import (
    Account,
    Delivery,
    DeliveryId,
    DeliveryState,
    EndpointPk,
    Event,
    EventId,
    LanePk,
    OrganizationId,
    Role,
)
from bookbell.store import deliveries, events, lanes
from bookbell.store.database import Database, Tx
from bookbell.vault import Vault, hash_of_secret

EVENT_TYPE = "DOC_VERIFIED"
BODY = b'{"status":"VERIFICATION_COMPLETE","uploaded_doc_pk":88100231,"book_pk":40120077,"pad":"' + b"x" * 400 + b'"}'
CHUNK_COUNT = 5_000
SECRET = "bench-secret-of-32-characters-00"  # noqa: S105 - signs requests to our own sink
CLIENT_SECRET = "bench-client-secret"  # noqa: S105 - of an account in a throwaway database


@dataclass(frozen=True, slots=True)
class Hook:
    """An account's registered webhook."""

    account: Account
    endpoint_pk: EndpointPk
    lane_pk: LanePk


class Seeder:
    """One organization in a database, a new one unless it is given, and ways to fill it."""

    def __init__(self, database: Database, organization_id: OrganizationId | None = None) -> None:
        self._database = database
        self._ambient = RealAmbient()
        self._vault = Vault(MASTER_KEY)
        name = f"bench {self._ambient.new_id()}"
        self.organization_id: OrganizationId = (
            organization_id or database.write_now(accounts.create_organization, name, self._stamp()).id
        )

    def hooks(self, urls: Sequence[str], *, event_type: str = EVENT_TYPE, **policy: int) -> list[Hook]:
        """An account with a signed webhook for each of these URLs, in one transaction for each 500.

        policy: what differs from the preset's.
        """
        made: list[Hook] = []
        for start in range(0, len(urls), 500):
            made += self._database.write_now(self._add_hooks, urls[start : start + 500], event_type, policy)
        return made

    def fill(
        self,
        hooks: Sequence[Hook],
        count: int,
        *,
        spread_ms: int = 0,
        state: DeliveryState = DeliveryState.PENDING,
    ) -> None:
        """That many deliveries, round robin over the hooks, due now or at random instants of the past spread_ms."""
        now = self._ambient.now_ms()
        for start in range(0, count, CHUNK_COUNT):
            chosen = [hooks[index % len(hooks)] for index in range(start, min(count, start + CHUNK_COUNT))]
            dues = [now - int(self._ambient.draw() * spread_ms) for _ in chosen]
            self._database.write_now(self._add_deliveries, chosen, dues, state)

    def _add_hooks(self, tx: Tx, urls: Sequence[str], event_type: str, policy: dict[str, int]) -> list[Hook]:
        made = []
        for url in urls:
            wanted = accounts.NewAccount(
                name="bench",
                role=Role.STANDARD,
                email=None,
                client_id=accounts.client_id_from(self._ambient.new_secret()),
                secret_hash=hash_of_secret(CLIENT_SECRET),
            )
            account = accounts.create_account(tx, self.organization_id, wanted, self._stamp())
            registered = webhooks.Wanted(url=url, masked=url, event_types=(event_type,), preset="standard")
            endpoint = webhooks.configure(tx, account, registered, self._vault.seal, self._stamp()).value
            webhooks.rotate_secret(tx, account, SECRET, self._vault, self._stamp())
            if policy:
                webhooks.set_policy(tx, account, {"preset": "standard", **policy}, self._stamp())
            made.append(Hook(account, endpoint.pk, endpoint.lane_pk))
        return made

    def _add_deliveries(self, tx: Tx, hooks: Sequence[Hook], dues: Sequence[int], state: DeliveryState) -> None:
        pairs = [self._pair(hook, due_at, state) for hook, due_at in zip(hooks, dues, strict=True)]
        events.insert_events(tx, [event for event, _ in pairs])
        deliveries.insert_deliveries(tx, [delivery for _, delivery in pairs])
        if state is not DeliveryState.PENDING:
            return
        earliest: dict[LanePk, int] = {}
        for _, delivery in pairs:
            earliest[delivery.lane_pk] = min(delivery.due_at, earliest.get(delivery.lane_pk, delivery.due_at))
        lanes.wake(tx, earliest)

    def _pair(self, hook: Hook, due_at: int, state: DeliveryState) -> tuple[Event, Delivery]:
        event = Event(
            id=EventId(self._ambient.new_id()),
            organization_id=self.organization_id,
            account_id=hook.account.id,
            book_pk=None,
            type=EVENT_TYPE,
            body_account=BODY,
            body_org=None,
            matched_count=1,
            created_at=due_at,
        )
        delivery = Delivery(
            id=DeliveryId(self._ambient.new_id()),
            organization_id=self.organization_id,
            endpoint_pk=hook.endpoint_pk,
            lane_pk=hook.lane_pk,
            event_id=event.id,
            state=state,
            attempt_count=0 if state is DeliveryState.PENDING else 1,
            due_at=due_at,
            created_at=due_at,
            finished_at=None if state is DeliveryState.PENDING else due_at,
        )
        return event, delivery

    def _stamp(self) -> Stamp:
        return Stamp(self._ambient.now_ms(), self._ambient.new_id)
