"""Changing settings: nothing is believed but what is read back, and nothing is sent twice."""

import asyncio
from collections.abc import Callable
from typing import override

from bleak.backends.characteristic import BleakGATTCharacteristic
import pytest

from custom_components.blupow.lib.blupow_ble.profiles import PROFILES
from custom_components.blupow.lib.blupow_ble.profiles.declaration import Span
from custom_components.blupow.lib.blupow_ble.profiles.setting import SettingValue
from custom_components.blupow.lib.blupow_ble.profiles.setting_rules import Reason
from custom_components.blupow.lib.blupow_ble.protocol import session as session_module
from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode, ReaderError, Stage
from custom_components.blupow.lib.blupow_ble.protocol.modbus import seal
from custom_components.blupow.lib.blupow_ble.reader import (
    timed_session as timed_session_module,
    writing,
)
from custom_components.blupow.lib.blupow_ble.reader.plan import Change, UnitPlan, WritePlan
from custom_components.blupow.lib.blupow_ble.reader.result import (
    Outcome,
    SettingReport,
    WriteReport,
)
from custom_components.blupow.lib.blupow_ble.reader.writing import Writer
from custom_components.blupow.lib.blupow_ble.virtual.device import VirtualDevice, virtual_device
from custom_components.blupow.lib.blupow_ble.virtual.writes import Habit

from ...helpers.devices import NOW, Misbehaving, TestLink

MODELS = {
    "inverter": ("inverter", "RIV1230RCH"),
    "riv4835": ("inverter", "RIV4835CSH1S"),
    "srne": ("inverter", "SRNE"),
    "controller": ("controller", "Rover"),
    "dcdc": ("dcdc", "RBC"),
}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait shortly: what is tested is what is asked, not for how long."""
    monkeypatch.setattr(timed_session_module, "REQUEST_TIMEOUT", 0.02)
    monkeypatch.setattr(writing, "READ_BACK_PAUSES", (0.0, 0.0))
    monkeypatch.setattr(session_module, "DRAIN_QUIET", 0.001)


def device(kind: str) -> VirtualDevice:
    """Return a virtual device whose time stands still."""
    made = virtual_device(kind, lambda: NOW)
    assert isinstance(made, VirtualDevice)
    return made


def plan_of(kind: str, module: VirtualDevice) -> UnitPlan:
    """Return the plan of its unit."""
    family, model = MODELS[kind]
    profile = PROFILES[family]
    return UnitPlan(profile=profile, model=profile.model(model), unit_id=module.unit_id)


async def change(
    kind: str,
    settings: dict[str, SettingValue],
    module: VirtualDevice | None = None,
    link: TestLink | None = None,
    **options,
) -> WriteReport:
    """Change settings of a virtual device."""
    module = module or device(kind)
    link = link or TestLink(module)
    changes = [Change(key, value) for key, value in settings.items()]
    writer = Writer(link, plan_of(kind, module), changes, **options)
    try:
        return await writer.write()
    finally:
        await writer.close()


async def change_one(
    kind: str, key: str, value: SettingValue, module: VirtualDevice | None = None, **options
) -> SettingReport:
    """Change one setting."""
    (report,) = (await change(kind, {key: value}, module, **options)).settings
    return report


async def test_a_setting_is_written_once_and_read_back() -> None:
    """The report tells what was, what is, and that a write was sent; one connection serves for all."""
    module = device("riv4835")
    stages: list[Stage] = []
    link = TestLink(module)
    report = await change(
        "riv4835", {"ac_charge_current": 20}, module, link, on_stage=stages.append
    )
    assert report.settings == (
        SettingReport(
            key="ac_charge_current",
            outcome=Outcome.WRITTEN,
            wanted=20,
            before=10,
            now=20,
            sent=True,
        ),
    )
    assert module.writes.seen == [(0xE205, (200,))]
    assert report.registers[0xE205] == 200
    assert report.attempts == link.attempts == 1
    assert stages == [Stage.CONNECT, Stage.SERVICES, Stage.READ, Stage.WRITE]


async def test_what_is_so_already_is_not_sent() -> None:
    """Memory wears: an equal value is none to write."""
    module = device("riv4835")
    report = await change_one("riv4835", "ac_charge_current", 10, module)
    assert (report.outcome, report.sent, report.now) == (Outcome.UNCHANGED, False, 10)
    assert module.writes.seen == []


@pytest.mark.parametrize(
    ("habit", "outcome", "now", "reason"),
    [
        (Habit.KEEPS, Outcome.WRITTEN, 35, None),
        (Habit.SILENT, Outcome.WRITTEN, 35, None),
        (Habit.OTHER_ECHO, Outcome.WRITTEN, 35, None),
        (Habit.SLOW, Outcome.WRITTEN, 35, None),
        (Habit.KEEPS_AND_REFUSES, Outcome.WRITTEN, 35, None),
        (Habit.FORGETS, Outcome.UNCONFIRMED, 10, Reason.NOT_KEPT),
        (Habit.DEAF, Outcome.UNCONFIRMED, 10, Reason.NOT_KEPT),
        (Habit.ROUNDS, Outcome.WRITTEN, 35, None),
        (Habit.CLIPS, Outcome.UNCONFIRMED, 10, Reason.NOT_KEPT),
        (Habit.REFUSES, Outcome.REFUSED, 10, Reason.EXCEPTION),
    ],
)
async def test_what_was_read_back_decides(
    habit: Habit, outcome: Outcome, now: float, reason: Reason | None
) -> None:
    """An echo proves nothing, its absence disproves nothing; the write is sent once, whatever comes."""
    module = device("riv4835")
    module.writes.habit = habit
    report = await change_one("riv4835", "ac_charge_current", 35, module)
    assert (report.outcome, report.now, report.reason) == (outcome, now, reason)
    assert report.before == 10
    assert report.sent
    assert module.writes.seen == [(0xE205, (350,))]


async def test_a_rounded_value_is_told_as_it_is() -> None:
    """The device keeps 12.0 V of 12.1 V."""
    module = device("inverter")
    module.writes.habit = Habit.ROUNDS
    report = await change_one("inverter", "under_voltage_warning_level", 12.1, module)
    assert (report.outcome, report.now, report.reason) == (
        Outcome.UNCONFIRMED,
        12.0,
        Reason.NOT_KEPT,
    )


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (2, "no such register, or the range is too long"),
        (3, "value or length not allowed"),
        (4, "the device could not carry it out"),
        (6, "the device is busy or found a bad frame"),
        (8, "cannot be changed while running"),
        (11, "no permission"),
        (77, "unknown"),
    ],
)
async def test_exceptions_are_told_in_words(code: int, text: str) -> None:
    """Even a busy device is not asked a second time."""
    module = device("riv4835")
    module.writes.habit, module.writes.code = Habit.REFUSES, code
    report = await change_one("riv4835", "ac_charge_current", 35, module)
    assert report.outcome is Outcome.REFUSED
    assert report.facts == {"code": str(code), "text": text}
    assert len(module.writes.seen) == 1


@pytest.mark.parametrize(
    ("kind", "key", "value", "reason", "facts"),
    [
        ("riv4835", "ac_charge_current", 41, Reason.OUT_OF_RANGE, {"low": "0", "high": "40"}),
        ("riv4835", "ac_charge_current", 12, Reason.OFF_STEP, {"step": "5", "low": "0"}),
        ("riv4835", "ac_charge_current", True, Reason.WRONG_TYPE, {"wanted": "number"}),
        ("riv4835", "ac_charge_current", "20", Reason.WRONG_TYPE, {"wanted": "number"}),
        ("riv4835", "ac_charge_current", float("inf"), Reason.WRONG_TYPE, {"wanted": "number"}),
        ("riv4835", "ac_charge_current", 10**400, Reason.OUT_OF_RANGE, {"low": "0", "high": "40"}),
        (
            "riv4835",
            "output_priority",
            "moon",
            Reason.NO_CHOICE,
            {"choices": "solar_first, grid_first, battery_first"},
        ),
        ("riv4835", "beeper", "on", Reason.WRONG_TYPE, {"wanted": "switch"}),
        ("srne", "charge_start_time", "25:00", Reason.WRONG_TYPE, {"wanted": "time"}),
        ("srne", "charge_start_time", 5, Reason.WRONG_TYPE, {"wanted": "time"}),
        ("controller", "boost_voltage", 14.4, Reason.CONDITION, {"needs": "battery_type"}),
        (
            "controller",
            "battery_type",
            "user_locked",
            Reason.NO_CHOICE,
            {"choices": "user, flooded, sealed, gel, lithium"},
        ),
        ("controller", "no_such_thing", 1, Reason.UNKNOWN_SETTING, {}),
        (
            "riv4835",
            "boost_voltage",
            53.0,
            Reason.ORDER,
            {"other": "float_voltage", "side": "above"},
        ),
        (
            "riv4835",
            "over_discharge_voltage",
            50.4,
            Reason.ORDER,
            {"other": "over_discharge_recovery_voltage", "side": "below"},
        ),
        (
            "srne",
            "low_soc_alarm",
            9,
            Reason.ORDER,
            {"other": "discharge_cut_off_soc", "side": "above"},
        ),
    ],
)
async def test_nothing_is_sent_that_is_wrong(
    kind: str, key: str, value: SettingValue, reason: Reason, facts: dict[str, str]
) -> None:
    """Range, step, choice, condition and order are checked before."""
    module = device(kind)
    report = await change_one(kind, key, value, module)
    assert (report.outcome, report.reason, report.facts) == (Outcome.REFUSED, reason, facts)
    assert not report.sent
    assert module.writes.seen == []


async def test_all_are_checked_before_the_first_is_sent() -> None:
    """One that is wrong holds back the others, without a connection where that is known before."""
    module = device("riv4835")
    link = TestLink(module)
    wanted: dict[str, SettingValue] = {"ac_charge_current": 20, "output_priority": "moon"}
    report = await change("riv4835", wanted, module, link)
    assert link.attempts == 0
    assert [(item.outcome, item.reason) for item in report.settings] == [
        (Outcome.REFUSED, Reason.EARLIER_FAILED),
        (Outcome.REFUSED, Reason.NO_CHOICE),
    ]
    link = TestLink(module)
    report = await change("riv4835", {"ac_charge_current": 20, "load": True}, module, link)
    assert [item.reason for item in report.settings] == [
        Reason.EARLIER_FAILED,
        Reason.UNKNOWN_SETTING,
    ]
    assert link.attempts == report.attempts == 0
    assert report.timings.read == 0
    assert module.writes.seen == []


async def test_several_settings_over_one_connection() -> None:
    """In an order that breaks no rule between two writes: raised from the top down."""
    module = device("riv4835")
    link = TestLink(module)
    wanted = {"float_voltage": 56.0, "boost_voltage": 57.0, "equalization_voltage": 58.0}
    report = await change("riv4835", wanted, module, link, budget=25)
    assert [item.outcome for item in report.settings] == [Outcome.WRITTEN] * 3
    assert [item.key for item in report.settings] == list(wanted)
    assert module.writes.seen == [(4425, (580,)), (4426, (570,)), (4427, (560,))]
    assert link.attempts == 1
    module.writes.seen.clear()
    wanted = {"equalization_voltage": 54.0, "boost_voltage": 54.0, "float_voltage": 54.0}
    await change("riv4835", wanted, module, budget=25)
    assert module.writes.seen == [(4427, (540,)), (4426, (540,)), (4425, (540,))]


async def test_nothing_more_is_sent_after_one_that_was_not_kept() -> None:
    """What comes after it is told as not sent."""
    module = device("riv4835")
    module.writes.habit = Habit.FORGETS
    report = await change(
        "riv4835", {"ac_charge_current": 20, "output_priority": "grid_first"}, module
    )
    assert [(item.outcome, item.reason, item.sent) for item in report.settings] == [
        (Outcome.UNCONFIRMED, Reason.NOT_KEPT, True),
        (Outcome.REFUSED, Reason.EARLIER_FAILED, False),
    ]
    assert len(module.writes.seen) == 1


async def test_battery_type_loads_its_own_voltages() -> None:
    """It is written first, its table is read, and the voltages are checked against that."""
    module = device("controller")
    wanted: dict[str, SettingValue] = {"boost_voltage": 14.2, "battery_type": "user"}
    report = await change("controller", wanted, module)
    assert [item.outcome for item in report.settings] == [Outcome.WRITTEN] * 2
    assert module.writes.seen == [(0xE004, (0,)), (0xE008, (142,))]
    # sealed loads 14.4 V for boost, 13.8 V for float; that is read too
    report = await change("controller", {"battery_type": "sealed"}, module)
    assert report.registers[0xE008] == 144
    assert report.settings[0].outcome is Outcome.WRITTEN


async def test_what_the_type_has_changed_is_written_though_it_was_so() -> None:
    """14.2 V before, 14.4 V by the table of the new type: 14.2 V has to be sent."""
    module = device("controller")
    module.overrides |= {0xE008: 142}
    report = await change("controller", {"battery_type": "user", "boost_voltage": 14.2}, module)
    assert [(item.outcome, item.now) for item in report.settings] == [
        (Outcome.WRITTEN, "user"),
        (Outcome.WRITTEN, 14.2),
    ]
    assert module.writes.seen == [(0xE004, (0,)), (0xE008, (142,))]
    # one that has the type already loads nothing
    report = await change("controller", {"battery_type": "user", "boost_voltage": 14.2}, module)
    assert [item.outcome for item in report.settings] == [Outcome.UNCHANGED] * 2


async def test_voltages_that_the_new_table_forbids_are_not_sent() -> None:
    """The type is changed, and the report says what was not."""
    module = device("controller")
    module.overrides |= {0xE004: 2}
    report = await change("controller", {"battery_type": "user", "float_voltage": 15.0}, module)
    assert [(item.outcome, item.reason) for item in report.settings] == [
        (Outcome.WRITTEN, None),
        (Outcome.REFUSED, Reason.ORDER),
    ]
    assert module.writes.seen == [(0xE004, (0,))]


async def test_one_that_the_new_table_forbids_holds_back_the_others() -> None:
    """After the type was changed, all are checked again before the next is sent."""
    module = device("controller")
    module.overrides |= {0xE004: 2}
    wanted: dict[str, SettingValue] = {
        "battery_type": "user",
        "float_voltage": 15.0,
        "over_discharge_delay": 10,
    }
    report = await change("controller", wanted, module)
    assert [(item.outcome, item.reason) for item in report.settings] == [
        (Outcome.WRITTEN, None),
        (Outcome.REFUSED, Reason.ORDER),
        (Outcome.REFUSED, Reason.EARLIER_FAILED),
    ]
    assert module.writes.seen == [(0xE004, (0,))]


async def test_voltages_are_not_sent_when_the_type_was_not_kept() -> None:
    """They would go to another type's table."""
    module = device("controller")
    module.writes.habit = Habit.FORGETS
    report = await change("controller", {"battery_type": "user", "float_voltage": 13.6}, module)
    assert [(item.outcome, item.reason) for item in report.settings] == [
        (Outcome.UNCONFIRMED, Reason.NOT_KEPT),
        (Outcome.REFUSED, Reason.EARLIER_FAILED),
    ]


@pytest.mark.parametrize(
    ("volts", "word", "value", "sent"),
    [(13.2, 12, 14.2, 142), (26.4, 24, 28.4, 142), (39.6, 36, 42.6, 142), (52.8, 48, 56.8, 142)],
)
async def test_voltages_are_real_volts(volts: float, word: int, value: float, sent: int) -> None:
    """A controller keeps those of 12 V, whatever the system has."""
    module = device("controller")
    module.overrides |= {0xE004: 0, 0xE003: 0xFF00 | word, 0x0101: round(volts * 10)}
    report = await change_one("controller", "boost_voltage", value, module)
    assert (report.outcome, report.now) == (Outcome.WRITTEN, value)
    assert module.writes.seen == [(0xE008, (sent,))]


@pytest.mark.parametrize(("word", "volts"), [(0, 30.0), (24, 13.2), (96, 13.2), (255, 13.2)])
async def test_voltages_stay_closed_where_the_system_is_not_known(word: int, volts: float) -> None:
    """A wrong factor would ruin a battery."""
    module = device("controller")
    module.overrides |= {0xE004: 0, 0xE003: 0x0C00 | word, 0x0101: round(volts * 10)}
    report = await change_one("controller", "boost_voltage", 14.2, module)
    assert (report.outcome, report.reason) == (Outcome.REFUSED, Reason.SYSTEM_VOLTAGE)
    assert module.writes.seen == []


async def test_the_load_is_told_by_its_state() -> None:
    """It is switched by one register and read from another."""
    module = device("controller")
    report = await change_one("controller", "load", value=False, module=module)
    assert (report.outcome, report.before, report.now) == (Outcome.WRITTEN, True, False)
    assert module.writes.seen == [(0x010A, (0,))]
    report = await change_one("controller", "load", value=False, module=module)
    assert report.outcome is Outcome.UNCHANGED
    module.overrides[0xE01D] = 17  # always on
    report = await change_one("controller", "load", value=True, module=module)
    assert (report.outcome, report.reason) == (Outcome.UNCONFIRMED, Reason.NOT_KEPT)
    assert report.facts == {"unless": "load_mode"}


async def test_registers_that_are_written_together() -> None:
    """The windows of a SRNE go in one request, with what the others are; midnight begins at 00:01."""
    module = device("srne")
    module.overrides |= {0xE028: 0x0500, 0xE029: 0x0600}
    wanted: dict[str, SettingValue] = {
        "charge_start_time": "00:00",
        "charge_end_time": "06:30",
        "charge_window": True,
    }
    report = await change("srne", wanted, module)
    assert [(item.outcome, item.now) for item in report.settings] == [
        (Outcome.WRITTEN, "00:01"),
        (Outcome.WRITTEN, "06:30"),
        (Outcome.WRITTEN, True),
    ]
    assert module.writes.seen == [(0xE026, (0x0001, 0x061E, 0x0500, 0x0600, 0, 0, 1))]


async def test_what_a_device_does_not_have_is_not_written() -> None:
    """Exception 2, a number without a name, and the word for nothing."""
    module = Misbehaving(
        twist=lambda start, reply: seal(bytes((reply[0], 0x83, 2))) if start == 4456 else reply
    )
    report = await change_one("inverter", "ac_input_limit", 20, module)
    assert (report.outcome, report.reason) == (Outcome.REFUSED, Reason.NOT_THERE)
    for register, key, value in (
        (4441, "output_priority", "grid_first"),
        (4422, "charge_current", 50),
    ):
        module = Misbehaving()
        module.overrides[register] = 0xFFFF
        report = await change_one("inverter", key, value, module)
        assert report.reason is Reason.NOT_THERE
        assert module.writes.seen == []
    module = device("srne")
    for register in range(0xE02D, 0xE034):
        module.overrides[register] = 0xFFFF
    assert (await change_one("srne", "discharge_window", True, module)).reason is Reason.NOT_THERE


class Dropping(TestLink):
    """A link that drops when a request of a kind is sent, before the device has it or after."""

    def __init__(
        self, module: VirtualDevice, drops: Callable[[bytes], bool], *, taken: bool
    ) -> None:
        """Prepare."""
        super().__init__(module)
        self.drops_on, self.taken, self.left = drops, taken, 1
        self.lasting = False

    @override
    async def write_gatt_char(
        self, char_specifier: BleakGATTCharacteristic, data: bytes, response: bool
    ) -> None:
        if self.drops_on(data) and self.left:
            self.left -= 0 if self.lasting else 1
            if self.taken:
                self._device.answer(data)
            self.disconnected.set()
            return
        await super().write_gatt_char(char_specifier, data, response)


@pytest.mark.parametrize(
    ("taken", "outcome"), [(True, Outcome.WRITTEN), (False, Outcome.UNCONFIRMED)]
)
async def test_a_link_that_drops_under_a_write(taken: bool, outcome: Outcome) -> None:
    """It is made anew to look what is there now; the write is not sent again."""
    module = device("riv4835")
    link = Dropping(module, lambda data: data[1] == 6, taken=taken)
    report = await change_one("riv4835", "ac_charge_current", 20, module, link=link)
    assert report.outcome is outcome
    assert link.attempts == 2
    assert len(module.writes.seen) == taken


async def test_a_link_that_stays_gone_after_a_write() -> None:
    """Nobody knows what is there now: no value is shown."""
    module = device("riv4835")
    link = Dropping(module, lambda data: bool(module.writes.seen) or data[1] == 6, taken=True)
    link.lasting = True
    report = await change(
        "riv4835", {"ac_charge_current": 20, "output_priority": "grid_first"}, module, link
    )
    first, second = report.settings
    assert (first.outcome, first.reason, first.now) == (
        Outcome.UNCONFIRMED,
        Reason.NOT_READ_BACK,
        None,
    )
    assert "detail" in first.facts
    assert (second.outcome, second.reason) == (Outcome.REFUSED, Reason.EARLIER_FAILED)
    assert 0xE205 not in report.registers


async def test_a_link_that_fails_before_anything_was_sent() -> None:
    """It is an error, as of a reading."""
    module = device("riv4835")
    link = TestLink(module)
    link.write_error = OSError("gone")
    with pytest.raises(ReaderError) as caught:
        await change("riv4835", {"ac_charge_current": 20}, module, link)
    assert caught.value.code is ErrorCode.CONNECT_FAILED
    assert module.writes.seen == []


async def test_a_table_that_cannot_be_read_again() -> None:
    """The voltages are not sent where it is not known what the new type has loaded."""
    module = device("controller")
    link = Dropping(
        module,
        lambda data: bool(module.writes.seen) and data[2:4] == (0x0100).to_bytes(2),
        taken=False,
    )
    link.lasting = True
    report = await change(
        "controller", {"battery_type": "user", "boost_voltage": 14.2}, module, link
    )
    assert [(item.outcome, item.reason) for item in report.settings] == [
        (Outcome.WRITTEN, None),
        (Outcome.REFUSED, Reason.TABLE_UNKNOWN),
    ]


async def test_somebody_else_on_the_link() -> None:
    """Nothing that is read then can be believed."""
    module = device("riv4835")

    class Overheard(TestLink):
        """A link over which somebody else's answer comes before the echo."""

        @override
        async def write_gatt_char(
            self, char_specifier: BleakGATTCharacteristic, data: bytes, response: bool
        ) -> None:
            if data[1] == 6:
                self._deliver(seal(bytes((32, 3, 4, 1, 2, 3, 4))), 20)
            await super().write_gatt_char(char_specifier, data, response)

    report = await change_one("riv4835", "ac_charge_current", 20, module, link=Overheard(module))
    assert (report.outcome, report.reason) == (Outcome.UNCONFIRMED, Reason.NOT_READ_BACK)
    assert "another program" in report.facts["detail"]


async def test_somebody_else_before_it_is_sent() -> None:
    """Then it is not sent, and is not said to be."""
    module = device("riv4835")

    class OverheardBefore(TestLink):
        """A link over which somebody else's answer comes after the first one of ours."""

        @override
        async def write_gatt_char(
            self, char_specifier: BleakGATTCharacteristic, data: bytes, response: bool
        ) -> None:
            await super().write_gatt_char(char_specifier, data, response)
            asyncio.get_running_loop().call_later(
                0, self._deliver, seal(bytes((32, 3, 4, 1, 2, 3, 4))), 20
            )

    link = OverheardBefore(module)
    writer = Writer(link, plan_of("riv4835", module), [Change("ac_charge_current", 20)])
    reading = writer._read

    async def read(span: Span) -> None:
        await reading(span)
        for _ in range(5):
            await asyncio.sleep(0)

    writer._read = read  # type: ignore[method-assign]
    report = await writer.write()
    await writer.close()
    (setting,) = report.settings
    assert (setting.outcome, setting.reason, setting.sent) == (
        Outcome.REFUSED,
        Reason.NOT_SENT,
        False,
    )
    assert module.writes.seen == []


async def test_no_time_is_left() -> None:
    """What would be sent too late is not sent."""
    module = device("riv4835")
    seconds = iter((1.0, 1.0))

    class Slow(TestLink):
        """A link on which the time is up when the first block was read."""

        @override
        async def write_gatt_char(
            self, char_specifier: BleakGATTCharacteristic, data: bytes, response: bool
        ) -> None:
            await super().write_gatt_char(char_specifier, data, response)
            if next(seconds, None):
                writer._timed.deadline = asyncio.get_running_loop().time() + 3.9

    link = Slow(module)
    writer = Writer(link, plan_of("riv4835", module), [Change("ac_charge_current", 20)])
    report = await writer.write()
    assert report.settings[0].reason is Reason.NOT_SENT
    assert "no time was left" in report.settings[0].facts["detail"]
    assert not report.settings[0].sent
    assert module.writes.seen == []
    await writer.close()


def test_time_for_several_changes() -> None:
    """Each further one has some seconds; the whole stays within what anything may take."""
    plan = plan_of("riv4835", device("riv4835"))
    one = WritePlan(unit=plan, changes=(Change("a", 1),), connect_timeout=25)
    assert one.budget == 15
    many = WritePlan(unit=plan, changes=(Change("a", 1),) * 30, connect_timeout=25)
    assert many.budget == 85 - 25 - 8
