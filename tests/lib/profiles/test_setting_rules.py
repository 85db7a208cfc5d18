"""The rules of settings: what may be written at all, and in which order."""

from hypothesis import given, strategies as st
import pytest

from custom_components.blupow.lib.blupow_ble.profiles import PROFILES
from custom_components.blupow.lib.blupow_ble.profiles.charger_settings import (
    ELITE_CONTROLS,
    ROVER_CONTROLS,
)
from custom_components.blupow.lib.blupow_ble.profiles.inverter_settings import RIV4835_CONTROLS
from custom_components.blupow.lib.blupow_ble.profiles.profile import Model, Profile
from custom_components.blupow.lib.blupow_ble.profiles.setting import (
    Controls,
    Evidence,
    OrderRule,
    Setting,
    SettingKind,
)
from custom_components.blupow.lib.blupow_ble.profiles.setting_rules import (
    Reason,
    SettingRefused,
    broken,
    limits,
    registers_needed,
    setting_of,
    system_factor,
    value_of,
    word_of,
    writes_of,
)

MODELS = [(profile, model) for profile in PROFILES.values() for model in profile.models]
each_model = pytest.mark.parametrize(
    ("profile", "model"), MODELS, ids=[f"{profile.key}-{model.key}" for profile, model in MODELS]
)

NEVER = frozenset(
    {0x001A, 0xE003, 0xE021, 0xE02D, 0xE200, 0xE201, 0xE207, 0xE208, 0xE209, 0xE21E, 0xDF01, 0xDF02}
    | {4109, 4110, 4417, 4418, 4420, 4442}
    | set(range(5200, 5230))
    | set(range(61440, 61443))
)
"""What may ruin a device, a battery or what is connected to it, or cut BluPow off from it."""


@each_model
def test_declarations_fit_together(profile: Profile, model: Model) -> None:
    """Each setting can be read, its values can be written and are read back as they were."""
    controls = profile.register_map(model).controls
    for unique in ("key", "register"):
        found = [getattr(setting, unique) for setting in controls.settings]
        assert len(set(found)) == len(found)
    for setting in controls.settings:
        for register in registers_needed(controls, [setting]):
            assert controls.span_of(register) is not None, (setting.key, register)
        if setting.block is not None:
            assert setting.register in setting.block.registers
            assert len({controls.span_of(register) for register in setting.block.registers}) == 1
        assert setting.source
        if setting.kind is SettingKind.NUMBER:
            assert setting.low < setting.high
            assert setting.step >= setting.scale
            for value in (setting.low, setting.low + setting.step, setting.high):
                word = word_of(setting, value)
                assert 0 <= word < 0xFFFF
                assert value_of(setting, {setting.read_register: word}, 1) == pytest.approx(value)
        if setting.kind is SettingKind.CHOICE:
            assert all(word_of(setting, name) in setting.choices for name in setting.offered)
    keys = {setting.key for setting in (*controls.settings, *controls.read_only)}
    assert all({rule.upper, rule.lower} <= keys for rule in controls.order)
    assert all(span.words <= 20 or span.start == 0x0100 for span in controls.spans)


@each_model
def test_what_is_never_written(profile: Profile, model: Model) -> None:
    """No batteries, and nothing dangerous; E02D is the frost bits of chargers, a window of hybrids."""
    controls = profile.register_map(model).controls
    if profile.key in ("battery", "shunt"):
        assert controls.settings == ()
    allowed = {0xE02D} if model.key == "SRNE" else set()
    written = {setting.register for setting in controls.settings}
    for setting in controls.settings:
        written.update(setting.block.registers if setting.block is not None else ())
    assert not written & (NEVER - allowed)


def test_what_is_confirmed() -> None:
    """Offered plainly is what somebody has seen on hardware, or what the vendor's app writes."""
    confirmed = {
        (profile.key, model.key): {
            setting.key
            for setting in profile.register_map(model).controls.settings
            if setting.evidence.confirmed
        }
        for profile, model in MODELS
    }
    assert confirmed["inverter", "RIV4835CSH1S"] == {"ac_charge_current", "output_priority"}
    assert confirmed["inverter", "RIV1230RCH"] == {
        "ac_input_limit",
        "charge_current",
        "under_voltage_warning_level",
        "over_voltage_threshold",
    }
    assert confirmed["controller", "Rover"] == {"load", "battery_type", "temperature_compensation"}
    assert confirmed["controller", "RVR100"] == {"battery_type", "temperature_compensation"}
    assert confirmed["dcdc", "RBC"] == set()
    assert not Evidence.DOCUMENT.confirmed


@pytest.mark.parametrize(
    ("name", "load", "battery_type", "compensation"),
    [
        ("RNG-CTRL-RVR40", Evidence.HARDWARE, Evidence.APP, Evidence.DOCUMENT),
        ("rng-ctrl-rvr40", Evidence.HARDWARE, Evidence.APP, Evidence.DOCUMENT),
        ("RNG-CTRL-RVR20", Evidence.DOCUMENT, Evidence.DOCUMENT, Evidence.DOCUMENT),
        ("ML2420", None, Evidence.DOCUMENT, Evidence.HARDWARE),
        ("RNG-CTRL-ADV40", None, Evidence.DOCUMENT, Evidence.DOCUMENT),
        (None, None, Evidence.DOCUMENT, Evidence.DOCUMENT),
    ],
)
def test_what_rests_on_one_model(
    name: str | None, load: Evidence | None, battery_type: Evidence, compensation: Evidence
) -> None:
    """The name that a device gives itself tells whether a claim is about it."""
    found = {
        setting.key: setting.evidence_for(name)
        for setting in ROVER_CONTROLS.settings
        if setting.is_of(name)
    }
    assert found.get("load") is load
    assert found["battery_type"] is battery_type
    assert found["temperature_compensation"] is compensation
    assert found["boost_voltage"] is Evidence.DOCUMENT


@pytest.mark.parametrize(
    ("recognized", "tenths", "factor"),
    [
        (0x0C0C, 132, 1),
        (0x1818, 264, 2),
        (0xFF24, 396, 3),
        (0x3030, 528, 4),
        (0xFF00, 132, 1),
        (0xFF00, 250, 2),
        (0xFF00, 300, None),
        (0xFF00, 600, 4),
        (0xFF00, 20, None),
        (0x1818, 132, None),
        (0x6060, 1056, None),
        (0xFFFF, 132, None),
        (None, 132, None),
        (0x0C0C, None, None),
    ],
)
def test_voltage_of_the_system(
    recognized: int | None, tenths: int | None, factor: int | None
) -> None:
    """What was recognized must fit the battery; without it the battery must fit one voltage alone."""
    words = {0xE003: recognized, 0x0101: tenths}
    known = {register: word for register, word in words.items() if word is not None}
    assert system_factor(ROVER_CONTROLS, known) == factor


def test_without_a_system_voltage() -> None:
    """Where nothing is normalized the factor is one; otherwise nothing is known or written without it."""
    assert system_factor(RIV4835_CONTROLS, {}) == 1
    boost = ROVER_CONTROLS.setting("boost_voltage")
    assert boost is not None
    assert (limits(boost, 4).low, limits(boost, 4).high, limits(boost, 4).step) == (28, 68, 0.4)
    assert value_of(boost, {0xE008: 144}, None) is None
    with pytest.raises(SettingRefused) as caught:
        word_of(boost, 14.4, None)
    assert caught.value.reason is Reason.SYSTEM_VOLTAGE


def test_values_that_are_not_known() -> None:
    """A number without a name, a time that is none, the word for nothing."""
    priority = RIV4835_CONTROLS.setting("output_priority")
    beeper = RIV4835_CONTROLS.setting("beeper")
    assert priority is not None
    assert beeper is not None
    assert value_of(priority, {4441: 7}, 1) is None
    assert value_of(priority, {}, 1) is None
    assert value_of(beeper, {4101: 0}, 1) is True
    assert value_of(beeper, {4101: 1}, 1) is False
    assert value_of(beeper, {4101: 9}, 1) is None
    assert value_of(beeper, {4101: 0xFFFF}, 1, 0xFFFF) is None
    window = Setting(
        key="time", register=1, kind=SettingKind.TIME, evidence=Evidence.APP, source="test"
    )
    assert value_of(window, {1: 0x173B}, 1) == "23:59"
    assert value_of(window, {1: 0x1800}, 1) is None
    assert value_of(window, {1: 0x003C}, 1) is None


def test_unknown_setting() -> None:
    """A key that the profile does not have is never written."""
    with pytest.raises(SettingRefused) as caught:
        writes_of(RIV4835_CONTROLS, {}, {"moon": 1})
    assert (caught.value.reason, caught.value.key) == (Reason.UNKNOWN_SETTING, "moon")
    assert str(caught.value) == "moon: unknown_setting"


def test_a_rule_that_is_broken_already() -> None:
    """It keeps nobody from mending it, nor from changing what it is not about."""
    words = {4426: 500, 4427: 540, 4425: 560, 4428: 400, 0xE205: 100}
    assert writes_of(RIV4835_CONTROLS, words, {"ac_charge_current": 50})
    (write,) = writes_of(RIV4835_CONTROLS, words, {"boost_voltage": 545})
    assert (write.start, write.words) == (4426, (545,))
    with pytest.raises(SettingRefused) as caught:
        writes_of(RIV4835_CONTROLS, words, {"boost_voltage": 520})
    assert caught.value.facts == {"other": "float_voltage", "side": "above"}


def test_order_with_what_is_only_read() -> None:
    """A Rover Elite takes two of the voltages: they must fit the others all the same."""
    words = {0xE005: 160, 0xE006: 155, 0xE007: 144, 0xE008: 144, 0xE009: 138, 0xE00A: 132}
    assert registers_needed(ELITE_CONTROLS, [setting_of(ELITE_CONTROLS, "boost_voltage")]) >= {
        0xE007,
        0xE009,
    }
    with pytest.raises(SettingRefused) as caught:
        writes_of(ELITE_CONTROLS, words, {"boost_voltage": 150})
    assert caught.value.facts == {"other": "equalization_voltage", "side": "below"}
    assert writes_of(ELITE_CONTROLS, words, {"boost_voltage": 142})


CHAIN = ("a", "b", "c", "d", "e")


@st.composite
def chains(draw: st.DrawFn) -> tuple[Controls, dict[int, int], dict[str, int]]:
    """Return settings in a chain, each above the next by a gap; what is set, and what is wanted."""
    gaps = draw(st.lists(st.integers(0, 3), min_size=4, max_size=4))

    def levels() -> list[int]:
        level, found = draw(st.integers(0, 5)), []
        for gap in (0, *reversed(gaps)):
            level += gap + draw(st.integers(0, 5))
            found.append(level)
        return found[::-1]

    before, wanted = levels(), levels()
    pairs = zip(CHAIN, wanted, before, strict=True)
    controls = Controls(
        settings=tuple(
            Setting(key=key, register=number, evidence=Evidence.APP, source="test", high=300)
            for number, key in enumerate(CHAIN)
        ),
        order=tuple(
            OrderRule(upper, lower, gap)
            for upper, lower, gap in zip(CHAIN, CHAIN[1:], gaps, strict=False)
        ),
    )
    return controls, dict(enumerate(before)), {key: word for key, word, old in pairs if word != old}


@given(chains())
def test_order_between_writes(chain: tuple[Controls, dict[int, int], dict[str, int]]) -> None:
    """From any order to any other there is a way on which no rule is ever broken, each written once."""
    controls, words, changes = chain
    assert not broken(controls, words)
    writes = writes_of(controls, words, changes)
    assert sorted(key for write in writes for key in write.keys) == sorted(changes)
    for write in writes:
        words |= write.registers
        assert not broken(controls, words)
    for key, word in changes.items():
        assert words[CHAIN.index(key)] == word
