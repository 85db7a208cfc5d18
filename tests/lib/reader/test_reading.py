"""Readings: which blocks are asked for, what a failure costs, what counts in the end."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import override

from bleak.backends.characteristic import BleakGATTCharacteristic
import pytest

from custom_components.blupow.lib.blupow_ble.profiles import PROFILES
from custom_components.blupow.lib.blupow_ble.profiles.declaration import Span
from custom_components.blupow.lib.blupow_ble.profiles.inverter import INVERTER
from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode, ReaderError, Stage
from custom_components.blupow.lib.blupow_ble.protocol.modbus import seal
from custom_components.blupow.lib.blupow_ble.reader import timed_session as timed_session_module
from custom_components.blupow.lib.blupow_ble.reader.plan import UnitPlan
from custom_components.blupow.lib.blupow_ble.reader.reading import Reader
from custom_components.blupow.lib.blupow_ble.reader.result import UnitReading
from custom_components.blupow.lib.blupow_ble.virtual.controller import SOLAR
from custom_components.blupow.lib.blupow_ble.virtual.device import (
    Module,
    VirtualBus,
    VirtualDevice,
    VirtualShunt,
    virtual_bus,
    virtual_device,
)
from custom_components.blupow.lib.blupow_ble.virtual.shunt import CURRENT, VOLTAGE
from custom_components.blupow.lib.blupow_ble.virtual.waves import midnight

from ...helpers.devices import NOW, Misbehaving, TestLink, exception, silence

LIVE_BLOCKS = ("live", "battery", "load", "status", "energy")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait shortly: what is tested is who is asked, not for how long."""
    monkeypatch.setattr(timed_session_module, "REQUEST_TIMEOUT", 0.02)


async def read(device: VirtualDevice, link: TestLink | None = None, **options) -> UnitReading:
    """Take a reading of one unit."""
    link = link or TestLink(device)
    rest = {key: options.pop(key) for key in ("on_stage", "budget") if key in options}
    reader = Reader(link, [UnitPlan(profile=INVERTER, **options)], **rest)
    try:
        return (await reader.read()).main
    finally:
        await reader.close()


async def test_everything() -> None:
    """A first reading finds the unit and the model, and has all blocks."""
    device = Misbehaving()
    stages: list[Stage] = []
    reading = await read(device, on_stage=stages.append)
    assert reading.unit_id == 32
    assert reading.model == "RIV1230RCH"
    assert reading.failed == {}
    assert reading.dropped == []
    assert reading.values["model"] == "RIV1230RCH-SPS"
    assert reading.values["serial_number"] == "VIRTUAL00000000001"
    assert len(reading.values) == len(INVERTER.fields)
    assert device.asked == [4000, 4311, 4327, 4408, 4398, 4414, 4543, 4109, 4110, 4313]
    assert stages == [Stage.CONNECT, Stage.SERVICES, Stage.READ]
    assert reading.registers[4109] == (32,)


async def test_only_what_is_asked_for() -> None:
    """Later readings leave identity out; a required block is always read."""
    device = Misbehaving()
    reading = await read(device, unit_id=32, model=INVERTER.models[0], blocks=("battery",))
    assert device.asked == [4000, 4327]
    assert "model" not in reading.values


class Overheard(TestLink):
    """A link over which somebody else's answer comes after the last one of ours."""

    @override
    async def write_gatt_char(
        self, char_specifier: BleakGATTCharacteristic, data: bytes, response: bool
    ) -> None:
        await super().write_gatt_char(char_specifier, data, response)
        if int.from_bytes(data[2:4]) == 4327:
            assert self._notify is not None
            other = bytearray(seal(bytes((32, 3, 4, 1, 2, 3, 4))))
            # the fragments of the reply are under way before it
            asyncio.get_running_loop().call_soon(self._notify, char_specifier, other)


async def test_frame_of_another_master_after_the_last_reply() -> None:
    """Somebody else asks the same unit: what was read may be an answer to that."""
    device = Misbehaving()
    known = {"unit_id": 32, "model": INVERTER.models[0], "blocks": ("battery",)}
    with pytest.raises(ReaderError) as caught:
        await read(device, Overheard(device), **known)
    assert caught.value.code is ErrorCode.HELD_BY_OTHER


@pytest.mark.parametrize("unit_id", [1, 32, 255])
async def test_unit_is_found(unit_id: int) -> None:
    """The unit IDs are tried in their order; a device asked as 255 tells its own address."""
    reading = await read(Misbehaving(unit_id=unit_id), blocks=LIVE_BLOCKS)
    assert reading.unit_id == unit_id


async def test_unit_that_only_the_universal_address_reveals() -> None:
    """A device with an odd address answers 255 under its own, which is then asked."""
    device = Misbehaving(unit_id=77)
    reading = await read(device, blocks=())
    assert reading.unit_id == 77


async def test_wrong_unit_in_the_options() -> None:
    """A unit that does not answer is an error, not a reason to look elsewhere."""
    with pytest.raises(ReaderError) as caught:
        await read(Misbehaving(), unit_id=5)
    assert caught.value.code is ErrorCode.NO_RESPONSE


@pytest.mark.parametrize(
    ("twist", "code"),
    [
        (silence(4000), ErrorCode.NO_RESPONSE),
        (lambda _, reply: reply[:-2], ErrorCode.BAD_FRAME),
        (lambda _, reply: seal(bytes((reply[0] ^ 0x55,)) + reply[1:-2]), ErrorCode.WRONG_UNIT),
        (exception(2), ErrorCode.MODBUS_EXCEPTION),
    ],
)
async def test_no_unit_answers(twist, code: ErrorCode) -> None:
    """The most telling failure of those tried is the one that is reported."""
    with pytest.raises(ReaderError) as caught:
        await read(Misbehaving(twist=twist))
    assert caught.value.code is code


async def test_silent_block_is_missing_and_the_others_count() -> None:
    """A block that fails twice is missing; trust is regained by a new connection, once."""
    device = Misbehaving(twist=silence(4327, 4398))
    link = TestLink(device)
    reading = await read(device, link, unit_id=32, blocks=LIVE_BLOCKS)
    assert reading.failed == {
        "battery": ErrorCode.NO_RESPONSE,
        "status": ErrorCode.NO_RESPONSE,
    }
    assert "load_active_power" in reading.values
    assert "charged_total" in reading.values
    assert "battery_percentage" not in reading.values
    assert link.attempts == 2


async def test_refused_block_costs_no_connection() -> None:
    """An exception is an answer: the link is trusted as before."""
    device = Misbehaving(
        twist=lambda start, reply: exception(2)(start, reply) if start == 4543 else reply
    )
    link = TestLink(device)
    reading = await read(device, link, unit_id=32, blocks=LIVE_BLOCKS)
    assert reading.failed == {"energy": ErrorCode.MODBUS_EXCEPTION}
    assert link.attempts == 1


async def test_identity_never_gates_live_data() -> None:
    """A model register that is not answered costs its block, nothing else."""
    device = Misbehaving(twist=silence(4311, 4109, 4110, 4313))
    reading = await read(device)
    assert reading.model is None
    assert reading.values["battery_voltage"] > 0
    assert set(reading.failed) == {"model", "unit_id", "serial", "version"}


async def test_model_decides_what_registers_mean() -> None:
    """A model that differs is recognized before anything is decoded, and read with its own blocks."""
    device = Misbehaving(model="RIV1230PCH-23S")
    reading = await read(device)
    assert reading.model == "RIV1230PCH"
    assert "battery_voltage" not in reading.values
    assert len(reading.registers[4000]) == 7
    assert 4408 not in reading.registers


async def test_unknown_model_is_read_as_the_base() -> None:
    """A name that says nothing leaves the model open."""
    reading = await read(Misbehaving(model="XYZ"), blocks=("model",))
    assert reading.model is None
    assert reading.values["model"] == "XYZ"


async def test_link_that_drops_after_the_required_blocks() -> None:
    """What was read counts; what was not is missing."""
    device = Misbehaving()
    link = TestLink(device)
    link.drop_at = 4408
    reading = await read(device, link, unit_id=32, model=INVERTER.models[0], blocks=LIVE_BLOCKS)
    assert "battery_percentage" in reading.values
    assert reading.failed == dict.fromkeys(("load", "status", "energy"), ErrorCode.CONNECT_FAILED)


@pytest.mark.parametrize("drop_at", [4000, 4311, 4408])
@pytest.mark.parametrize("unit_id", [32, None])
async def test_link_that_drops_once(drop_at: int, unit_id: int | None) -> None:
    """It is made anew, and the reading is whole."""
    device = Misbehaving()
    link = TestLink(device)
    link.drop_at, link.drops = drop_at, 1
    reading = await read(device, link, unit_id=unit_id)
    assert reading == await read(Misbehaving())
    assert link.attempts == 2


async def test_link_that_drops_twice() -> None:
    """Nobody connects for ever: what was read counts."""
    device = Misbehaving()
    link = TestLink(device)
    link.drop_at, link.drops = 4408, 2
    reading = await read(device, link, unit_id=32, model=INVERTER.models[0], blocks=LIVE_BLOCKS)
    assert link.attempts == 2
    assert reading.failed == dict.fromkeys(("load", "status", "energy"), ErrorCode.CONNECT_FAILED)


@pytest.mark.parametrize("drop_at", [4000, 4311])
async def test_link_that_drops_before_them(drop_at: int) -> None:
    """Without the required blocks there is no reading."""
    link = TestLink(Misbehaving())
    link.drop_at = drop_at
    with pytest.raises(ReaderError) as caught:
        await read(Misbehaving(), link, unit_id=32)
    assert caught.value.code is ErrorCode.CONNECT_FAILED


async def test_link_that_drops_while_units_are_tried() -> None:
    """A dropped link ends the search."""
    link = TestLink(Misbehaving())
    link.drop_at = 4000
    with pytest.raises(ReaderError) as caught:
        await read(Misbehaving(), link)
    assert caught.value.code is ErrorCode.CONNECT_FAILED


async def test_required_block_that_is_silent() -> None:
    """It ends the reading."""
    with pytest.raises(ReaderError) as caught:
        await read(Misbehaving(twist=silence(4000)), unit_id=32, blocks=())
    assert caught.value.code is ErrorCode.NO_RESPONSE


async def test_time_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the read budget is used up, the remaining blocks are missing."""
    monkeypatch.setattr(timed_session_module, "REQUEST_TIMEOUT", 0.02)
    device = Misbehaving(twist=silence(4327))
    reading = await read(
        device, unit_id=32, model=INVERTER.models[0], blocks=LIVE_BLOCKS, budget=0.03
    )
    assert set(reading.failed) == {"battery", "load", "status", "energy"}
    assert 4543 not in device.asked


async def test_reconnect_that_fails_costs_the_other_blocks_only() -> None:
    """What was read before it counts."""

    class Fleeting(TestLink):
        async def connect(self) -> TestLink:
            if self.attempts:
                self.refusals = [ErrorCode.CONNECT_TIMEOUT]
            return await super().connect()

    device = Misbehaving(twist=silence(4327))
    link = Fleeting(device)
    reading = await read(device, link, unit_id=32, model=INVERTER.models[0], blocks=LIVE_BLOCKS)
    assert reading.values["battery_voltage"] > 0
    assert reading.failed == {"battery": ErrorCode.NO_RESPONSE} | dict.fromkeys(
        ("load", "status", "energy"), ErrorCode.CONNECT_FAILED
    )


async def test_impossible_value_is_reported_as_dropped() -> None:
    """It is neither shown nor hidden."""
    device = Misbehaving(overrides={4005: 9000})
    reading = await read(device, unit_id=32, blocks=())
    assert "battery_voltage" not in reading.values
    assert reading.dropped == ["battery_voltage"]


async def read_span(device: VirtualDevice, span: Span, unit_id: int | None = 32) -> UnitReading:
    """Read registers by number."""
    reader = Reader(TestLink(device), [UnitPlan(profile=INVERTER, unit_id=unit_id)])
    try:
        return (await reader.read_spans([span])).main
    finally:
        await reader.close()


async def test_registers_by_number() -> None:
    """The words as they are, and nothing else is asked for."""
    device = Misbehaving(overrides={4000: 0xFFFF, 4001: 7})
    reading = await read_span(device, Span(start=4000, words=2))
    assert reading.registers == {4000: (0xFFFF, 7)}
    assert reading.values == {}
    assert device.asked == [4000]


async def test_registers_by_number_of_an_unknown_unit() -> None:
    """The unit is found first."""
    device = Misbehaving(unit_id=1)
    reading = await read_span(device, Span(start=4109, words=1), unit_id=None)
    assert reading.unit_id == 1
    assert reading.registers == {4109: (1,)}


async def test_registers_that_are_not_there() -> None:
    """The device's refusal is reported."""
    with pytest.raises(ReaderError, match="exception 2") as caught:
        await read_span(Misbehaving(), Span(start=9000, words=60))
    assert caught.value.code is ErrorCode.MODBUS_EXCEPTION


def bus_of(*units: tuple[str, int]) -> tuple[VirtualBus, list[UnitPlan]]:
    """Return devices behind one module, and the plans to read them."""
    plans = [
        UnitPlan(
            key=str(unit), profile=PROFILES[kind], model=PROFILES[kind].models[0], unit_id=unit
        )
        for kind, unit in units
    ]
    return virtual_bus(units, lambda: NOW), plans


async def test_several_units() -> None:
    """One connection, all in turn; each has its own values."""
    bus, plans = bus_of(("battery", 48), ("battery", 49), ("controller", 96))
    link = TestLink(bus)
    reader = Reader(link, plans)
    reading = await reader.read()
    await reader.close()
    assert link.attempts == 1
    assert list(reading.units) == ["48", "49", "96"]
    assert reading.unresponsive == {}
    assert reading.units["48"].values["serial_number"] == "VIRTUAL-BATT-048"
    assert reading.units["49"].values["serial_number"] == "VIRTUAL-BATT-049"
    assert reading.units["96"].values["model"] == "RNG-CTRL-RVR40"


@pytest.mark.parametrize("missing", [48, 49, 96])
async def test_silent_unit_costs_one_request(missing: int) -> None:
    """It is asked once, and does not take the others down."""
    bus, plans = bus_of(("battery", 48), ("battery", 49), ("controller", 96))
    bus.devices = [device for device in bus.devices if device.unit_id != missing]
    asked: list[int] = []

    class Counting(VirtualBus):
        def answer(self, request: bytes) -> bytes | None:
            asked.append(request[0])
            return super().answer(request)

    link = TestLink(Counting(bus.devices))
    reader = Reader(link, plans)
    reading = await reader.read()
    await reader.close()
    assert reading.unresponsive == {str(missing): ErrorCode.NO_RESPONSE}
    assert len(reading.units) == 2
    assert asked.count(missing) == 1
    assert link.attempts == 1


async def test_all_units_silent() -> None:
    """Then there is no reading; the first one's reason is reported."""
    _, plans = bus_of(("battery", 48), ("battery", 49))
    reader = Reader(TestLink(VirtualBus([])), plans)
    with pytest.raises(ReaderError, match="unit 48") as caught:
        await reader.read()
    await reader.close()
    assert caught.value.code is ErrorCode.NO_RESPONSE


async def test_link_that_drops_between_units() -> None:
    """What was read counts; the others are missing for that reason."""
    bus, plans = bus_of(("battery", 48), ("controller", 96), ("battery", 49))
    link = TestLink(bus)
    link.drop_at = 0x0100
    reader = Reader(link, plans)
    reading = await reader.read()
    await reader.close()
    assert list(reading.units) == ["48"]
    assert reading.unresponsive == dict.fromkeys(("96", "49"), ErrorCode.CONNECT_FAILED)


async def spans_of(module: Module, *spans: Span, link: TestLink | None = None) -> UnitReading:
    """Read spans of a controller."""
    link = link or TestLink(module)
    reader = Reader(link, [UnitPlan(profile=PROFILES["controller"], unit_id=1)])
    try:
        return (await reader.read_spans(spans)).main
    finally:
        await reader.close()


DAYS = tuple(Span(start=0xF000 + day, words=10) for day in range(3))


async def test_spans_of_the_same_length() -> None:
    """Days overlap by number; each is its own."""
    device = virtual_device("controller", lambda: NOW)
    reading = await spans_of(device, *DAYS)
    assert {start: words[8] for start, words in reading.registers.items()} == {
        0xF000: SOLAR.counted(midnight(NOW), NOW),
        0xF001: SOLAR.counted(midnight(NOW, 1), midnight(NOW)),
        0xF002: SOLAR.counted(midnight(NOW, 2), midnight(NOW, 1)),
    }


async def test_silence_among_spans_of_the_same_length() -> None:
    """Asked once, then over a new link; after another silence nothing that comes is trusted."""
    device = Misbehaving(kind="controller", unit_id=1, twist=silence(0xF001))
    link = TestLink(device)
    reading = await spans_of(device, *DAYS, link=link)
    assert list(reading.registers) == [0xF000]
    assert device.asked == [0xF000, 0xF001, 0xF001]
    assert link.attempts == 2
    again = Misbehaving(kind="controller", unit_id=1, twist=once(0xF001))
    assert list((await spans_of(again, *DAYS)).registers) == [0xF000, 0xF001, 0xF002]


async def test_refused_span_costs_itself_only() -> None:
    """A device that keeps fewer days says so."""
    device = Misbehaving(
        kind="controller",
        unit_id=1,
        twist=lambda start, reply: exception(2)(start, reply) if start == 0xF001 else reply,
    )
    assert list((await spans_of(device, *DAYS)).registers) == [0xF000, 0xF002]
    with pytest.raises(ReaderError) as caught:
        await spans_of(Misbehaving(kind="controller", unit_id=1, twist=exception(2)), *DAYS)
    assert caught.value.code is ErrorCode.MODBUS_EXCEPTION


def once(start: int) -> Callable[[int, bytes], bytes | None]:
    """Return a twist that leaves the first read of a register unanswered."""
    left = [start]
    return lambda asked, reply: left.clear() if asked in left else reply


async def read_shunt(shunt: Module, budget: float = 0.1) -> UnitReading:
    """Listen to a shunt."""
    reader = Reader(TestLink(shunt), [UnitPlan(profile=PROFILES["shunt"])], budget=budget)
    try:
        return (await reader.read()).main
    finally:
        await reader.close()


async def test_shunt() -> None:
    """It is not asked; the first whole frame is the reading."""
    reading = await read_shunt(virtual_device("shunt", lambda: NOW))
    assert (reading.unit_id, reading.model) == (None, "RTMShunt300")
    assert reading.values["battery_voltage"] == pytest.approx(VOLTAGE.at(NOW), abs=0.001)
    assert reading.values["battery_current"] == pytest.approx(CURRENT.at(NOW), abs=0.001)


@pytest.mark.parametrize(
    ("frame", "code"),
    [(b"", ErrorCode.NO_RESPONSE), (b"4257" * 60, ErrorCode.BAD_FRAME)],
)
async def test_shunt_that_sends_nothing_whole(frame: bytes, code: ErrorCode) -> None:
    """Silence and noise are distinguished."""

    class Broken(VirtualShunt):
        def frame(self) -> bytes:
            return frame

    with pytest.raises(ReaderError) as caught:
        await read_shunt(Broken())
    assert caught.value.code is code


async def test_module_is_no_shunt() -> None:
    """A device without its service is another product."""
    with pytest.raises(ReaderError) as caught:
        await read_shunt(Misbehaving())
    assert caught.value.code is ErrorCode.SERVICE_MISSING


async def test_search_for_an_address_among_several() -> None:
    """Known units come first; 255 and the others' addresses are never tried."""
    bus, plans = bus_of(("controller", 17), ("battery", 49))
    asked: list[int] = []

    class Counting(VirtualBus):
        def answer(self, request: bytes) -> bytes | None:
            asked.append(request[0])
            return super().answer(request)

    plans[0] = replace(plans[0], unit_id=None)
    reader = Reader(TestLink(Counting(bus.devices)), plans)
    reading = await reader.read()
    await reader.close()
    assert reading.units["17"].unit_id == 17
    assert asked[0] == 49
    assert [*dict.fromkeys(asked)] == [49, 1, 16, 17]


async def test_another_one_is_never_taken_for_one_that_is_off() -> None:
    """Two batteries, of which one is off and its address is not known."""
    bus, plans = bus_of(("battery", 48), ("battery", 49))
    bus.devices = bus.devices[1:]
    plans[0] = replace(plans[0], unit_id=None)
    reader = Reader(TestLink(bus), plans)
    reading = await reader.read()
    await reader.close()
    assert list(reading.units) == ["49"]
    assert list(reading.unresponsive) == ["48"]


async def test_only_address_is_taken() -> None:
    """Then there is none to try."""
    bus, plans = bus_of(("battery", 48), ("battery", 49))
    profile = replace(PROFILES["battery"], units=(255, 49))
    plans[0] = replace(plans[0], profile=profile, unit_id=None)
    reader = Reader(TestLink(bus), plans)
    reading = await reader.read()
    await reader.close()
    assert reading.unresponsive == {"48": ErrorCode.NO_RESPONSE}


async def test_silent_block_among_several_costs_no_connection() -> None:
    """A reconnect that failed would cost the others."""
    device = Misbehaving(kind="battery", unit_id=48, twist=silence(5000))
    other = bus_of(("battery", 49))[0].devices[0]
    link = TestLink(VirtualBus([device, other]))
    reader = Reader(link, bus_of(("battery", 48), ("battery", 49))[1])
    reading = await reader.read()
    await reader.close()
    assert link.attempts == 1
    assert reading.units["48"].failed == {"cells": ErrorCode.NO_RESPONSE}
    assert reading.units["49"].failed == {}


async def test_shunt_has_no_registers() -> None:
    """Asking for some is a mistake of who asks."""
    reader = Reader(TestLink(VirtualShunt()), [UnitPlan(profile=PROFILES["shunt"])])
    with pytest.raises(ReaderError) as caught:
        await reader.read_spans([Span(start=0, words=1)])
    assert caught.value.code is ErrorCode.BAD_REQUEST


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (ErrorCode.CONNECT_TIMEOUT, ErrorCode.CONNECT_FAILED),
        (ErrorCode.HELD_BY_OTHER, ErrorCode.HELD_BY_OTHER),
    ],
)
async def test_device_that_is_taken_after_a_drop(refusal: ErrorCode, code: ErrorCode) -> None:
    """Nothing is believed that was read of a device which another program has now."""

    class Taken(TestLink):
        @override
        async def connect(self) -> TestLink:
            if self.attempts:
                self.refusals = [refusal]
            return await super().connect()

    link = Taken(Misbehaving())
    link.drop_at = 4000
    with pytest.raises(ReaderError) as caught:
        await read(Misbehaving(), link, unit_id=32)
    assert caught.value.code is code


async def test_no_time_to_connect_again() -> None:
    """A link that drops near the end of the time is not made anew beyond it."""

    class Slow(TestLink):
        @override
        async def connect(self) -> TestLink:
            if self.attempts:
                await asyncio.sleep(3600)
            return await super().connect()

    link = Slow(Misbehaving())
    link.drop_at = 4000
    with pytest.raises(ReaderError, match="no time was left") as caught:
        await read(Misbehaving(), link, unit_id=32, budget=0.1)
    assert caught.value.code is ErrorCode.CONNECT_FAILED


SETTINGS = (Span(start=4422, words=1), Span(start=4430, words=1), Span(start=4452, words=1))


@pytest.mark.parametrize(
    ("twist", "read", "failed"),
    [
        (lambda _, reply: reply, {4422, 4430, 4452}, {}),
        (
            lambda start, reply: exception(2)(start, reply) if start == 4430 else reply,
            {4422, 4452},
            {"4430": ErrorCode.MODBUS_EXCEPTION},
        ),
        (silence(4430), {4422}, {"4430": ErrorCode.NO_RESPONSE}),
    ],
    ids=["all", "one refused", "one silent"],
)
async def test_settings_at_the_end(twist, read: set[int], failed: dict[str, ErrorCode]) -> None:
    """As they are; what fails there spoils no reading, and after silence no other is trusted."""
    device = Misbehaving(twist=twist)
    reading = await read_settings(device, TestLink(device))
    assert {start for start in reading.registers if start in {4422, 4430, 4452}} == read
    assert reading.failed == failed
    assert reading.registers[4000]


async def read_settings(device: VirtualDevice, link: TestLink, **options) -> UnitReading:
    """Take a reading with some settings at its end."""
    plan = UnitPlan(
        profile=INVERTER, unit_id=32, model=INVERTER.models[0], blocks=("battery",), spans=SETTINGS
    )
    reader = Reader(link, [plan], **options)
    try:
        return (await reader.read()).main
    finally:
        await reader.close()


async def test_settings_over_a_link_that_drops() -> None:
    """The values before it count."""
    device = Misbehaving()
    link = TestLink(device)
    link.drop_at = 4422
    reading = await read_settings(device, link)
    assert set(reading.registers) == {4000, 4327}
    assert reading.failed == {"4422": ErrorCode.CONNECT_FAILED}
    assert link.attempts == 1


async def test_settings_without_time_left() -> None:
    """They wait for the next reading."""
    device = Misbehaving()

    class Slow(TestLink):
        """A link on which the time is up with the last block."""

        @override
        async def write_gatt_char(
            self, char_specifier: BleakGATTCharacteristic, data: bytes, response: bool
        ) -> None:
            await super().write_gatt_char(char_specifier, data, response)
            if data[2:4] == (4327).to_bytes(2):
                reader._timed.deadline = 0.0

    plan = UnitPlan(
        profile=INVERTER, unit_id=32, model=INVERTER.models[0], blocks=("battery",), spans=SETTINGS
    )
    reader = Reader(Slow(device), [plan])
    reading = (await reader.read()).main
    await reader.close()
    assert set(reading.registers) == {4000, 4327}
    assert reading.failed == {}


async def test_settings_that_somebody_else_reads() -> None:
    """Then nothing of the reading can be believed."""
    device = Misbehaving()

    class OverheardAtTheEnd(TestLink):
        """A link over which somebody else's answer comes with the first setting."""

        @override
        async def write_gatt_char(
            self, char_specifier: BleakGATTCharacteristic, data: bytes, response: bool
        ) -> None:
            if data[2:4] == (4422).to_bytes(2):
                self._deliver(seal(bytes((32, 3, 8)) + bytes(8)), 20)
            await super().write_gatt_char(char_specifier, data, response)

    with pytest.raises(ReaderError) as caught:
        await read_settings(device, OverheardAtTheEnd(device))
    assert caught.value.code is ErrorCode.HELD_BY_OTHER
