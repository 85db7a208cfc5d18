"""Profiles: registers as data, decoded to values that are true or not there."""

from itertools import combinations

from hypothesis import given, strategies as st
import pytest

from custom_components.blupow.lib.blupow_ble.profiles import PROFILES, profile_for_name
from custom_components.blupow.lib.blupow_ble.profiles.battery import BATTERY
from custom_components.blupow.lib.blupow_ble.profiles.controller import CONTROLLER
from custom_components.blupow.lib.blupow_ble.profiles.dcdc import DCDC
from custom_components.blupow.lib.blupow_ble.profiles.declaration import NO_VALUE, Field, Kind
from custom_components.blupow.lib.blupow_ble.profiles.decoding import (
    Unnamed,
    decode,
    decode_field,
    decode_history,
)
from custom_components.blupow.lib.blupow_ble.profiles.inverter import INVERTER, RIV4835CSH1S
from custom_components.blupow.lib.blupow_ble.profiles.profile import Model, Profile, RegisterMap
from custom_components.blupow.lib.blupow_ble.protocol.modbus import parse_reply
from custom_components.blupow.lib.blupow_ble.protocol.push import parse_push

from ...helpers.frames import ALL_ALARMS, CAPTURES, Capture

# the sensors that BluPow 2.0 had: all of them stay
SENSORS_OF_OLD = {
    "model",
    "device_id",
    "input_voltage",
    "input_current",
    "input_frequency",
    "output_voltage",
    "output_current",
    "output_frequency",
    "load_active_power",
    "load_apparent_power",
    "load_current",
    "load_percentage",
    "line_charging_current",
    "battery_voltage",
    "battery_percentage",
    "charging_current",
    "charging_status",
    "charging_power",
    "solar_voltage",
    "solar_current",
    "solar_power",
    "temperature",
}

EVERY_MODEL = [(profile, model) for profile in PROFILES.values() for model in profile.models]
each_model = pytest.mark.parametrize(
    ("profile", "model"), EVERY_MODEL, ids=[f"{p.key}-{m.key}" for p, m in EVERY_MODEL]
)


def only(field: Field) -> RegisterMap:
    """Return a map of one field."""
    return RegisterMap(blocks=(), fields=(field,))


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda capture: str(capture.start))
def test_captures(capture: Capture) -> None:
    """Every captured frame decodes to the values of its capture."""
    frame, profile = bytes.fromhex(capture.frame), PROFILES[capture.profile]
    words = parse_push(profile.push, frame) if profile.push else parse_reply(frame).words
    register_map = profile.register_map(profile.model(capture.model))
    decoded = decode(register_map, dict(enumerate(words, capture.start)))
    assert decoded.values == capture.values
    assert decoded.dropped == []


def test_the_base_takes_the_current_as_it_is_sent() -> None:
    """A REGO sends a positive current when it charges; only RIV4835 is negated."""
    words = {4328: 7}
    assert decode(INVERTER.register_map(), words).values == {"charging_current": 0.7}
    assert decode(INVERTER.register_map(RIV4835CSH1S), words).values == {"charging_current": -0.7}


def test_rego_reading() -> None:
    """A RIV1230RCH-SPS was read as 1.2 A and 150 VA: the load current is in tenths."""
    words = dict(enumerate((12, 108, 150, 0, 0, 5), 4408))
    assert decode(INVERTER.register_map(), words).values == {
        "load_current": 1.2,
        "load_active_power": 108,
        "load_apparent_power": 150,
        "line_charging_current": 0.0,
        "load_percentage": 5,
    }


def test_energy_counters() -> None:
    """Registers 4543-4567 as the protocol lists them; 32-bit counters have the high word first."""
    words = dict.fromkeys(range(4543, 4568), 0)
    words |= {4543: 11, 4544: 12, 4545: 13, 4546: 14, 4550: 1, 4551: 2, 4553: 30, 4554: 1, 4557: 90}
    words |= {4558: 5, 4559: 6, 4560: 70, 4561: 80, 4564: 2, 4565: 1, 4566: 100, 4567: 200}
    assert decode(INVERTER.register_map(), words).values == {
        "charged_today": 11,
        "discharged_today": 12,
        "solar_energy_today": 1.3,
        "load_energy_today": 1.4,
        "charged_total": 65538,
        "discharged_total": 30,
        "solar_energy_total": 6553.6,
        "load_energy_total": 9.0,
        "mains_charged_today": 5,
        "mains_load_energy_today": 0.6,
        "inverter_time_today": 70,
        "bypass_time_today": 80,
        "mains_load_energy_total": 13107.3,
        "inverter_time_total": 100,
        "bypass_time_total": 200,
    }


def test_state_and_faults() -> None:
    """Registers 4398-4405: all active faults in their order, and the machine's state."""
    words = dict(enumerate((14, 0, 21, 0, 0, 0, 0, 11, 0), 4398))
    assert decode(INVERTER.register_map(), words).values == {
        "faults": ["inverter_overload", "fan_fault"],
        "machine_state": "fault",
    }


def test_no_fault() -> None:
    """No code is an empty list."""
    words = dict.fromkeys(range(4398, 4402), 0)
    assert decode(INVERTER.register_map(), words).values == {"faults": []}


def test_not_there_is_no_value() -> None:
    """0xFFFF says that this machine has no such value; nothing is made up and nothing is dropped."""
    decoded = decode(INVERTER.register_map(), {4000: NO_VALUE, 4328: NO_VALUE, 4332: NO_VALUE})
    assert decoded.values == {}
    assert decoded.dropped == []


@pytest.mark.parametrize(
    ("register", "word", "key"),
    [
        (4005, 5000, "battery_voltage"),
        (4327, 101, "battery_percentage"),
    ],
)
def test_impossible_values_are_dropped(register: int, word: int, key: str) -> None:
    """A value outside its range is dropped and counted, never clamped."""
    decoded = decode(INVERTER.register_map(), {register: word})
    assert decoded.values == {}
    assert decoded.dropped == [key]


def test_negative_temperature() -> None:
    """Temperatures are two's complement here."""
    assert decode(INVERTER.register_map(), {4006: 0xFFF6}).values == {"temperature": -1.0}


def test_charge_state_is_the_low_byte() -> None:
    """The high byte of register 4332 means something else."""
    assert decode(INVERTER.register_map(), {4332: 0x0104}).values == {"charging_status": "float"}


def test_text_keeps_what_is_printable() -> None:
    """Padding on both sides goes, nothing else."""
    field = Field(key="t", register=0, words=4, kind=Kind.TEXT)
    assert decode_field(field, (0x2020, 0x4142, 0x2D31, 0x0000)) == "AB-1"
    assert decode_field(field, (0, 0, 0, 0)) is None


def test_zero_is_never_negative() -> None:
    """A negated zero is zero."""
    field = Field(key="z", register=0, scale=-0.1)
    assert str(decode_field(field, (0,))) == "0.0"


def test_field_needs_all_its_registers() -> None:
    """Half of a 32-bit counter is no counter."""
    field = Field(key="c", register=10, words=2)
    assert decode(only(field), {10: 1}).values == {}
    assert decode(only(field), {10: 1, 11: 2}).values == {"c": 65538}


def test_enum_without_a_name() -> None:
    """A number without a name is no value, and is reported."""
    with pytest.raises(Unnamed) as caught:
        decode_field(Field(key="e", register=0, kind=Kind.ENUM, names={1: "one"}), (2,))
    assert caught.value.number == 2


@given(st.integers(0, 0xFFFF), st.sampled_from([1, 0.1, 0.01, -0.1]), st.booleans())
def test_scaling_has_no_stray_digits(word: int, scale: float, signed: bool) -> None:
    """A value shows as many digits as its scale, and scales back to the word that was sent."""
    value = decode_field(Field(key="n", register=0, scale=scale, signed=signed), (word,))
    assert isinstance(value, int | float)
    assert len(f"{value}".partition(".")[2]) <= 2
    assert round(value / scale) % 0x10000 == word


@each_model
def test_lengths_tell_the_blocks_of_a_model_apart(profile: Profile, model: Model) -> None:
    """No two blocks have the same length: a late reply to one never passes for another's."""
    blocks = profile.register_map(model).blocks
    for one, other in combinations(blocks, 2):
        assert one.words != other.words, (one.key, other.key)


@each_model
def test_identity_and_live_values_do_not_share_registers(profile: Profile, model: Model) -> None:
    """What was read once must never stand in for what is read each time."""
    blocks = profile.register_map(model).blocks
    each = [register for block in blocks if not block.identity for register in block.registers]
    live = set(each)
    assert len(live) == len(each), "half of a 32-bit value from one block, half from another"
    once = {register for block in blocks if block.identity for register in block.registers}
    assert not live & once


@each_model
def test_declarations_fit_together(profile: Profile, model: Model) -> None:
    """Each field lies within a block, keys are unique, one block at least is required."""
    register_map = profile.register_map(model)
    covered = [field for block in register_map.blocks for field in register_map.fields_of(block)]
    assert {field.key for field in register_map.fields} == {field.key for field in covered}
    assert len({field.key for field in register_map.fields}) == len(register_map.fields)
    assert any(block.required for block in register_map.blocks)
    assert all(block.words <= 125 for block in register_map.blocks)


@each_model
def test_models_are_recognized_by_their_own_name(profile: Profile, model: Model) -> None:
    """A model's key and its name with a suffix lead to it."""
    assert profile.model_named(f"{model.key}-XYZ") is model
    assert profile.model_named(f" {model.key.lower()} ") is model
    assert profile.model(model.key) is model


def test_unknown_models() -> None:
    """Another name leads nowhere."""
    assert INVERTER.model_named("RNG-CTRL-RVR40") is None
    with pytest.raises(KeyError):
        INVERTER.model("RVR40")


def test_the_sensors_of_old_are_there() -> None:
    """Nothing that BluPow 2.0 showed is missing."""
    assert {field.key for field in INVERTER.register_map().fields} >= SENSORS_OF_OLD


def test_blocks_that_real_devices_answer() -> None:
    """RIV4835 never answers more than 14 words; every family's live block is the proven 4000 x 10."""
    register_map = INVERTER.register_map(RIV4835CSH1S)
    assert max(block.words for block in register_map.blocks) <= 14
    live = next(block for block in INVERTER.blocks if block.required)
    assert (live.start, live.words) == (4000, 10)


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("BTRIC134000035", "inverter"),
        ("btric134000035  ", "inverter"),
        ("RNGRIU12345", "inverter"),
        ("BT-TH-F26D8F08     ", None),
        ("", None),
        (None, None),
    ],
)
def test_family_by_name(name: str | None, family: str | None) -> None:
    """The advertised name tells the family, or does not."""
    profile = profile_for_name(name)
    assert (profile.key if profile else None) == family


def test_every_alarm_of_a_battery() -> None:
    """All bits set (synthetic): below and above at once is other; what cannot be both is both."""
    words = parse_reply(bytes.fromhex(ALL_ALARMS)).words
    decoded = decode(BATTERY.register_map(), dict(enumerate(words, 5100)))
    values = decoded.values
    assert values["cell_voltage_alarms"] == [f"cell_{n}_voltage_other" for n in range(1, 17)]
    assert len(values["cell_temperature_alarms"]) == 16
    assert values["other_alarms"][:7] == [
        "bms_temperature_other",
        "environment_1_temperature_other",
        "environment_2_temperature_other",
        "heater_1_temperature_other",
        "heater_2_temperature_other",
        "charging_current_other",
        "discharging_current_other",
    ]
    assert values["other_alarms"][7:] == [
        *(f"unknown (5105, {bit})" for bit in range(16)),
        *(f"unknown (5104, {bit})" for bit in (0, 1)),
    ]
    assert len(values["faults"]) == 13  # the power in use and the MOSFETs are none
    assert len(values["warnings"]) == 8
    assert values["heater"] is True
    assert values["fully_charged"] is True


@pytest.mark.parametrize(
    ("register", "word", "alarms"),
    [
        (5101, 0b01, ["cell_1_voltage_below"]),
        (5101, 0b1000, ["cell_2_voltage_above"]),
        (5100, 0b11 << 14, ["cell_16_voltage_other"]),
    ],
)
def test_alarms_of_cells(register: int, word: int, alarms: list[str]) -> None:
    """Two bits a cell: cell 1 is the lowest two of the second word, cell 16 the highest of the first."""
    words = {5100: 0, 5101: 0} | {register: word}
    assert decode(BATTERY.register_map(), words).values == {"cell_voltage_alarms": alarms}


@pytest.mark.parametrize(
    ("word", "volts"), [(34, 3.4), (50, 5.0), (3412, 3.412), (51, 0.051), (5001, None)]
)
def test_cells_in_tenths_and_in_thousandths(word: int, volts: float | None) -> None:
    """Newer firmware sends thousandths: numbers too large to be tenths."""
    decoded = decode(BATTERY.register_map(), {5000: 1, 5001: word})
    assert decoded.values.get("cell_1_voltage") == volts
    assert decoded.dropped == ([] if volts is not None else ["cell_1_voltage"])


@pytest.mark.parametrize(("value", "digits"), [(3.4, 1), (3.412, 3), (None, 1)])
def test_digits_of_cells(value: float | None, digits: int) -> None:
    """No more are shown than the battery measures."""
    (field,) = [field for field in BATTERY.fields if field.key == "cell_1_voltage"]
    assert field.digits_of(value) == digits
    assert Field(key="n", register=0, scale=0.01).digits_of(value) == 2


def test_cells_that_the_battery_does_not_have() -> None:
    """Four cells are four: the zeros behind them are no voltages."""
    words = dict.fromkeys(range(5000, 5034), 0) | {5000: 4, 5001: 33, 5017: 1, 5018: 0xFFF6}
    values = decode(BATTERY.register_map(), words).values
    assert values["cell_1_voltage"] == 3.3
    assert {key for key in values if key.endswith("_voltage")} == {
        f"cell_{number}_voltage" for number in range(1, 5)
    }
    assert values["cell_1_temperature"] == -1.0
    assert "cell_2_temperature" not in values


@pytest.mark.parametrize(
    ("word", "controller", "battery"),
    [(0x8119, -1, 25), (0x190A, 25, 10), (0x0081, 0, -1), (0x8080, 0, 0)],
)
def test_temperatures_with_a_sign_and_a_magnitude(word: int, controller: int, battery: int) -> None:
    """By two's complement -1 would be shown as -127."""
    values = decode(CONTROLLER.register_map(), {0x0103: word}).values
    assert values == {"temperature": controller, "battery_temperature": battery}


def test_fault_bits_of_a_controller() -> None:
    """Of bits 17 and 18 the documents print both meanings; the table and the app agree."""
    register_map = CONTROLLER.register_map()
    assert decode(register_map, {0x0121: 1 << 1}).values == {"faults": ["battery_over_voltage"]}
    assert decode(register_map, {0x0121: 1 << 2}).values == {
        "faults": ["battery_under_voltage_warning"]
    }
    assert decode(register_map, {0x0121: 1 << 12 | 1}).values == {
        "faults": ["battery_over_discharged", "solar_reversed"]
    }


def test_alternator_alone() -> None:
    """A RBC30D1S-G1 was read so: register 0x0109 is the total, and the sun gives nothing."""
    words = {0x0104: 131, 0x0105: 3014, 0x0106: 395, 0x0107: 0, 0x0108: 0, 0x0109: 374}
    assert decode(DCDC.register_map(), words).values == {
        "alternator_voltage": 13.1,
        "alternator_current": 30.14,
        "alternator_power": 395,
        "solar_voltage": 0.0,
        "solar_current": 0.0,
        "solar_power": 0,
        "total_charging_power": 374,
    }


def test_minus_one_is_a_number_where_nothing_says_otherwise() -> None:
    """0xFFFF is "not there" in the inverter's map alone."""
    assert decode(BATTERY.register_map(), {5042: NO_VALUE}).values == {"battery_current": -0.01}


def test_computed_values_need_their_parts() -> None:
    """Nothing follows from what is missing, from nothing, or to what cannot be."""
    register_map = BATTERY.register_map()
    assert decode(register_map, {5044: 0, 5045: 0, 5046: 0, 5047: 0}).values == {
        "remaining_capacity": 0.0,
        "total_capacity": 0.0,
    }
    too_much = decode(register_map, {5044: 2, 5045: 0, 5046: 0, 5047: 50_000})
    assert too_much.dropped == ["battery_percentage"]
    assert set(too_much.values) == {"remaining_capacity", "total_capacity"}


def test_worst_fault() -> None:
    """By the order in which the profile declares them."""
    worst = CONTROLLER.worst(["load_over_power", "solar_reversed"])
    assert worst is not None
    assert worst.name == "solar_reversed"
    assert CONTROLLER.worst([]) is None


def test_days_that_are_not_there_or_cannot_be() -> None:
    """Nothing of them is shown, or added to statistics."""
    assert INVERTER.history is not None
    registers = {4529: (NO_VALUE, 4801, 4800, *(0,) * 11)}
    days = decode_history(INVERTER.history, registers, NO_VALUE)
    assert "load_energy" not in days[1]
    assert "load_energy" not in days[2]
    assert days[3] == {"load_energy": 480.0, "mains_load_energy": 0.0}


def test_days_of_a_controller() -> None:
    """Each has a span of its own; one that was not read is not there."""
    assert CONTROLLER.history is not None
    registers = {0xF000 + day: (120 + day, *(0,) * 9) for day in (0, 1, 7)}
    days = decode_history(CONTROLLER.history, registers)
    voltages = {day: values["minimum_battery_voltage"] for day, values in days.items()}
    assert voltages == {0: 12.0, 1: 12.1, 7: 12.7}
