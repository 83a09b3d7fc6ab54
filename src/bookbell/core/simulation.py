"""What the simulator reports next: pure rules from the state and the name of a thing.

File names choose outcomes, so that every path can be tried without a real pipeline. Source: docs/simulator.md.
"""

import re
from dataclasses import dataclass

from bookbell.core.lifecycle import REJECTION_DEFAULT, REJECTION_REASONS
from bookbell.core.model import DocumentSource, DocumentStatus, MixedStatus

SLOW_FACTOR = 10
PARTS_DEFAULT = 2
PARTS_MAX = 20

_REJECT = re.compile(r"reject(?:-([a-z0-9_-]+))?", re.IGNORECASE)
_PARTS = re.compile(r"-x([0-9]{1,2})(?![0-9])", re.IGNORECASE)
_FAIL = re.compile(r"fail", re.IGNORECASE)
_SLOW = re.compile(r"slow", re.IGNORECASE)

_DOCUMENT_NEXT = {
    DocumentStatus.QUEUED: DocumentStatus.PROCESSING,
    DocumentStatus.PROCESSING: DocumentStatus.CLASSIFIED,
    DocumentStatus.CLASSIFIED: DocumentStatus.GROOMING,
    DocumentStatus.GROOMING: DocumentStatus.VERIFYING,
    DocumentStatus.VERIFYING: DocumentStatus.VERIFICATION_COMPLETE,
}
_MIXED_NEXT = {
    MixedStatus.QUEUED: MixedStatus.PROCESSING,
    MixedStatus.PROCESSING: MixedStatus.COMPLETED,
    MixedStatus.CLASSIFIED: MixedStatus.COMPLETED,
}


@dataclass(frozen=True, slots=True)
class Step:
    """The next state to report. part_count: documents a mixed one is cut into, when it becomes COMPLETED."""

    status: DocumentStatus | MixedStatus
    reason: str | None = None
    part_count: int = 0


def step_ms(name: str, delay_ms: int) -> int:
    """How long a thing of this name stays in one state."""
    return delay_ms * SLOW_FACTOR if _SLOW.search(name) else delay_ms


def document_step(name: str, status: DocumentStatus, source: DocumentSource = DocumentSource.FILE) -> Step | None:
    """The next report on a document of this name, None when it is final. Rejections come after verifying began.

    One whose data has to be pulled fails at once, because the pull does.
    """
    following = _DOCUMENT_NEXT.get(status)
    if following is None:
        return None
    fails_at = DocumentStatus.QUEUED if source is DocumentSource.PLAID_ASSET else DocumentStatus.PROCESSING
    if status is fails_at and _FAIL.search(name):
        return Step(DocumentStatus.FAILED)
    if status is DocumentStatus.VERIFYING and (found := _REJECT.search(name)):
        return Step(DocumentStatus.REJECTED, _reason(found.group(1)))
    return Step(following)


def mixed_step(name: str, status: MixedStatus) -> Step | None:
    """The next report on a mixed document of this name, None when it is final."""
    following = _MIXED_NEXT.get(status)
    if following is None:
        return None
    if following is MixedStatus.PROCESSING:
        return Step(following)
    if _FAIL.search(name):
        return Step(MixedStatus.FAILED)
    if found := _REJECT.search(name):
        return Step(MixedStatus.REJECTED, _reason(found.group(1)))
    parts = _PARTS.search(name)
    count = min(PARTS_MAX, int(parts.group(1))) if parts else PARTS_DEFAULT
    return Step(MixedStatus.COMPLETED, None, max(1, count))


def _reason(hint: str | None) -> str:
    """The rejection reason that the hint in a file name means: the first that contains its words."""
    words = re.sub(r"[-_]", " ", hint or "").upper().strip()
    if words:
        for reason in REJECTION_REASONS:
            if words in reason.replace("_", " ").upper():
                return reason
    return REJECTION_DEFAULT
