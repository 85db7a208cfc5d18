"""What a bank of batteries amounts to."""

from custom_components.blupow.lib.blupow_ble.supervisor.bank import Bank, Member, bank_of


def test_bank() -> None:
    """The state of charge is weighed by capacity; power and current are sums."""
    small = Member(remaining=25, capacity=50, current=-2.5, power=-33.1)
    large = Member(remaining=190, capacity=200, current=10.25, power=136.0)
    assert bank_of([small, large]) == Bank(
        percentage=86.0, remaining_capacity=215, current=7.75, power=102.9
    )
    empty = Member(remaining=0, capacity=0, current=0, power=0)
    assert bank_of([empty, empty]).percentage is None


def test_digits_of_a_bank() -> None:
    """What adding floats leaves behind is not shown."""
    one = Member(remaining=1.234567, capacity=3, current=0.123456, power=1.234567)
    assert bank_of([one]) == Bank(
        percentage=41.2, remaining_capacity=1.235, current=0.12, power=1.2
    )
