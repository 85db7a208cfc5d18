"""What a bridge and its clients say to each other: what is written is what is read."""

import json
import math
from typing import Any

from blupow_ble.bridge_messages import (
    DeviceDescription,
    Malformed,
    MessageType,
    UnitDescription,
    aged,
    device_message,
    failure_message,
    parse_device,
    parse_info,
    parse_push,
    parse_report,
    parse_reports,
    reading_message,
    state_message,
)
from blupow_ble.profiles import PROFILES
from blupow_ble.protocol.errors import ErrorCode, ReaderError, Stage
from blupow_ble.reader.messages import MALFORMED
from blupow_ble.reader.result import Finding, Reading, Timings, UnitReading
from blupow_ble.supervisor.link_state import continued
from hypothesis import given, strategies as st
import pytest

INVERTER, BATTERY = PROFILES["inverter"], PROFILES["battery"]
DEVICE = DeviceDescription(
    id="c4d36a000035",
    address="C4:D3:6A:00:00:35",
    name="Van",
    virtual=False,
    update_interval=60,
    may_be_off=True,
    allow_changes=False,
    units=(
        UnitDescription(key="", profile=INVERTER, model=INVERTER.models[0], unit_id=32),
        UnitDescription(key="49", profile=BATTERY, model=None, unit_id=None, serial_number="7"),
    ),
)
VALUES = st.dictionaries(
    st.text(min_size=1, max_size=8),
    st.one_of(
        st.integers(-(2**31), 2**31),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=8),
        st.lists(st.text(max_size=4), max_size=3),
    ),
    max_size=4,
)
CODES = st.sampled_from(ErrorCode)
UNITS = st.builds(
    UnitReading,
    unit_id=st.none() | st.integers(1, 255),
    model=st.none() | st.text(max_size=5),
    values=VALUES,
    failed=st.dictionaries(st.text(max_size=5), CODES, max_size=2),
    dropped=st.lists(st.text(max_size=5), max_size=2),
    unknown=st.dictionaries(st.text(max_size=5), st.integers(0, 65535), max_size=2),
    registers=st.dictionaries(
        st.integers(0, 65535), st.lists(st.integers(0, 65535), max_size=3).map(tuple), max_size=2
    ),
)
READINGS = st.builds(
    Reading,
    units=st.dictionaries(st.text(max_size=3), UNITS, min_size=1, max_size=2),
    unresponsive=st.dictionaries(st.text(max_size=3), CODES, max_size=2),
    found=st.lists(
        st.builds(
            Finding,
            unit_id=st.none() | st.integers(1, 247),
            profile=st.sampled_from(sorted(PROFILES)),
            serial_number=st.none() | st.text(max_size=5),
        ),
        max_size=2,
    ).map(tuple),
    timings=st.builds(Timings, connect=st.floats(0, 90), read=st.floats(0, 90)),
    attempts=st.integers(1, 5),
    age=st.floats(0, 1e6),
)


def over_the_network(message: Any) -> Any:
    """Return a message as it arrives."""
    return json.loads(json.dumps(message, allow_nan=False))


def state(**changes: Any) -> dict[str, Any]:
    """Return the state of a link that was never read."""
    link = continued(None, [unit.state() for unit in DEVICE.units], name="Van", now=0.0)
    return state_message(link, "connected", -60) | changes


def report(**changes: Any) -> dict[str, Any]:
    """Return a device as a bridge tells of it."""
    known = {**device_message(DEVICE), "state": state(), "reading": None, "failure": None}
    return known | changes


@given(reading=READINGS)
def test_reading(reading: Reading) -> None:
    """It arrives as it was, with its age."""
    message = {
        "type": "reading",
        "sequence": 7,
        "device": "a",
        "state": state(),
        "reading": reading_message(reading, "x-1", "hci0", 2.5),
    }
    push = parse_push(over_the_network(message))
    assert push.reading is not None
    assert push.reading.reading == reading
    assert (push.reading.id, push.reading.source, push.reading.seconds) == ("x-1", "hci0", 2.5)
    assert (push.type, push.sequence, push.device_id) == (MessageType.READING, 7, "a")
    later = parse_push(over_the_network(aged(message, 3.0)))
    assert later.reading is not None
    assert later.reading.reading.age == reading.age + 3.0


def test_device() -> None:
    """It arrives as it was; a state for it knows nothing yet."""
    assert parse_device(over_the_network(device_message(DEVICE))) == DEVICE
    found = parse_report(over_the_network(report()))
    assert found.device == DEVICE
    assert (found.state.status, found.state.rssi) == ("connected", -60)
    assert (found.reading, found.failure) == (None, None)
    unit = DEVICE.units[1].state()
    assert (unit.key, unit.serial_number, unit.unit_id) == ("49", "7", None)


def test_failure_and_event() -> None:
    """With their facts."""
    error = ReaderError(ErrorCode.NO_SLOT, "none free", stage=Stage.START)
    message = {"type": "failure", "sequence": 1, "device": "a", "state": state(rssi=None)}
    message["failure"] = failure_message(error, 1.5, 0.25)
    push = parse_push(over_the_network(message))
    assert push.failure is not None
    assert str(push.failure.error) == str(error)
    assert (push.failure.error.stage, push.failure.seconds, push.failure.age) == (
        Stage.START,
        1.5,
        0.25,
    )
    assert push.state is not None
    assert push.state.rssi is None
    whole = parse_report(over_the_network(report(failure=message["failure"])))
    assert whole.failure is not None
    event = {"type": "event", "sequence": 2, "device": "a", "event": "recovery", "facts": {"x": 1}}
    push = parse_push(event)
    assert (push.event, push.facts, push.state) == ("recovery", {"x": 1}, None)


def test_all_devices() -> None:
    """The snapshot, and what follows another configuration."""
    for kind in ("snapshot", "devices"):
        push = parse_push({"type": kind, "sequence": 3, "devices": [report(), report(id="b")]})
        assert [item.device.id for item in push.reports] == ["c4d36a000035", "b"]
        assert push.device_id is None


def test_message_of_a_newer_bridge() -> None:
    """It is left aside, whatever it holds; its number counts."""
    push = parse_push({"type": "weather", "sequence": 9, "state": 1})
    assert (push.type, push.sequence, push.device_id) == (MessageType.OTHER, 9, None)


def test_ages_of_all_devices() -> None:
    """Those in a list go on too."""
    error = ReaderError(ErrorCode.NO_SLOT, "none free")
    message = {"type": "devices", "sequence": 1, "devices": [report()]}
    message["devices"][0]["failure"] = failure_message(error, 1.0, 2.0)
    (found,) = parse_push(aged(message, 300.0)).reports
    assert found.failure is not None
    assert found.failure.age == 302.0


def test_device_of_a_newer_bridge() -> None:
    """The others are understood all the same; it is told apart from one that is gone."""
    newer = report(id="newer", units=[{"profile": "wind_turbine"}])
    push = parse_push({"type": "devices", "sequence": 1, "devices": [newer, report()]})
    assert [item.device.id for item in push.reports] == ["c4d36a000035"]
    assert push.not_understood == ("newer",)


def test_info() -> None:
    """Which bridge it is; what a newer one says beside that is left aside."""
    info = parse_info({"id": "a", "name": "Van", "version": "4", "api": 2, "more": 1})
    assert (info.id, info.api, info.instance, info.resumed) == ("a", 2, "", False)


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "../etc"},
        {"id": ""},
        {"units": []},
        {"units": [device_message(DEVICE)["units"][1]]},
        {"units": [{**device_message(DEVICE)["units"][0], "profile": "gone"}]},
        {"units": [{**device_message(DEVICE)["units"][0], "model": "gone"}]},
        {"update_interval": 0},
        {"update_interval": True},
        {"update_interval": "60"},
    ],
)
def test_device_that_is_none(changes: dict[str, Any]) -> None:
    """It is refused as a whole."""
    with pytest.raises(MALFORMED):
        parse_device(device_message(DEVICE) | changes)
    with pytest.raises(Malformed):
        parse_report(report(**changes))


@pytest.mark.parametrize(
    "message",
    [
        None,
        [],
        {"type": "hello"},
        {"type": "reading", "sequence": 1, "device": "a", "reading": {}},
        {"type": "failure", "sequence": 1, "device": "a", "failure": {"code": "new_code"}},
        {"type": "state", "sequence": "x", "device": "a"},
        {"type": "snapshot", "sequence": 1, "devices": {}},
        {"type": "snapshot", "sequence": 1, "devices": [[]]},
        {"type": "snapshot", "sequence": 1, "devices": [{"id": 1}]},
    ],
)
def test_message_that_is_none(message: Any) -> None:
    """It is told as such, whatever it is."""
    with pytest.raises(Malformed):
        parse_push(message)
    with pytest.raises(Malformed):
        parse_info(message)
    with pytest.raises(Malformed):
        parse_reports(message if isinstance(message, list) and message else {})


def test_age_that_is_none() -> None:
    """Nobody reads in the future."""
    error = ReaderError(ErrorCode.NO_SLOT, "none free")
    for age in (-1.0, math.nan):
        message = {"type": "failure", "sequence": 1, "device": "a"}
        message["failure"] = failure_message(error, 1.5, age)
        with pytest.raises(Malformed):
            parse_push(message)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(message=JSON, part=st.sampled_from(["reading", "failure", "state", "devices"]))
def test_anything(message: Any, part: str) -> None:
    """Whatever arrives, it is understood or refused."""
    kind = "snapshot" if part == "devices" else part
    for found in (message, {"type": kind, "sequence": 1, "device": "a", part: message}):
        for parse in (parse_push, parse_info, parse_report, parse_reports):
            try:
                parse(found)
            except Malformed:
                continue
