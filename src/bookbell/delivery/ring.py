"""Who is served next: organizations take turns, and within one its lanes do.

So an organization with a thousand busy lanes gets one turn where another with a single lane gets one, too.
"""

from collections import deque

from bookbell.core.model import OrganizationId
from bookbell.delivery.lane import Lane


class Ring:
    """Lanes that take turns. Each stands in it once, and its holder remembers that it does.

    count: how many stand in it, passed-over ones included.
    """

    def __init__(self) -> None:
        self._turns: deque[OrganizationId] = deque()
        self._lanes: dict[OrganizationId, deque[Lane]] = {}
        self._blocked: dict[OrganizationId, deque[Lane]] = {}
        self.count = 0

    @property
    def open_count(self) -> int:
        """The same without those that are passed over."""
        return self.count - sum(map(len, self._blocked.values()))

    @property
    def organization_count(self) -> int:
        """How many organizations take turns."""
        return len(self._turns)

    def count_of(self, organization: OrganizationId) -> int:
        """How many of its lanes stand in it, passed-over ones included."""
        return len(self._lanes.get(organization, ())) + len(self._blocked.get(organization, ()))

    def add(self, lane: Lane) -> None:
        """Let this lane stand at the end of its organization's row."""
        self.count += 1
        organization = lane.organization_id
        if organization in self._blocked:
            self._blocked[organization].append(lane)
        elif organization in self._lanes:
            self._lanes[organization].append(lane)
        else:
            self._lanes[organization] = deque([lane])
            self._turns.append(organization)

    def take(self) -> Lane | None:
        """The lane whose turn it is, None when the ring is empty."""
        if not self._turns:
            return None
        organization = self._turns.popleft()
        row = self._lanes[organization]
        lane = row.popleft()
        self.count -= 1
        if row:
            self._turns.append(organization)
        else:
            del self._lanes[organization]
        return lane

    def block(self, organization: OrganizationId) -> None:
        """Pass this organization over until it is unblocked."""
        self._blocked.setdefault(organization, deque()).extend(self._lanes.pop(organization, ()))
        if organization in self._turns:
            self._turns.remove(organization)

    def unblock(self, organization: OrganizationId) -> None:
        """Let this organization take part again, if it was blocked."""
        row = self._blocked.pop(organization, None)
        if row:
            self._lanes[organization] = row
            self._turns.append(organization)
