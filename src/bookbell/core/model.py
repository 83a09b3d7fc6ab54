"""The nouns of the domain as frozen values.

Knows names, shapes and statuses; holds no rule (those are in lifecycle, fanout, verdict) and touches nothing.
Instants are integer milliseconds UTC and end in `_at`; a `pk` is the contract's integer below 2^53; a `uuid`
and every id is lower-case UUID text. Source: docs/contract.md (contract section 9).
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import NamedTuple, NewType

OrganizationId = NewType("OrganizationId", str)
AccountId = NewType("AccountId", str)
EndpointId = NewType("EndpointId", str)
EndpointPk = NewType("EndpointPk", int)
LanePk = NewType("LanePk", int)
EventId = NewType("EventId", str)
DeliveryId = NewType("DeliveryId", str)
DeliveryPk = NewType("DeliveryPk", int)
NO_ENDPOINT, NO_LANE = EndpointPk(0), LanePk(0)
"""None has this key."""


class Role(StrEnum):
    """What an account may do beyond its own books."""

    STANDARD = "standard"
    MANAGER = "manager"


class Level(StrEnum):
    """Whose events an endpoint hears: those of one account's books, or of the whole organization."""

    ACCOUNT = "account"
    ORG = "org"


class Task(StrEnum):
    """What is done with a book; an organization configures which of them complete it."""

    ANALYTICS = "ANALYTICS"
    CAPTURE = "CAPTURE"
    DETECT = "DETECT"
    INCOME = "INCOME"


class BookStatus(StrEnum):
    CREATED = "CREATED"
    UPLOAD = "UPLOAD"
    VERIFYING = "VERIFYING"
    VERIFIED = "VERIFIED"
    DELETED = "DELETED"


class DocumentStatus(StrEnum):
    """States of a Document; CLASSIFIED is passed through between PROCESSING and GROOMING."""

    QUEUED = "QUEUED"
    PROCESSING = "PROCESSING"
    CLASSIFIED = "CLASSIFIED"
    GROOMING = "GROOMING"
    VERIFYING = "VERIFYING"
    VERIFICATION_COMPLETE = "VERIFICATION_COMPLETE"
    REJECTED = "REJECTED"
    FAILED = "FAILED"
    DELETING = "DELETING"
    DELETED = "DELETED"


class DocumentSource(StrEnum):
    """Where a Document's data comes from; that of PLAID_ASSET the pipeline pulls with a token."""

    FILE = "FILE"
    PLAID = "PLAID"
    FINICITY = "FINICITY"
    PLAID_ASSET = "PLAID_ASSET"


class MixedStatus(StrEnum):
    """States of a Mixed Document."""

    QUEUED = "QUEUED"
    PROCESSING = "PROCESSING"
    CLASSIFIED = "CLASSIFIED"
    COMPLETED = "COMPLETED"
    REJECTED = "REJECTED"
    FAILED = "FAILED"
    DELETING = "DELETING"
    DELETED = "DELETED"


class ImageGroupStatus(StrEnum):
    """States of an Image Group; UPLOADING is the one open group of a Book."""

    UPLOADING = "UPLOADING"
    QUEUED = "QUEUED"
    VERIFICATION_COMPLETE = "VERIFICATION_COMPLETE"
    REJECTED = "REJECTED"
    FAILED = "FAILED"


class AnalyticsStatus(StrEnum):
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    EXPIRED = "EXPIRED"


class JobStatus(StrEnum):
    """States of a job that waits for a book's second-generation analytics."""

    PENDING = "PENDING"
    DONE = "DONE"
    FAILED = "FAILED"


class DeliveryState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    EXHAUSTED = "exhausted"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """`tasks`: those that complete a book, in order of name."""

    id: OrganizationId
    name: str
    created_at: int
    tasks: tuple[Task, ...] = (Task.CAPTURE,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One API credential. `revoked_at` set means it mints and uses no tokens any more."""

    id: AccountId
    organization_id: OrganizationId
    name: str
    email: str
    role: Role
    client_id: str
    created_at: int
    revoked_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """`is_classified`: `book.classified` has fired and nothing unclassified came since.

    `tasks_done`, `is_completed`: what has been done, and whether `book.completed` has fired, since work on it began.
    `analyzed_at`: when the second-generation analytics of what is in it now were reported, None until then.
    """

    pk: int
    uuid: str
    organization_id: OrganizationId
    account_id: AccountId
    name: str
    status: BookStatus
    is_classified: bool
    book_class: str
    book_type: str
    is_public: bool
    xid: str | None
    created_at: int
    updated_at: int
    tasks_done: frozenset[Task] = frozenset()
    is_completed: bool = False
    analyzed_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """`blob` names the stored file within the blob folder; `md5` is lower-case hex; `page_count` 0 if unknown.

    document_class: how it is processed, COMPLETE or INSTANT…; token_sealed: the audit copy token of a PLAID_ASSET.
    """

    pk: int
    uuid: str
    organization_id: OrganizationId
    book_pk: int
    name: str
    form_type: str | None
    status: DocumentStatus
    rejection_reason: str | None
    page_count: int
    md5: str
    blob: str | None
    mixed_pk: int | None
    mixed_uuid: str | None
    image_group_pk: int | None
    image_group_uuid: str | None
    created_at: int
    updated_at: int
    document_class: str = "COMPLETE"
    source: DocumentSource = DocumentSource.FILE
    token_sealed: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedDocument:
    pk: int
    uuid: str
    organization_id: OrganizationId
    book_pk: int
    name: str
    status: MixedStatus
    rejection_reason: str | None
    page_count: int
    md5: str
    blob: str | None
    image_group_pk: int | None
    image_group_uuid: str | None
    created_at: int
    updated_at: int
    document_class: str = "COMPLETE"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageGroup:
    pk: int
    uuid: str
    organization_id: OrganizationId
    book_pk: int
    form_type: str | None
    status: ImageGroupStatus
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyticsRequest:
    """`result` is the JSON text the pipeline reported, None until COMPLETED."""

    id: str
    organization_id: OrganizationId
    book_pk: int
    status: AnalyticsStatus
    result: str | None
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyticsJob:
    """Waits for one view of a book's second-generation analytics; `result` is its JSON text once DONE."""

    id: str
    organization_id: OrganizationId
    book_pk: int
    view: str
    status: JobStatus
    result: str | None
    created_at: int
    updated_at: int


class Event(NamedTuple):
    """Something that happened, mostly to a book of an account, with the exact bytes each level is sent; in the order
    of its columns.

    account_id None: it concerns the organization, no account. A body is None where the level does not know the event
    type. matched_count: the deliveries made of it.
    """

    id: EventId
    organization_id: OrganizationId
    account_id: AccountId | None
    book_pk: int | None
    type: str
    body_account: bytes | None
    body_org: bytes | None
    matched_count: int
    created_at: int

    def matched(self, count: int) -> "Event":
        """The same with so many deliveries; spelled out, because it is done for every event."""
        return _as_event((*self[:-2], count, self.created_at))


_as_event = partial(tuple.__new__, Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """What fan-out needs to know of an endpoint: where its deliveries queue and which types it wants.

    lanes: all its lanes in order, lane_pk being the first; policy: as it is stored, JSON text. version: its
    `updated_at`, which every change of it moves.
    """

    endpoint_pk: EndpointPk
    lane_pk: LanePk
    level: Level
    account_id: AccountId | None
    event_types: frozenset[str]
    lanes: tuple[LanePk, ...] = ()
    policy: str = "{}"
    version: int = 0


class Delivery(NamedTuple):
    """One event for one endpoint, in the order of its columns. `id` is the Webhook-Request-Id.

    reason: why it was not sent; queue_pk: the book whose order is kept; subject_pk: the document whose later status
    event supersedes this one.
    """

    id: DeliveryId
    organization_id: OrganizationId
    endpoint_pk: EndpointPk
    lane_pk: LanePk
    event_id: EventId
    state: DeliveryState
    attempt_count: int
    due_at: int
    created_at: int
    finished_at: int | None = None
    reason: str | None = None
    queue_pk: int | None = None
    subject_pk: int | None = None


Made = tuple[DeliveryPk, Delivery, Event, int]
"""A new delivery, which has its row by now, its event, which has the bytes to send, and its endpoint's version."""
