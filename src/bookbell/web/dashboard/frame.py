"""The frame of every page of the dashboard: head, style, the way back. It loads nothing and runs nothing."""

import base64
import hashlib

from bookbell.web.dashboard.markup import Markup, Piece, joined, link, moment, tag

STYLE = """
:root { color-scheme: light dark; --page: #f6f6f4; --card: #fff; --ink: #1d1f23; --quiet: #686c74; --line: #e3e3df;
  --link: #1a56b0; --good: #1a7f4b; --busy: #1a66c2; --warn: #a66400; --bad: #c02a2a; --idle: #686c74; }
@media (prefers-color-scheme: dark) { :root { --page: #131519; --card: #1b1e24; --ink: #e6e7ea; --quiet: #989da6;
  --line: #2d3139; --link: #82b1ff; --good: #4cc38a; --busy: #70b0ff; --warn: #f0b13c; --bad: #ff7b72;
  --idle: #989da6; } }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0; background: var(--page); color: var(--ink); }
header { background: var(--card); border-bottom: 1px solid var(--line); padding: .7rem 1.5rem; display: flex;
  flex-wrap: wrap; gap: .25rem 1rem; align-items: baseline; }
header nav { flex: 1; } header nav b { margin-right: .25rem; } header small { white-space: nowrap; }
main { max-width: 84rem; margin: 0 auto; padding: 1rem 1.5rem 3rem; }
h1 { font-size: 1.35rem; margin: .75rem 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 0 0 .6rem; } * + h2 { margin-top: 1.4rem; }
a { color: var(--link); text-decoration: none; } a:hover, a:focus-visible { text-decoration: underline; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.2rem;
  margin: 1rem 0; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); gap: 1rem;
  margin: 1rem 0; }
.pair section { margin: 0; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; font-size: .8rem; color: var(--quiet); white-space: nowrap; }
th, td { padding: .4rem 1rem .4rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tbody tr:last-child td { border-bottom: 0; } th:last-child, td:last-child { padding-right: 0; }
.number { text-align: right; white-space: nowrap; } time { white-space: nowrap; }
dl { margin: 0; } dl div { display: flex; gap: 1rem; padding: .2rem 0; border-bottom: 1px solid var(--line); }
dl div:last-child { border: 0; } dt { color: var(--quiet); flex: 0 0 12rem; }
dd { margin: 0; overflow-wrap: anywhere; }
small, .quiet { color: var(--quiet); } small { font-size: .85em; }
.list table { table-layout: fixed; min-width: 62rem; } .list td { overflow-wrap: anywhere; }
.list th:nth-child(1) { width: 34%; } .list th:nth-child(2) { width: 26%; } .list th:nth-child(3) { width: 6rem; }
.list th:nth-child(4) { width: 9rem; } td > small { display: block; }
code { font: .88em ui-monospace, monospace; overflow-wrap: anywhere; } .wide code { overflow-wrap: break-word; }
.badge { color: var(--idle); font-weight: 600; display: inline-block; padding-left: 1.05em; position: relative; }
.badge::before { content: ""; position: absolute; left: 0; top: .45em; width: .6em; height: .6em; border-radius: 50%;
  background: currentColor; }
.good { color: var(--good); } .busy { color: var(--busy); } .warn { color: var(--warn); } .bad { color: var(--bad); }
.counters { display: flex; flex-wrap: wrap; gap: .5rem 2.2rem; } .counters b { display: block; font-size: 1.5rem;
  line-height: 1.2; font-variant-numeric: tabular-nums; }
ol { columns: 12rem; margin: .25rem 0 0; padding-left: 1.5rem; font-variant-numeric: tabular-nums; }
p { margin: .4rem 0; } .more { text-align: right; }
@media (max-width: 40rem) { main { padding: .5rem .75rem 2rem; } dl div { display: block; }
  .list table { min-width: 42rem; } }
"""
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""Nothing but the style sheet above."""


def page(title: str, *pieces: Piece, trail: tuple[Markup, ...] = (), now: int | None = None) -> bytes:
    """A whole page. trail: links to what stands above it; now: the instant that it shows."""
    way = joined(piece for each in (link([], "Webhooks"), *trail) for piece in (" › ", each))
    clock = None if now is None else tag("small", "as of ", moment(now, now), " UTC")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("title", f"{title} · bookbell"),
        tag("meta", name="viewport", content="width=device-width"),
        Markup(f"<style>{STYLE}</style>"),
    )
    top = tag("header", tag("nav", tag("b", "bookbell"), way, aria_label="Way back"), clock)
    body = tag("body", top, tag("main", tag("h1", title), *pieces))
    return f"<!doctype html>{tag('html', head, body, lang='en')}".encode()
