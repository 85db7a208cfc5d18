"""Which word of a 32-bit total comes first: declared, or inferred from the numbers themselves."""

from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.blupow.lib.blupow_ble.profiles.declaration import NO_VALUE, Field, WordOrder
from custom_components.blupow.lib.blupow_ble.profiles.decoding import decode
from custom_components.blupow.lib.blupow_ble.profiles.inverter import INVERTER, RIV4835CSH1S
from custom_components.blupow.lib.blupow_ble.profiles.profile import RegisterMap
from custom_components.blupow.lib.blupow_ble.profiles.word_order import inferred_order

MAP = INVERTER.register_map(RIV4835CSH1S)
TOTALS = {
    4550: "charged_total",
    4552: "discharged_total",
    4554: "solar_energy_total",
    4556: "load_energy_total",
    4564: "mains_load_energy_total",
}
DAILY = {4550: 4543, 4552: 4544, 4554: 4545, 4556: 4546, 4564: 4559}


def sent(numbers: dict[int, int], order: WordOrder) -> dict[int, int]:
    """Return totals as registers, in an order of their words."""
    registers = {}
    for register, number in numbers.items():
        words = (number >> 16, number & 0xFFFF)
        first, second = words if order is WordOrder.HIGH_FIRST else words[::-1]
        registers |= {register: first, register + 1: second}
    return registers


def inferred(first: int, second: int, today: int = 0) -> WordOrder | None:
    """Return the order that the energy of the sun tells."""
    return inferred_order(MAP, {4554: first, 4555: second, 4545: today})


@pytest.mark.parametrize(
    ("first", "second", "today", "order"),
    [
        (0, 735, 12, WordOrder.HIGH_FIRST),
        (735, 0, 12, WordOrder.LOW_FIRST),
        (0, 0, 0, WordOrder.HIGH_FIRST),
        # 6553.7 kWh, or 13 GWh, which nothing counts in its life
        (1, 50_000, 12, WordOrder.HIGH_FIRST),
        (50_000, 1, 12, WordOrder.LOW_FIRST),
        # 6553.6 kWh, as 0.1 kWh is less than today's: exactly a multiple, and still inferred
        (1, 0, 12, WordOrder.HIGH_FIRST),
        (0, 1, 12, WordOrder.LOW_FIRST),
        # 6555.6 or 131072.1 kWh: both can be
        (1, 20, 12, WordOrder.HIGH_FIRST),
        (NO_VALUE, NO_VALUE, NO_VALUE, WordOrder.HIGH_FIRST),
        (735, 0, NO_VALUE, WordOrder.LOW_FIRST),
    ],
)
def test_told_by_one_total(first: int, second: int, today: int, order: WordOrder) -> None:
    """By its limit, by what was counted today, by a high word of zero; else as documented."""
    assert inferred(first, second, today) is order


def test_one_total_tells_for_all() -> None:
    """One that could be both ways follows those that tell."""
    registers = sent({4552: 1165, 4554: 65_556, 4556: 3320}, WordOrder.LOW_FIRST)
    assert decode(MAP, registers).values == {
        "discharged_total": 1165,
        "solar_energy_total": 6555.6,
        "load_energy_total": 332.0,
    }


def test_totals_that_contradict_each_other_are_none() -> None:
    """Nothing is shown of what could be a wrong number."""
    registers = {4554: 735, 4555: 0, 4556: 0, 4557: 3320}
    decoded = decode(MAP, registers)
    assert decoded.values == {}
    assert decoded.dropped == ["solar_energy_total", "load_energy_total"]


def test_missing_totals_tell_nothing() -> None:
    """A block that did not come."""
    assert inferred_order(MAP, {4554: 735}) is WordOrder.HIGH_FIRST


@given(
    st.sampled_from((WordOrder.HIGH_FIRST, WordOrder.LOW_FIRST)),
    st.dictionaries(st.sampled_from(sorted(TOTALS)), st.integers(1, 3_000_000), min_size=1),
    st.data(),
)
def test_no_order_shows_a_wrong_number(
    order: WordOrder, numbers: dict[int, int], data: st.DataObject
) -> None:
    """Whatever the order, a total is shown as it is, or not at all, once one below 65536 is among them."""
    numbers[4550] = data.draw(st.integers(1, 0xFFFF))
    registers = sent(numbers, order)
    for register, number in numbers.items():
        registers[DAILY[register]] = data.draw(st.integers(0, min(number, 4800)))
    values = decode(MAP, registers).values
    for register, number in numbers.items():
        scale = 1 if register < 4554 else 0.1
        assert values.get(TOTALS[register]) in (None, round(number * scale, 1))


def _total(**facts: Any) -> RegisterMap:
    """Return a map of one total in registers 1 and 2, and of today's counter in register 3."""
    fields = (
        Field(key="total", register=1, words=2, order=WordOrder.INFERRED, today="today", **facts),
        Field(key="today", register=3),
    )
    return RegisterMap(blocks=(), fields=fields)


def test_limit_of_a_total() -> None:
    """Up to the last digit that it can have counted, in either order."""
    limited = _total(valid=(0, 20_000.5), scale=0.1)  # 200005 digits: 3 and 3397
    for first, second, order in (
        (3, 3397, WordOrder.HIGH_FIRST),
        (3397, 3, WordOrder.LOW_FIRST),
        (2, 3397, WordOrder.HIGH_FIRST),
        (3397, 2, WordOrder.LOW_FIRST),
    ):
        assert inferred_order(limited, {1: first, 2: second}) is order
    # one digit more can be in no order: nothing is told
    other = {1: 3, 2: 3398, 3: 0}
    assert inferred_order(limited, other) is WordOrder.HIGH_FIRST
    assert inferred_order(limited, {1: 3398, 2: 3}) is WordOrder.HIGH_FIRST


def test_total_without_a_limit() -> None:
    """A high word of zero tells, up to the largest low word."""
    assert inferred_order(_total(), {1: 0xFFFF, 2: 0}) is WordOrder.LOW_FIRST
    assert inferred_order(_total(), {1: 0, 2: 0xFFFF}) is WordOrder.HIGH_FIRST
    assert inferred_order(_total(), {1: 5, 2: 0, 3: 6}) is WordOrder.HIGH_FIRST
