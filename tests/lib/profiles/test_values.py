"""Every value of every family through bytes and back: its whole range, signs, sentinels, both word orders."""

from dataclasses import replace
import struct

from hypothesis import given, strategies as st
import pytest

from custom_components.blupow.lib.blupow_ble.profiles import PROFILES
from custom_components.blupow.lib.blupow_ble.profiles.controller import CONTROLLER
from custom_components.blupow.lib.blupow_ble.profiles.declaration import (
    ANY_UNKNOWN_FAULT,
    LIFETIME,
    NO_SENSOR,
    NO_VALUE,
    UNKNOWN_FAULT,
    Computed,
    Counter,
    Field,
    Kind,
    Rule,
    UnitOfMeasurement,
    WordOrder,
)
from custom_components.blupow.lib.blupow_ble.profiles.decoding import (
    Decoded,
    OutOfRange,
    decode,
    decode_field,
)
from custom_components.blupow.lib.blupow_ble.profiles.inverter import INVERTER
from custom_components.blupow.lib.blupow_ble.profiles.profile import Model, Profile, RegisterMap
from custom_components.blupow.lib.blupow_ble.profiles.shunt import SHUNT
from custom_components.blupow.lib.blupow_ble.protocol.modbus import parse_reply, seal

EVERY_MODEL = [(profile, model) for profile in PROFILES.values() for model in profile.models]
EVERY_FIELD = [
    (profile, model, field)
    for profile, model in EVERY_MODEL
    for field in profile.register_map(model).fields
]
NUMBERS = [row for row in EVERY_FIELD if row[2].kind is Kind.NUMBER]
SIGNED = [row for row in NUMBERS if row[2].signed or row[2].sign_magnitude]
TOTALS = [row for row in EVERY_FIELD if row[2].counter is Counter.TOTAL]
FAULT_LISTS = [row for row in EVERY_FIELD if row[2].kind in (Kind.BITS, Kind.PAIRS)]


def name(row: object) -> str | None:
    """Return the name of a family, a model or a field."""
    return row.key if isinstance(row, Profile | Model | Field) else None


def encoded(field: Field, number: int, order: WordOrder, around: int = 0) -> dict[int, int]:
    """Return a number as a field's registers; bits beside it are those of `around`."""
    shift, width = field.bits or (0, 16 * field.words)
    mask = (1 << width) - 1
    below_zero = field.sign_magnitude and number < 0
    raw = (1 << width - 1) | -number if below_zero else number & mask
    whole = around & ~(mask << shift) | raw << shift
    words = [whole >> 16 * place & 0xFFFF for place in reversed(range(field.words))]
    if order is WordOrder.LOW_FIRST:
        words.reverse()
    return dict(zip(field.registers, words, strict=True))


def range_of(field: Field) -> tuple[int, int]:
    """Return the smallest and the largest number that its bits can hold."""
    width = (field.bits or (0, 16 * field.words))[1]
    if field.sign_magnitude:
        return -(1 << width - 1) + 1, (1 << width - 1) - 1
    if field.signed:
        return -(1 << width - 1), (1 << width - 1) - 1
    return 0, (1 << width) - 1


def through_bytes(register_map: RegisterMap, registers: dict[int, int]) -> Decoded:
    """Decode registers that have been in a frame."""
    start = min(registers)
    words = [registers[register] for register in range(start, start + len(registers))]
    frame = seal(struct.pack(f">BBB{len(words)}H", 1, 3, 2 * len(words), *words))
    return decode(register_map, dict(enumerate(parse_reply(frame).words, start)))


@pytest.mark.parametrize(("profile", "model", "field"), NUMBERS, ids=name)
@given(st.data())
def test_number_through_bytes_and_back(
    profile: Profile, model: Model, field: Field, data: st.DataObject
) -> None:
    """What is sent is shown, or dropped where it cannot be true; nothing else is."""
    number = data.draw(st.integers(*range_of(field)))
    orders = list(WordOrder)[:2] if field.words > 1 and field.bits is None else list(WordOrder)[:1]
    order = data.draw(st.sampled_from(orders))
    around = data.draw(st.integers(0, (1 << 16 * field.words) - 1))
    declared = replace(field, order=order, present_count=None)
    only = RegisterMap(blocks=(), fields=(declared,), no_value=profile.no_value)
    registers = encoded(field, number, order, around)
    decoded = through_bytes(only, registers)
    value = number * field.scale
    if (profile.no_value is not None and set(registers.values()) == {NO_VALUE}) or (
        field.no_sensor is not None and registers[field.register] == field.no_sensor
    ):
        assert decoded == Decoded()
    elif field.limits is None or field.limits[0] <= round(value, 6) <= field.limits[1]:
        assert decoded.values == {field.key: pytest.approx(value, abs=1e-9)}
        assert decoded.dropped == []
    elif field.fine_scale is not None and number * field.fine_scale <= field.limits[1]:
        assert decoded.values == {field.key: pytest.approx(number * field.fine_scale, abs=1e-9)}
    else:
        assert decoded == Decoded(dropped=[field.key])


@pytest.mark.parametrize(("profile", "model", "field"), SIGNED, ids=name)
def test_both_signs_can_be_shown(profile: Profile, model: Model, field: Field) -> None:
    """Nothing that is signed is refused on one side of zero."""
    assert field.limits is not None
    assert field.limits[0] < 0 < field.limits[1]
    for number in (-2, 2):
        registers = encoded(field, number, WordOrder.HIGH_FIRST)
        only = RegisterMap(blocks=(), fields=(replace(field, present_count=None),))
        assert decode(only, registers).values == {field.key: pytest.approx(number * field.scale)}


@pytest.mark.parametrize(("profile", "model", "field"), EVERY_FIELD, ids=name)
def test_temperatures_know_frost(profile: Profile, model: Model, field: Field) -> None:
    """Every temperature has a sign."""
    if field.unit_of_measurement is UnitOfMeasurement.CELSIUS:
        assert field.signed is not field.sign_magnitude


@pytest.mark.parametrize(("profile", "model", "field"), TOTALS, ids=name)
def test_every_total_has_an_upper_bound(profile: Profile, model: Model, field: Field) -> None:
    """It is what the device can have counted in twenty years; one beyond it is dropped."""
    assert field.per_hour is not None
    assert field.limits == (0, field.per_hour * LIFETIME)
    beyond = int(field.limits[1] / field.scale) + 1
    if beyond < 1 << 16 * field.words:
        declared = replace(field, order=WordOrder.HIGH_FIRST)
        only = RegisterMap(blocks=(), fields=(declared,))
        registers = encoded(field, beyond, WordOrder.HIGH_FIRST)
        assert decode(only, registers) == Decoded(dropped=[field.key])


@pytest.mark.parametrize(("profile", "model", "field"), SIGNED + TOTALS, ids=name)
def test_signs_and_totals_name_their_sources(profile: Profile, model: Model, field: Field) -> None:
    """docs/registers.md tells which rest on a single one."""
    assert field.evidence
    assert len(set(field.evidence)) == len(field.evidence)


@pytest.mark.parametrize(("profile", "model", "field"), FAULT_LISTS, ids=name)
def test_every_bit_without_a_name_is_an_unknown_fault(
    profile: Profile, model: Model, field: Field
) -> None:
    """A bit that is set is a fault, unless it is known to be set on healthy devices."""
    width = (field.bits or (0, 16 * field.words))[1]
    for bit in range(width):
        registers = encoded(field, 1 << bit, WordOrder.HIGH_FIRST)
        only = RegisterMap(blocks=(), fields=(field,))
        values = decode(only, registers).values[field.key]
        assert isinstance(values, list)
        if bit in field.quiet:
            assert values == []
        elif (bit // 2 if field.kind is Kind.PAIRS else bit) in field.names:
            assert len(values) == 1
            assert values[0] in field.listed
        else:
            place = field.registers[-1 - bit // 16]
            assert values == [f"unknown ({place}, {bit % 16})"]
            assert profile.worst(values) == ANY_UNKNOWN_FAULT
    assert UNKNOWN_FAULT in {fault.name for fault in profile.faults}


@pytest.mark.parametrize(("profile", "model"), EVERY_MODEL, ids=name)
def test_number_without_a_name_is_told(profile: Profile, model: Model) -> None:
    """An enumeration that is not whole tells the number, so that a report can name it."""
    register_map = profile.register_map(model)
    for field in register_map.fields:
        if field.kind is Kind.ENUM:
            width = (field.bits or (0, 16))[1]
            number = next(n for n in reversed(range(1 << width)) if n not in field.names)
            number -= 1 if number == NO_VALUE else 0
            only = RegisterMap(blocks=(), fields=(field,), no_value=profile.no_value)
            decoded = decode(only, encoded(field, number, WordOrder.HIGH_FIRST))
            assert decoded == Decoded(unknown={field.key: number})


@pytest.mark.parametrize(
    ("start", "frame", "model", "values", "unknown"),
    [
        # on split-phase machines grid operation, on others initialising
        (528, "01030200023985", "SRNE", {}, {"machine_state": 2}),
        (
            256,
            "0103180064021c00000000000000000000000000000000000000088c6f",
            "SRNE",
            {"charging_status": "full"},
            {},
        ),
    ],
)
def test_states_of_the_makers_own_map(
    start: int, frame: str, model: str, values: dict[str, str], unknown: dict[str, int]
) -> None:
    """Public register values, framed."""
    words = parse_reply(bytes.fromhex(frame)).words
    decoded = decode(INVERTER.register_map(INVERTER.model(model)), dict(enumerate(words, start)))
    assert values.items() <= decoded.values.items()
    assert decoded.unknown == unknown


@pytest.mark.parametrize(
    ("model_text", "code", "battery_type"),
    [
        ("RNG-CTRL-RVR40", 0, "user"),
        ("RNG-CTRL-RVR40", 5, "user_locked"),
        ("RNG-CTRL-RVR40", 6, None),
        ("RCC10RVRB", 5, "lithium_36_v"),
        ("RCC10RVRB-G1", 6, "lithium_48_v"),
        ("RCC20RVRE-G1", 5, "user_locked"),
        ("something else", 5, None),
        ("something else", 4, "lithium"),
    ],
)
def test_battery_type_of_a_controller(model_text: str, code: int, battery_type: str | None) -> None:
    """5 is locked by Modbus, and lithium 36 V on a Rover Boost; on a model in no list it is not known."""
    register_map = CONTROLLER.register_map(CONTROLLER.model_named(model_text))
    decoded = decode(register_map, {0xE004: code})
    assert decoded.values.get("battery_type") == battery_type
    assert decoded.unknown == ({} if battery_type else {"battery_type": code})


@pytest.mark.parametrize(
    ("first", "second", "values"),
    [
        (0xFFF6, 0x00FA, {"battery_temperature": -1.0, "battery_temperature_2": 25.0}),
        (NO_SENSOR, 0xFF38, {"battery_temperature_2": -20.0}),
        (NO_SENSOR, NO_SENSOR, {}),
        (0, 0, {"battery_temperature": 0.0, "battery_temperature_2": 0.0}),
    ],
)
def test_temperatures_of_a_shunt(first: int, second: int, values: dict[str, float]) -> None:
    """Two sensors, signed; 0x8000 is no sensor."""
    decoded = decode(SHUNT.register_map(), {33: first, 35: second})
    assert (decoded.values, decoded.dropped) == (values, [])


def test_fan_alarm_of_a_dc_dc_charger() -> None:
    """Register 0x0122, bit 8."""
    frame = bytes.fromhex("01030a010000000000000000007573")
    profile = PROFILES["dcdc"]
    words = parse_reply(frame).words
    assert decode(profile.register_map(), dict(enumerate(words, 0x0122))).values["more_faults"] == [
        "fan_fault"
    ]


def test_code_without_a_name_is_an_unknown_fault() -> None:
    """Registers 4398-4401 hold codes, not bits."""
    words = dict.fromkeys(range(4398, 4402), 0) | {4399: 99}
    assert decode(INVERTER.register_map(), words).values == {"faults": ["unknown (99)"]}
    assert INVERTER.worst(["unknown (99)"]) == ANY_UNKNOWN_FAULT


@pytest.mark.parametrize(("profile", "model"), EVERY_MODEL, ids=name)
def test_another_model_reads_what_all_have_in_common(profile: Profile, model: Model) -> None:
    """Nothing of it means something else on a model that is known well; the SRNE map has its own."""
    other = profile.other_model
    unconfirmed = ("SRNE", "RIV1230PCH")
    if other is None or model.key in unconfirmed:
        return
    theirs = {field.key: field for field in profile.register_map(model).fields}
    for field in profile.register_map(other).fields:
        if field.key in theirs and field.counter is None:
            assert theirs[field.key] == field


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((0x4120, 0x4200), "A B"),
        ((0x2020, 0x4142), "AB"),
        ((0x417F, 0x4280), "AB"),
        ((0x4100, 0x0042), "AB"),
        ((0x2000, 0), None),
    ],
)
def test_text(words: tuple[int, ...], text: str | None) -> None:
    """Printable characters without the padding; a space within belongs to it."""
    field = Field(key="text", register=0, words=2, kind=Kind.TEXT)
    assert decode_field(field, words) == text


def test_text_in_low_bytes() -> None:
    """One character a register."""
    field = Field(key="text", register=0, words=3, kind=Kind.TEXT, bits=(0, 8))
    assert decode_field(field, (0x0041, 0x4242, 0x0043)) == "ABC"


def test_cells_that_are_not_counted() -> None:
    """Without their number none is there; the last one is."""
    cells = tuple(
        Field(key=f"cell_{number}", register=number, present_count=(9, number))
        for number in (1, 2, 3)
    )
    register_map = RegisterMap(blocks=(), fields=cells)
    assert decode(register_map, {1: 5, 2: 6, 3: 7}).values == {}
    assert decode(register_map, {1: 5, 2: 6, 3: 7, 9: 2}).values == {"cell_1": 5, "cell_2": 6}


def test_limits_belong_to_what_can_be() -> None:
    """Of a number, of its finer scale, and of what follows from two others."""
    field = Field(key="n", register=1, scale=1, fine_scale=0.1, valid=(2, 10))
    assert [decode_field(field, (word,)) for word in (2, 10, 20, 100)] == [2, 10, 2.0, 10.0]
    for word in (1, 19, 101):
        with pytest.raises(OutOfRange):
            decode_field(field, (word,))
    computed = Computed(
        key="product",
        rule=Rule.PRODUCT,
        of=("a", "b"),
        unit_of_measurement=UnitOfMeasurement.WATT,
        scale=1,
        valid=(4, 6),
    )
    fields = (Field(key="a", register=1), Field(key="b", register=2))
    register_map = RegisterMap(blocks=(), fields=fields, computed=(computed,))
    for factor, shown in ((1, None), (2, 4), (3, 6), (4, None)):
        assert decode(register_map, {1: 2, 2: factor}).values.get("product") == shown


def test_what_comes_after_a_value_that_cannot_be_shown() -> None:
    """A number without a name, or a computed value that cannot be, holds nothing else back."""

    def product(key: str, most: float) -> Computed:
        return Computed(
            key=key,
            rule=Rule.PRODUCT,
            of=("a", "b"),
            unit_of_measurement=UnitOfMeasurement.WATT,
            scale=1,
            valid=(0, most),
        )

    register_map = RegisterMap(
        blocks=(),
        fields=(
            Field(key="state", register=1, kind=Kind.ENUM, names={1: "one"}),
            Field(key="a", register=2),
            Field(key="b", register=3),
        ),
        computed=(product("too_much", 5), product("product", 6)),
    )
    assert decode(register_map, {1: 9, 2: 2, 3: 3}) == Decoded(
        values={"a": 2, "b": 3, "product": 6}, dropped=["too_much"], unknown={"state": 9}
    )


def test_whole_numbers_have_no_point() -> None:
    """By the scale: 21 W, and 21.0 V."""
    assert str(decode_field(Field(key="n", register=1), (21,))) == "21"
    assert str(decode_field(Field(key="n", register=1, scale=0.1), (210,))) == "21.0"


def test_place_of_a_bit_without_a_name() -> None:
    """Its register and its number there, where the field takes some bits of two registers."""
    field = Field(key="f", register=7, words=2, kind=Kind.BITS, bits=(4, 16), names={0: "known"})
    assert decode_field(field, (0x0001, 0x8010)) == ["known", "unknown (8, 15)", "unknown (7, 0)"]


def test_place_of_a_bit_in_each_of_several_registers() -> None:
    """The last register holds the lowest bits."""
    field = Field(key="f", register=7, words=4, kind=Kind.BITS)
    words = (0x0008, 0x0004, 0x0002, 0x0001)
    assert decode_field(field, words) == [
        "unknown (10, 0)",
        "unknown (9, 1)",
        "unknown (8, 2)",
        "unknown (7, 3)",
    ]
