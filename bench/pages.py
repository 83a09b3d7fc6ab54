"""Writes the results of a run as JSON, as a table in bench/README.md, and as plots.

The page shows what is kept of each size, the short one and the full one, each with its machine; the plots are of the
fullest there is.
"""

import json
import math
from pathlib import Path
from typing import Any

from bookbell.bench.figures import LATENCIES_MS

BEGIN, END = "<!-- results -->\n", "<!-- end of results -->\n"
SIZES = ("full", "short")
HEADS = {
    "per_s": "per s",
    "cpu_us": "µs CPU each",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "max_ms": "max ms",
    "memory_mb": "MB",
    "database_bytes": "bytes each",
    "statements": "statements each",
    "syncs": "syncs each",
    "lost": "lost",
    "repeated": "repeated",
}
REFERENCES = {"bare", "wrk", "celery", "procrastinate"}
PACED = ("open-loop", "isolation")
RATED = ("drain-1", "drain-1000", "publish", "overload")
PLOTS = "\n" + "".join(f"![{name}](results/{name}.svg)\n\n" for name in ("cpu", "latency", "rate"))
BAR_PX, ROW_PX, PANEL_PX, LEFT_PX, WIDTH_PX = 14, 24, 150, 190, 860


def write_pages(folder: Path, found: dict[str, Any]) -> None:
    """Write all of it into this folder."""
    results = folder / "results"
    results.mkdir(exist_ok=True)
    (results / f"{found['size']}.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    kept = [json.loads(path.read_text()) for size in SIZES if (path := results / f"{size}.json").exists()]
    rows = kept[0]["results"]
    (results / "cpu.svg").write_text(_bars(rows, "cpu_us", "processor time, µs for each, log scale"))
    (results / "latency.svg").write_text(_latencies(rows))
    (results / "rate.svg").write_text(_rates(rows))
    page = folder / "README.md"
    head, _, rest = page.read_text().partition(BEGIN)
    _, _, tail = rest.partition(END)
    page.write_text(f"{head}{BEGIN}{''.join(map(_table, kept))}{PLOTS}{END}{tail}")


def _table(found: dict[str, Any]) -> str:
    machine = ", ".join(f"{name} {value}" for name, value in found["machine"].items())
    lines = [
        f"\n## {found['size'].capitalize()} size\n",
        f"Code: {found['code']}. Machine: {machine}.",
        f"Medians (minimum to maximum) of {found['runs']} interleaved runs; what has no spread ran once.\n",
        f"| scenario | {' | '.join(_around_ratio(list(HEADS.values()), '× bare'))} | beside | target |",
        f"|{'---|' * (len(HEADS) + 4)}",
    ]
    for row in found["results"]:
        figures = dict(row["figures"])
        shown = [_spread(figures.pop(name, None)) for name in HEADS]
        ratio = "" if row["ratio_to_bare"] is None else f"{row['ratio_to_bare']:.1f}"
        beside = ", ".join(f"{name} {_spread(each)}" for name, each in figures.items() if name != "count")
        failed = row.get("failed")
        cells = [
            row["title"],
            *_around_ratio(shown, ratio),
            f"**failed**: {failed}" if failed else beside,
            row["target"],
        ]
        lines.append("| " + " | ".join(each.replace("\n", " ").replace("|", "/") for each in cells) + " |")
    return "\n".join(lines) + "\n"


def _around_ratio(cells: list[str], ratio: str) -> list[str]:
    """With the ratio behind the processor time that it is of."""
    at = list(HEADS).index("cpu_us") + 1
    return [*cells[:at], ratio, *cells[at:]]


def _spread(figure: dict[str, float] | None) -> str:
    if figure is None:
        return ""
    numbers = [_number(figure[name]) for name in ("median", "min", "max")]
    return numbers[0] if len(set(numbers)) == 1 else f"{numbers[0]} ({numbers[1]}–{numbers[2]})"


def _number(value: float) -> str:
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 0.1 else f"{value:.4f}"


def _bars(rows: list[dict[str, Any]], figure: str, title: str) -> str:
    """A bar for each scenario that has this figure, on a logarithmic scale."""
    shown = [(row["name"], row["figures"][figure]["median"]) for row in rows if figure in row["figures"]]
    most = max((math.log10(max(value, 1)) for _, value in shown), default=0) or 1
    parts = []
    for index, (name, value) in enumerate(shown):
        top = 34 + index * ROW_PX
        width = round((WIDTH_PX - LEFT_PX - 90) * math.log10(max(value, 1)) / most)
        color = "#888" if name in REFERENCES else "#2a6fbb"
        parts.append(_text(LEFT_PX - 8, top + 11, name, anchor="end"))
        parts.append(f'<rect x="{LEFT_PX}" y="{top}" width="{width}" height="{BAR_PX}" fill="{color}"/>')
        parts.append(_text(LEFT_PX + width + 6, top + 11, _number(value)))
    return _plot(title, 44 + len(shown) * ROW_PX, parts)


def _latencies(rows: list[dict[str, Any]]) -> str:
    """Beside each other for each scenario with a pace of its own: the share of latencies in each class."""
    shown = {row["name"]: row["series"]["latencies"] for row in rows if row["name"] in PACED and row["series"]}
    parts, classes = [], [*(f"≤ {bound:,}" for bound in LATENCIES_MS), "more"]
    for index, (name, counts) in enumerate(shown.items()):
        top = 40 + index * PANEL_PX
        parts.append(_text(8, top + 12, name))
        step = (WIDTH_PX - LEFT_PX - 20) / len(counts)
        for place, (label, count) in enumerate(zip(classes, counts, strict=True)):
            left, height = LEFT_PX + place * step, round(count / max(1, *counts) * (PANEL_PX - 50))
            bottom = top + PANEL_PX - 34
            parts.append(
                f'<rect x="{left:.0f}" y="{bottom - height}" width="{step - 4:.0f}" height="{height}" fill="#2a6fbb"/>'
            )
            parts.append(_text(left + step / 2 - 2, bottom + 14, label.removeprefix("≤ "), anchor="middle", size=9))
    return _plot("from commit to first byte: latencies by class, up to so many ms", 50 + len(shown) * PANEL_PX, parts)


def _rates(rows: list[dict[str, Any]]) -> str:
    """A line for each scenario that empties or floods: arrivals in each second."""
    shown = {row["name"]: row["series"]["per_s"] for row in rows if row["name"] in RATED and row["series"]}
    parts = []
    for index, (name, counts) in enumerate(shown.items()):
        top, most = 40 + index * PANEL_PX, max(1, *counts)
        step = (WIDTH_PX - LEFT_PX - 20) / max(1, len(counts) - 1)
        points = " ".join(
            f"{LEFT_PX + place * step:.0f},{top + (PANEL_PX - 40) * (1 - count / most):.0f}"
            for place, count in enumerate(counts)
        )
        parts.append(_text(8, top + 12, name))
        parts.append(_text(LEFT_PX - 8, top + 10, _number(most), anchor="end"))
        parts.append(_text(LEFT_PX - 8, top + PANEL_PX - 38, "0", anchor="end"))
        parts.append(_text(WIDTH_PX - 20, top + PANEL_PX - 24, f"{len(counts)} s", anchor="end", size=9))
        parts.append(f'<polyline points="{points}" fill="none" stroke="#2a6fbb" stroke-width="2"/>')
    return _plot("arrivals in each second", 50 + len(shown) * PANEL_PX, parts)


def _text(left: float, top: float, text: str, *, anchor: str = "start", size: int = 12) -> str:
    return f'<text x="{left:.0f}" y="{top:.0f}" text-anchor="{anchor}" font-size="{size}">{text}</text>'


def _plot(title: str, height: int, parts: list[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH_PX}" height="{height}" font-family="sans-serif">'
        f'<rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="8" y="18" font-size="13" font-weight="bold">{title}</text>'
        f"{''.join(parts)}</svg>\n"
    )
