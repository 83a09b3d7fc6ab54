"""The ledger says what does not balance."""

from bookbell.core.ledger import Ledger


def test_a_balanced_ledger_has_no_problems() -> None:
    ledger = Ledger(organization_id="o", matched=10, delivered=4, pending=3, exhausted=2, cancelled=1)
    assert ledger.problems() == ()


def test_each_kind_of_imbalance_is_said() -> None:
    ledger = Ledger(organization_id="o", matched=3, delivered=1, unexplained=2, unproven=1)
    missing, unexplained, unproven = ledger.problems()
    assert missing == "3 deliveries were matched, but 1 are accounted for."
    assert unexplained.startswith("2 deliveries ended unsent")
    assert unproven.startswith("1 deliveries count as delivered")
