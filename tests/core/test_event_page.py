"""docs/events.md says what the catalogue says."""

from pathlib import Path

from bookbell.core.catalogue import TYPES
from bookbell.core.event_page import event_page

PAGE = Path(__file__).parents[2] / "docs" / "events.md"


def test_the_page_of_events_is_fresh() -> None:
    is_fresh = PAGE.read_text() == event_page()
    assert is_fresh, "docs/events.md is stale: run `bookbell event-types list --markdown > docs/events.md`"


def test_the_page_names_every_event() -> None:
    assert all(f"| `{name}` |" in event_page() for name in TYPES)
