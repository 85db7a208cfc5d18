"""The lines between parent and child: what is sent is what arrives, and nonsense is refused."""

from dataclasses import replace
import json
from typing import Any

import pytest

from custom_components.blupow.lib.blupow_ble.profiles.battery import BATTERY
from custom_components.blupow.lib.blupow_ble.profiles.declaration import Span
from custom_components.blupow.lib.blupow_ble.profiles.inverter import INVERTER, RIV4835CSH1S
from custom_components.blupow.lib.blupow_ble.profiles.setting_rules import Reason
from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode, ReaderError, Stage
from custom_components.blupow.lib.blupow_ble.reader import answers, messages
from custom_components.blupow.lib.blupow_ble.reader.messages import Device, Operation, Request
from custom_components.blupow.lib.blupow_ble.reader.plan import Change, UnitPlan
from custom_components.blupow.lib.blupow_ble.reader.result import (
    Finding,
    Outcome,
    Reading,
    SettingReport,
    Timings,
    UnitReading,
    WriteReport,
)

REQUEST = Request(
    id=7,
    device=Device(
        address="C4:D3:6A:00:00:35",
        name="BTRIC134000035",
        object_path="/org/bluez/hci0/dev_C4_D3_6A_00_00_35",
        adapter="hci0",
    ),
    units=(
        UnitPlan(profile=INVERTER, model=RIV4835CSH1S, unit_id=32, blocks=("live", "battery")),
        UnitPlan(key="48", profile=BATTERY, unit_id=48),
    ),
    unit_ids=(72, 73),
    look_at=49,
    connect_timeout=25.0,
    deadline=45.0,
)
UNIT = UnitReading(
    unit_id=32,
    model="RIV1230RCH",
    values={
        "battery_voltage": 13.2,
        "model": "X",
        "faults": ["fan_fault"],
        "solar_power": 1,
        "load": True,
    },
    failed={"energy": ErrorCode.NO_RESPONSE},
    dropped=["temperature"],
    unknown={"machine_state": 9},
    registers={4000: (1, 2), 4109: (32,)},
)
SHUNT = UnitReading(
    unit_id=None, model=None, values={}, failed={}, dropped=[], unknown={}, registers={}
)
CHANGE = {"key": "ac_charge_current", "value": 20}
REPORT = WriteReport(
    settings=(
        SettingReport(
            key="ac_charge_current",
            outcome=Outcome.WRITTEN,
            wanted=20,
            before=10.0,
            now=20.0,
            sent=True,
        ),
        SettingReport(
            key="beeper",
            outcome=Outcome.REFUSED,
            wanted=True,
            before=False,
            now=False,
            reason=Reason.EXCEPTION,
            facts={"code": "4", "text": "no"},
        ),
        SettingReport(key="mode", outcome=Outcome.UNCONFIRMED, wanted="grid_first"),
    ),
    registers={0xE205: 200, 4101: 0},
    timings=Timings(connect=0.4, read=1.6),
    attempts=1,
)
READING = Reading(
    units={"": UNIT, "s": SHUNT},
    unresponsive={"49": ErrorCode.NO_RESPONSE},
    found=(Finding(unit_id=50, profile="battery", model="SMART", serial_number="X"),),
    timings=Timings(connect=0.4, read=0.6),
    attempts=2,
)


def test_request_arrives_as_sent() -> None:
    """Including what is left open."""
    assert messages.parse_request(REQUEST.encode()) == REQUEST
    bare = Request(
        id=1,
        device=Device(address="virtual", name="v"),
        units=(UnitPlan(profile=INVERTER),),
        connect_timeout=5,
        deadline=25,
    )
    assert messages.parse_request(bare.encode()) == bare
    spans = replace(bare, spans=(Span(start=0xE000, words=60), Span(start=1, words=2)))
    assert messages.parse_request(spans.encode()) == spans
    find_all = replace(REQUEST, op=Operation.FIND_ALL, units=(), budget=40.0)
    assert messages.parse_request(find_all.encode()) == find_all
    assert bare.device.virtual
    assert not REQUEST.device.virtual


def test_result_arrives_as_sent() -> None:
    """Through JSON, with every type."""
    line = messages.encode(answers.result(7, READING))
    assert line.endswith(b"\n")
    message = messages.decode(line)
    assert (message["event"], message["id"]) == ("result", 7)
    assert answers.parse_result(message) == READING


def test_change_arrives_as_sent() -> None:
    """The request, the report, and what a virtual device keeps."""
    sent = replace(
        REQUEST,
        op=Operation.WRITE,
        units=(UnitPlan(profile=INVERTER, unit_id=32, spans=(Span(start=4422, words=1),)),),
        changes=(Change("a", 1), Change("b", 2.5), Change("c", value=True), Change("d", "on")),
        virtual_registers={4456: 160},
    )
    assert messages.parse_request(sent.encode()) == sent
    message = messages.decode(messages.encode(answers.written(7, REPORT, {4456: 160})))
    assert (message["event"], message["id"]) == ("written", 7)
    assert answers.parse_written(message) == (REPORT, {4456: 160})
    assert answers.parse_written(answers.written(7, REPORT)) == (REPORT, {})


@pytest.mark.parametrize(
    "wrong",
    [
        {"settings": [{"key": "a"}]},
        {"settings": 5},
        {"registers": {"x": 1}},
        {"registers": 5},
        {"timings": {}},
        {"attempts": "many"},
        {"virtual_registers": None},
    ],
)
def test_malformed_reports(wrong: dict[str, Any]) -> None:
    """A report of another shape is none."""
    with pytest.raises(messages.MALFORMED):
        answers.parse_written(answers.written(7, REPORT) | wrong)


@pytest.mark.parametrize(
    "wrong", [{"now": [1]}, {"outcome": "perhaps"}, {"reason": "moon"}, {"facts": 5}]
)
def test_malformed_settings(wrong: dict[str, Any]) -> None:
    """A setting of another shape spoils the report."""
    message = answers.written(7, REPORT)
    message["settings"][0] |= wrong
    with pytest.raises(messages.MALFORMED):
        answers.parse_written(message)


def test_error_arrives_as_sent() -> None:
    """With its code, step and words."""
    sent = ReaderError(ErrorCode.SERVICE_MISSING, "no service", stage=Stage.SERVICES)
    message = messages.decode(messages.encode(answers.error(7, sent)))
    got = answers.parse_error(message)
    assert (got.code, got.message, got.stage) == (sent.code, sent.message, sent.stage)
    assert str(got) == "service_missing: no service"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"no json",
        b"[]",
        b'{"event":"hello"}',
        b'{"v":2}',
        b'{"v":1,"x":NaN}',
        b'{"v":1,"x":Infinity}',
        b'{"v":1,"x":-1e999}',
        b'{"v":1,"x":' + b"[" * 100_000,
        b'{"v":1,"x":"' + b"a" * messages.MAX_LINE + b'"}',
    ],
)
def test_bad_lines(line: bytes) -> None:
    """No JSON object, another version, no number, too long."""
    with pytest.raises(ValueError, match=r".+"):
        messages.decode(line)


def test_nothing_that_is_no_number_is_sent() -> None:
    """NaN is not JSON."""
    with pytest.raises(ValueError, match="JSON"):
        messages.encode({"x": float("nan")})


def changed(**changes: Any) -> bytes:
    """Return the request with other fields."""
    message = json.loads(REQUEST.encode())
    device = changes.pop("device", {})
    message["units"][0] |= changes.pop("unit", {})
    message |= changes
    if isinstance(message["device"], dict) and isinstance(device, dict):
        message["device"] |= device
    else:
        message["device"] = device
    return json.dumps(message).encode()


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"{}", "version 1"),
        (changed(op="write"), "changes are for op write, and needed there"),
        (changed(changes=[CHANGE]), "changes are for op write"),
        (changed(op="write", changes=[CHANGE], unit={"unit_id": None}), "is not written to"),
        (changed(op="write", changes=[CHANGE, CHANGE]), "a setting is changed twice"),
        (changed(op="write", changes=CHANGE), "changes must be a list"),
        (changed(op="write", changes=[5]), "a change is malformed"),
        (changed(op="write", changes=[{"key": "a"}]), "a change is malformed"),
        (changed(op="write", changes=[CHANGE | {"key": 5}]), "a change is malformed"),
        (changed(op="write", changes=[CHANGE | {"value": None}]), "a change is malformed"),
        (changed(op="write", changes=[CHANGE | {"value": [1]}]), "a change is malformed"),
        (changed(op="write", changes=[CHANGE], units=[]), "no unit to read"),
        (changed(virtual_registers=5), "virtual_registers is malformed"),
        (changed(virtual_registers={"x": 5}), "virtual_registers is malformed"),
        (changed(virtual_registers={"5": 65536}), "virtual_registers is malformed"),
        (changed(virtual_registers={"5": True}), "virtual_registers is malformed"),
        (changed(unit={"spans": 5}), "spans must be a list"),
        (changed(unit={"spans": [5]}), "a span is malformed"),
        (changed(op="format"), "unknown operation"),
        (changed(extra=1), "unknown fields: extra"),
        (changed(id="7"), "id"),
        (changed(unit={"profile": "toaster"}), "unknown profile 'toaster'"),
        (changed(unit={"profile": ["inverter"]}), "unknown profile"),
        (changed(unit={"model": "RVR40"}), "unknown model"),
        (changed(unit={"model": ["RVR40"]}), "unknown model"),
        (changed(unit={"unit_id": 0}), "unit_id"),
        (changed(unit={"unit_id": True}), "unit_id"),
        (changed(unit={"key": 1}), "key must be text"),
        (changed(unit={"key": "48"}), "two units have the same key"),
        (changed(unit={"more": 1}), "a unit is malformed"),
        (changed(units=[5]), "a unit is malformed"),
        (changed(units=[]), "no unit to read"),
        (changed(units=5), "units must be a list"),
        (changed(spans=5), "spans must be a list"),
        (changed(op=5), "unknown operation"),
        (changed(op=[]), "unknown operation"),
        (changed(id=True), "id must be a number"),
        (changed(id=1.5), "id must be a number"),
        (changed(op="find_all", device={"address": "virtual"}), "not looked for"),
        (changed(unit={"unit_id": 256}), "unit_id"),
        (changed(unit={"unit_id": "32"}), "unit_id"),
        (changed(unit={"blocks": "live"}), "blocks"),
        (changed(unit={"blocks": [1]}), "blocks"),
        (changed(spans=[[4000, 10]]), "a span is malformed"),
        (changed(spans=[{"start": 4000}]), "a span is malformed"),
        (changed(spans=[{"start": 4000, "words": "10"}]), "a span is malformed"),
        (changed(spans=[{"start": 4000, "words": True}]), "a span is malformed"),
        (changed(spans=[{"start": 4000, "words": 61}]), "61 registers are not within 1-60"),
        (changed(spans=[{"start": 4000, "words": 0}]), "0 registers"),
        (changed(spans=[{"start": 65530, "words": 10}]), "10 registers from 65530 do not exist"),
        (changed(spans=[{"start": -1, "words": 1}]), "do not exist"),
        (changed(connect_timeout=0), "connect_timeout"),
        (changed(connect_timeout="25"), "connect_timeout"),
        (changed(connect_timeout=True), "connect_timeout"),
        (changed(deadline=-1), "deadline"),
        (changed(budget=None), "budget"),
        (changed(deadline=1000), "deadline"),
        (changed(device=5), "device is malformed"),
        (changed(device={"extra": 1}), "device is malformed"),
        (changed(device={"address": "; rm -rf /"}), "address"),
        (changed(device={"address": 5}), "address"),
        (changed(device={"object_path": "/org/bluez/hci0/../.."}), "object_path"),
        (changed(device={"object_path": 5}), "object_path"),
        (changed(device={"name": 5}), "name"),
        (changed(device={"adapter": 5}), "adapter"),
    ],
)
def test_bad_requests(line: bytes, text: str) -> None:
    """Whatever is wrong is reported, as bad_request."""
    with pytest.raises(ReaderError, match=text) as caught:
        messages.parse_request(line)
    assert caught.value.code is ErrorCode.BAD_REQUEST
    assert caught.value.stage is Stage.START


@pytest.mark.parametrize("value", [None, {}, [1], [["a"]]])
def test_bad_values(value: Any) -> None:
    """A value is a number, a text, yes or no, or a list of texts."""
    message = json.loads(messages.encode(answers.result(7, READING)))
    message["units"][""]["values"]["battery_voltage"] = value
    with pytest.raises(TypeError, match="battery_voltage"):
        answers.parse_result(message)


def test_result_without_units() -> None:
    """A reading is one of one unit at least."""
    message = json.loads(messages.encode(answers.result(7, READING))) | {"units": {}}
    with pytest.raises(ValueError, match="no unit"):
        answers.parse_result(message)


def test_units_that_were_found_arrive_as_sent() -> None:
    """With what they call themselves, as far as they do."""
    found = [
        Finding(unit_id=48, profile="battery", model="RBT", model_text="RBT50", serial_number="1"),
        Finding(unit_id=1, profile="controller"),
        Finding(unit_id=None, profile="shunt"),
    ]
    message = messages.decode(messages.encode(answers.found(7, found)))
    assert (message["event"], message["id"]) == ("found", 7)
    assert answers.parse_found(message) == found
    message["units"][0]["profile"] = "toaster"
    with pytest.raises(KeyError):
        answers.parse_found(message)
