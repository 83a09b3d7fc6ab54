"""HTML that is escaped by construction: whatever is no `Markup` is text, and only `tag` and `joined` make `Markup`.

What the pages show was written by strangers: names, URLs, what receivers answered.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from urllib.parse import quote, urlencode

from bookbell.core.policy import DAY, HOUR, MINUTE, SECOND
from bookbell.web import wire


class Markup(str):
    """HTML. Made by `tag` and `joined` only."""

    __slots__ = ()


Piece = Markup | str | int | None
"""What may stand in an element: HTML, or text that becomes it; None is nothing."""

_VOID = {"meta", "br"}


def tag(name: str, /, *pieces: Piece, **attributes: str | int | None) -> Markup:
    """An element. An attribute that is a Python word ends in `_`; one that is None is left out.

    >>> tag("td", "1 < 2", class_="number")
    '<td class="number">1 &lt; 2</td>'
    """
    given = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items() if value is not None}
    head = "".join(f' {key}="{escape(str(value))}"' for key, value in given.items())
    return Markup(f"<{name}{head}>" if name in _VOID else f"<{name}{head}>{joined(pieces)}</{name}>")


def joined(pieces: Iterable[Piece]) -> Markup:
    """All of these, one after the other."""
    return Markup(
        "".join(each if isinstance(each, Markup) else escape(str(each)) for each in pieces if each is not None)
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[Piece]], *, numbers: Sequence[int] = ()) -> Markup:
    """A table that scrolls by itself where it is too wide. numbers: the columns that stand to the right."""

    def cell(name: str, position: int, piece: Piece) -> Markup:
        return tag(name, piece, class_="number" if position in numbers else None)

    head = tag("tr", *(cell("th", position, text) for position, text in enumerate(heads)))
    body = (tag("tr", *(cell("td", position, piece) for position, piece in enumerate(row))) for row in rows)
    return tag("div", tag("table", tag("thead", head), tag("tbody", *body)), class_="wide")


def facts(pairs: Iterable[tuple[str, Piece]]) -> Markup:
    """Names and what they are."""
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs))


def link(path: Sequence[str], *pieces: Piece, **query: str) -> Markup:
    """A link to a page of the dashboard. path: its parts below `/dashboard`."""
    address = "/".join(["/dashboard", *(quote(part, safe="") for part in path)])
    return tag("a", *pieces, href=f"{address}?{urlencode(query)}" if query else address)


def moment(at: int, now: int) -> Markup:
    """An instant: the time of day with seconds, and the date unless it is today's; UTC."""
    then, today = datetime.fromtimestamp(at / 1000, UTC), datetime.fromtimestamp(now / 1000, UTC)
    shown = f"{then:%H:%M:%S}" if then.date() == today.date() else f"{then:%Y-%m-%d %H:%M:%S}"
    return tag("time", shown, datetime=wire.exact_instant(at))


def span(duration_ms: int) -> str:
    """A duration in its two largest units.

    >>> span(250), span(90_000), span(7_200_000), span(26 * 3_600_000)
    ('250 ms', '1 min 30 s', '2 h', '1 d 2 h')
    """
    if duration_ms < SECOND:
        return f"{duration_ms} ms"
    parts, rest = [], duration_ms
    for name, unit in (("d", DAY), ("h", HOUR), ("min", MINUTE), ("s", SECOND)):
        count, rest = divmod(rest, unit)
        parts.append(f"{count} {name}" if count else "")
    first = next(position for position, part in enumerate(parts) if part)
    return " ".join(part for part in parts[first : first + 2] if part)


def ago(at: int, now: int) -> Markup:
    """An instant, and how long that has been."""
    return joined([moment(at, now), tag("small", f" {span(max(0, now - at))} ago")])


def maybe(at: int | None, now: int) -> Piece:
    """An instant, or a dash."""
    return "–" if at is None else moment(at, now)


def badge(kind: str, text: str) -> Markup:
    """A word with a coloured mark. kind: `good`, `busy`, `warn`, `bad` or `idle`."""
    return tag("span", text, class_=f"badge {kind}")
