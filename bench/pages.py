"""Writes the results of a run as JSON, as a table in bench/README.md, and as plots."""

import json
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- results -->\n", "<!-- end of results -->\n"
COLUMNS = ("per_s", "cpu_us", "p50_ms", "p99_ms", "memory_mb", "lost", "repeated")
BAR_PX, ROW_PX, LEFT_PX, WIDTH_PX = 14, 24, 190, 860


def write_pages(folder: Path, found: dict[str, Any]) -> None:
    """Write all of it into this folder."""
    results = folder / "results"
    results.mkdir(exist_ok=True)
    (results / f"{found['size']}.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    (results / "cpu.svg").write_text(_bars(found["results"], "cpu_us", "processor time, µs for each, log scale"))
    page = folder / "README.md"
    head, _, rest = page.read_text().partition(BEGIN)
    _, _, tail = rest.partition(END)
    page.write_text(f"{head}{BEGIN}{_table(found)}{END}{tail}")


def _table(found: dict[str, Any]) -> str:
    machine = ", ".join(f"{name} {value}" for name, value in found["machine"].items())
    lines = [
        f"\nMachine: {machine}. Size: {found['size']}; medians (minimum to maximum) of interleaved runs.\n",
        "| scenario | per s | µs CPU each | × bare | p50 ms | p99 ms | MB | lost | repeated | beside | target |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in found["results"]:
        figures = dict(row["figures"])
        shown = [_spread(figures.pop(name, None)) for name in COLUMNS]
        ratio = "" if row["ratio_to_bare"] is None else f"{row['ratio_to_bare']:.1f}"
        beside = ", ".join(
            f"{name} {_spread(each)}" for name, each in figures.items() if name not in {"count", "max_ms"}
        )
        cells = [row["title"], *shown[:2], ratio, *shown[2:], beside, row["target"]]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n\n![processor time](results/cpu.svg)\n\n"


def _spread(figure: dict[str, float] | None) -> str:
    if figure is None:
        return ""
    numbers = [_number(figure[name]) for name in ("median", "min", "max")]
    return numbers[0] if len(set(numbers)) == 1 else f"{numbers[0]} ({numbers[1]}–{numbers[2]})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"


def _bars(rows: list[dict[str, Any]], figure: str, title: str) -> str:
    """A bar for each scenario that has this figure, on a logarithmic scale."""
    import math

    shown = [(row["name"], row["figures"][figure]["median"]) for row in rows if figure in row["figures"]]
    most = max(math.log10(max(value, 1)) for _, value in shown)
    parts = []
    for index, (name, value) in enumerate(shown):
        top = 34 + index * ROW_PX
        width = round((WIDTH_PX - LEFT_PX - 90) * math.log10(max(value, 1)) / most)
        color = "#888" if name in {"bare", "wrk", "celery", "procrastinate"} else "#2a6fbb"
        parts.append(f'<text x="{LEFT_PX - 8}" y="{top + 11}" text-anchor="end">{name}</text>')
        parts.append(f'<rect x="{LEFT_PX}" y="{top}" width="{width}" height="{BAR_PX}" fill="{color}"/>')
        parts.append(f'<text x="{LEFT_PX + width + 6}" y="{top + 11}">{_number(value)}</text>')
    height = 44 + len(shown) * ROW_PX
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH_PX}" height="{height}" '
        f'font-family="sans-serif" font-size="12"><text x="8" y="18" font-weight="bold">{title}</text>'
        f"{''.join(parts)}</svg>\n"
    )
