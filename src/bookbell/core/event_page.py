"""The page docs/events.md, made from the catalogue; `bookbell event-types list --markdown` prints it."""

import json
import textwrap
from collections.abc import Iterable

from bookbell.core.catalogue import ALIASES, COUNTERPARTS, RETIRED, TYPES, EventType, Source
from bookbell.core.event_report import needed_keys, possible_keys
from bookbell.core.fields import FIELDS, Field, fields_of
from bookbell.core.model import Level
from bookbell.core.samples import sample_body

_SOURCES = {Source.DERIVED: "derived", Source.REPORTED: "reported"}
_EXAMPLES = (
    ("BOOK_VERIFIED", Level.ACCOUNT),
    ("DOC_VERIFIED", Level.ACCOUNT),
    ("document.detect.signal_found", Level.ACCOUNT),
    ("document.verification_succeeded", Level.ORG),
    ("book.completed", Level.ORG),
)
_WIDTH = 115
_BLOCKS = {
    "notification": ("notification_type", "notification_reason"),
    "book": ("book_pk", "book_uuid"),
    "document": ("uploaded_doc_pk", "uploaded_doc_uuid", "doc_uuid"),
    "mixed document": ("mixed_uploaded_doc_pk", "mixed_uploaded_doc_uuid"),
    "image group": ("uploaded_image_group_pk", "uploaded_image_group_uuid"),
}

_INTRODUCTION = f"""\
# Events

<!-- Made by `bookbell event-types list --markdown` from core/catalogue.py, core/fields.py and core/event_page.py. -->

An account-level webhook hears of the books of its own account, an org-level one of all books of the organization.
The four upper-case events are the oldest; the dotted ones name themselves in `event_name`. At account level
{", ".join(f"`{alias}` is an alias of `{name}`" for alias, name in ALIASES.items())}, and ` (BETA)` behind a name is
ignored. {" and ".join(f"`{name}`" for name in RETIRED)} are retired: they count as unknown and never fire.

`GET /v1/event-types` lists every type, and `GET /v1/event-types/{{name}}` gives the fields of its body and their JSON
Schema (draft 2020-12) at each level. Types that the operator has defined are among them, see
[Publishing events](publishing-events.md).
"""
_AFTER_TABLE = """\
*derived*: follows from what is reported about documents, image groups and analytics requests, see
[Reporting outcomes](reporting-outcomes.md). *reported*: the pipeline tells it by its name, see
[Publishing events](publishing-events.md).
"""
_RULES = """\
## When a book is verified

A book is verified when no document or mixed document in it is left in work and at least one exists. Rejected and
failed ones are final and count. A later upload opens the book again, and it fires again once all is done.

A `FAILED` document fires `document.verification_failed` at org level and no `DOC_VERIFIED`.

## When a book is completed

Each organization has tasks that complete its books, CAPTURE alone unless the operator sets others: CAPTURE is done
while the book is verified, DETECT when `book.detect.signal_found` or `book.detect.signal_not_found` fired, ANALYTICS
when `book.analytics_v2.generated` and INCOME when `book.income.generated` did. `book.completed` fires once when all
of them are done. When work on the book begins again, by a new upload, no task counts as done, and it can fire again.

## Order

Within one change events are told in this order: uploads, classification, `book.classified`, documents, image group,
book, analytics, detect, `book.completed`.
"""


def event_page() -> str:
    """The whole page as Markdown."""
    parts = [_INTRODUCTION, _table(), _AFTER_TABLE, _counterparts(), _bodies(), _RULES, _reports(), _examples()]
    return "\n".join(parts)


def _table() -> str:
    rows = [
        f"| `{kind.name}` | {_levels(kind)} | {kind.severity} | {kind.notification} | {_SOURCES[kind.source]} "
        f"| {kind.description.removeprefix('Fires when ').removesuffix('.')} |"
        for kind in TYPES.values()
    ]
    head = ["| event | level | severity | type | source | fires when |", "|---|---|---|---|---|---|"]
    return "\n".join([*head, *rows, ""])


def _counterparts() -> str:
    pairs = [f"`{name}` with {' or '.join(f'`{other}`' for other in others)}" for name, others in COUNTERPARTS.items()]
    return _wrapped(f"What fires together at the two levels: {'; '.join(pairs)}.")


def _bodies() -> str:
    meanings = "\n".join(f"| `{field.name}` | {_type(field)} | {field.meaning} |" for field in FIELDS.values())
    layouts = "\n".join(
        f"| `{kind.name}` | {told} | {', '.join(kind.statuses) or '–'} | {keys} |"
        for kind in TYPES.values()
        for told, keys in _layouts(kind)
    )
    blocks = "; ".join(f"*{block}*: {', '.join(f'`{name}`' for name in names)}" for block, names in _BLOCKS.items())
    return (
        "## Bodies\n\n"
        "Flat JSON objects. Key order is not fixed, and keys may be added at any time.\n\n"
        f"| key | type | what it is |\n|---|---|---|\n{meanings}\n\n"
        f"{_wrapped(f'Keys that go together: {blocks}.')}\n"
        "A `?` marks a key that may be absent, `or null` one that may be null in this event only.\n\n"
        f"| event | level | `status` | keys |\n|---|---|---|---|\n{layouts}\n"
    )


def _reports() -> str:
    rows = "\n".join(
        f"| `{kind.name}` | {_needed(kind)} | {', '.join(_quoted(possible_keys(kind))) or '–'} |"
        for kind in TYPES.values()
        if kind.source is Source.REPORTED
    )
    return f"## What a report needs\n\n| event | needs | may have |\n|---|---|---|\n{rows}\n"


def _needed(kind: EventType) -> str:
    return ", or ".join(" and ".join(_quoted(keys)) for keys in needed_keys(kind))


def _quoted(keys: Iterable[str]) -> list[str]:
    return [f"`{key}`" for key in sorted(keys)]


def _examples() -> str:
    shown = ["## Examples\n"]
    for name, level in _EXAMPLES:
        body = json.loads(sample_body(name, level) or b"{}")
        shown.append(f"`{name}`, {level} level:\n\n```json\n{json.dumps(body, indent=2)}\n```\n")
    return "\n".join(shown)


def _layouts(kind: EventType) -> list[tuple[str, str]]:
    """Level and keys of each body; one row for both levels where only `severity` tells them apart."""
    by_level = {level: _keys(kind, level) for level in sorted(kind.levels)}
    severity = "`severity` "
    if len(by_level) == 2 and by_level[Level.ACCOUNT] == by_level[Level.ORG].replace(severity, ""):
        return [(_levels(kind), by_level[Level.ORG].replace(severity, "`severity` (org only) "))]
    return [(str(level), keys) for level, keys in by_level.items()]


def _keys(kind: EventType, level: Level) -> str:
    fields = fields_of(kind, level)
    text = " ".join(f"`{field.name}{'?' if field.is_optional else ''}`{_note(field)}" for field in fields)
    for block, names in _BLOCKS.items():
        text = text.replace(" ".join(f"`{name}`" for name in names), f"*{block}*")
    return text


def _note(field: Field) -> str:
    return " or null" if field.is_nullable and not FIELDS[field.name].is_nullable else ""


def _type(field: Field) -> str:
    kind = field.format or field.type
    return f"{kind} or null" if field.is_nullable else kind


def _levels(kind: EventType) -> str:
    return ", ".join(sorted(kind.levels))


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False) + "\n"
