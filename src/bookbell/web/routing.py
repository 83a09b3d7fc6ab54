"""Routes: which handler answers which method and path.

A path is matched part by part between its slashes, empty parts left out. `{name:str}` stands for any one part; a part
that is spelled out wins over it. Knows nothing of what handlers do.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bookbell.core.errors import BookbellError
from bookbell.web.http import Request, Response

Handler = Callable[[Request], Awaitable[Response]]
OnError = Callable[[Request, BookbellError], Response]


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """A handler with what it answers. opt: its description (`web/operation.py`); on_error: how it shows errors, if
    not as the API does.
    """

    fn: Handler
    method: str
    paths: tuple[str, ...]
    opt: Mapping[str, Any]
    on_error: OnError | None = None


def _decorator(method: str) -> Callable[..., Callable[[Handler], Route]]:
    def of(
        paths: str | Sequence[str], *, opt: Mapping[str, Any], on_error: OnError | None = None
    ) -> Callable[[Handler], Route]:
        several = (paths,) if isinstance(paths, str) else tuple(paths)
        return lambda fn: Route(fn, method, several, opt, on_error)

    return of


get, post, put, delete = map(_decorator, ("GET", "POST", "PUT", "DELETE"))
"""Make a handler the one for this path, or each of these, and this method."""


@dataclass(slots=True)
class Node:
    """Where a path leads so far. by_method: the routes that end here, each with the names of its parts."""

    parts: "dict[str, Node]" = field(default_factory=dict)
    any_part: "Node | None" = None
    by_method: dict[str, tuple[Route, tuple[str, ...]]] = field(default_factory=dict)

    @property
    def allowed(self) -> str:
        """The methods of this path, as the header Allow has them."""
        return ", ".join([*self.by_method, "OPTIONS"])


def tree_of(routes: Iterable[Route]) -> Node:
    """The routes as a tree of the parts of their paths."""
    root = Node()
    for route in routes:
        for path in route.paths:
            _place(root, route, path)
    return root


def _place(node: Node, route: Route, path: str) -> None:
    names = []
    for part in parts_of(path):
        if part.startswith("{"):
            names.append(part[1:].partition(":")[0])
            node.any_part = node = node.any_part or Node()
        else:
            node = node.parts.setdefault(part, Node())
    node.by_method[route.method] = route, tuple(names)


def find(tree: Node, path: str) -> tuple[Node, list[str]] | None:
    """Where this path leads, with the parts that have names; None if nowhere."""
    values: list[str] = []
    node = _descend(tree, parts_of(path), 0, values)
    return None if node is None else (node, values)


def parts_of(path: str) -> list[str]:
    """A path as it is matched: what stands between its slashes."""
    return [part for part in path.split("/") if part]


def _descend(node: Node, parts: Sequence[str], at: int, values: list[str]) -> Node | None:
    """As deep as the tree at most, however many parts the path has."""
    if at == len(parts):
        return node if node.by_method else None
    spelled = node.parts.get(parts[at])
    if spelled is not None and (found := _descend(spelled, parts, at + 1, values)) is not None:
        return found
    if node.any_part is None:
        return None
    values.append(parts[at])
    if (found := _descend(node.any_part, parts, at + 1, values)) is None:
        values.pop()
    return found
