"""Every route of the API as something to call: method, path with ids that are nobody's, and who may."""

import re
from dataclasses import dataclass

from bookbell.web.routes import ROUTES

NOBODYS_ID = "01976f0e-0000-7000-8000-00000000dead"
PREFIXES = ("/v1/", "/v2/", "/platform/v1/")


@dataclass(frozen=True, slots=True)
class Route:
    """who: somebody who may call it, as `Opened.credentials` names them."""

    method: str
    path: str
    who: str

    @property
    def id(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def target(self) -> str:
        """The path with an id in each place."""
        return self.with_ids(NOBODYS_ID)

    def with_ids(self, id_: str) -> str:
        """The path with this id in each place."""
        return re.sub(r"\{\w+:\w+\}", id_, self.path)


def api_routes() -> list[Route]:
    """All routes that demand credentials, in order of their definition."""
    return [
        Route(handler.method, path, _who(path))
        for handler in ROUTES
        for path in sorted(handler.paths)
        if path.startswith(PREFIXES)
    ]


def _who(path: str) -> str:
    if path.startswith(("/platform/v1/organizations", "/platform/v1/event-types")):
        return "operator"
    return "pipeline" if path.startswith("/platform/v1/") else "manager"
