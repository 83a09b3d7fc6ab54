"""What stands still is told from what moves, by one's own clock."""

from bookbell.core.standstill import watch


def test_what_looks_the_same_has_done_so_since_it_was_first_seen() -> None:
    first = watch({}, {"a": 5}, 10)
    assert watch(first, {"a": 5}, 20) == {"a": (5, 10)}


def test_whatever_changes_starts_anew_also_backwards() -> None:
    first = watch({}, {"a": 5}, 10)
    assert watch(first, {"a": 4}, 20) == {"a": (4, 20)}


def test_what_is_not_seen_any_more_is_forgotten() -> None:
    first = watch({}, {"a": 5, "b": 5}, 10)
    assert watch(watch(first, {"b": 5}, 20), {"a": 5}, 30) == {"a": (5, 30)}
