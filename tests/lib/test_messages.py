"""The lines between parent and child: what is sent is what arrives, and nonsense is refused."""

from dataclasses import replace
import json
from typing import Any

import pytest

from custom_components.blupow.lib.blupow_ble import messages
from custom_components.blupow.lib.blupow_ble.errors import ErrorCode, ReaderError, Stage
from custom_components.blupow.lib.blupow_ble.messages import Device, Request
from custom_components.blupow.lib.blupow_ble.profiles.declaration import Span
from custom_components.blupow.lib.blupow_ble.result import Reading, Timings

REQUEST = Request(
    id=7,
    device=Device(
        address="C4:D3:6A:00:00:35",
        name="BTRIC134000035",
        path="/org/bluez/hci0/dev_C4_D3_6A_00_00_35",
        adapter="hci0",
    ),
    profile="inverter",
    model="RIV4835CSH1S",
    unit=32,
    blocks=["live", "battery"],
    connect_timeout=25.0,
    deadline=45.0,
)
READING = Reading(
    unit=32,
    model="RIV1230RCH",
    values={"battery_voltage": 13.2, "model": "X", "faults": ["fan_fault"], "solar_power": 1},
    failed={"energy": ErrorCode.NO_RESPONSE},
    dropped=["temperature"],
    registers={4000: (1, 2), 4109: (32,)},
    timings=Timings(connect=0.4, read=0.6),
    attempts=2,
)


def test_request_arrives_as_sent() -> None:
    """Including what is left open."""
    assert messages.parse_request(REQUEST.encode()) == REQUEST
    bare = Request(
        id=1,
        device=Device(address="virtual", name="v"),
        profile="inverter",
        connect_timeout=5,
        deadline=25,
    )
    assert messages.parse_request(bare.encode()) == bare
    span = replace(bare, span=Span(start=0xE000, words=60))
    assert messages.parse_request(span.encode()) == span
    assert bare.device.virtual
    assert not REQUEST.device.virtual


def test_result_arrives_as_sent() -> None:
    """Through JSON, with every type."""
    line = messages.encode(messages.result(7, READING))
    assert line.endswith(b"\n")
    message = messages.decode(line)
    assert (message["event"], message["id"]) == ("result", 7)
    assert messages.parse_result(message) == READING


def test_error_arrives_as_sent() -> None:
    """With its code, step, words and whether it can pass."""
    sent = ReaderError(ErrorCode.SERVICE_MISSING, "no service", stage=Stage.SERVICES)
    message = messages.decode(messages.encode(messages.error(7, sent)))
    assert message["retryable"] is False
    got = messages.parse_error(message)
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
        (changed(op="write"), "unknown operation 'write'"),
        (changed(op="format"), "unknown operation"),
        (changed(extra=1), "unknown fields: extra"),
        (changed(id="7"), "id"),
        (changed(profile="toaster"), "unknown profile 'toaster'"),
        (changed(profile=["inverter"]), "unknown profile"),
        (changed(model="RVR40"), "unknown model"),
        (changed(unit=0), "unit"),
        (changed(unit=256), "unit"),
        (changed(unit="32"), "unit"),
        (changed(blocks="live"), "blocks"),
        (changed(blocks=[1]), "blocks"),
        (changed(span=[4000, 10]), "span is malformed"),
        (changed(span={"start": 4000}), "span is malformed"),
        (changed(span={"start": 4000, "words": "10"}), "span is malformed"),
        (changed(span={"start": 4000, "words": True}), "span is malformed"),
        (changed(span={"start": 4000, "words": 61}), "61 registers are not within 1-60"),
        (changed(span={"start": 4000, "words": 0}), "0 registers"),
        (changed(span={"start": 65530, "words": 10}), "10 registers from 65530 do not exist"),
        (changed(span={"start": -1, "words": 1}), "do not exist"),
        (changed(connect_timeout=0), "connect_timeout"),
        (changed(connect_timeout="25"), "connect_timeout"),
        (changed(connect_timeout=True), "connect_timeout"),
        (changed(deadline=-1), "deadline"),
        (changed(deadline=1000), "deadline"),
        (changed(device=5), "device is malformed"),
        (changed(device={"extra": 1}), "device is malformed"),
        (changed(device={"address": "; rm -rf /"}), "address"),
        (changed(device={"address": 5}), "address"),
        (changed(device={"path": "/org/bluez/hci0/../.."}), "path"),
        (changed(device={"path": 5}), "path"),
        (changed(device={"name": 5}), "name"),
        (changed(device={"adapter": 5}), "adapter"),
    ],
)
def test_bad_requests(line: bytes, text: str) -> None:
    """Whatever is wrong is told, as bad_request."""
    with pytest.raises(ReaderError, match=text) as caught:
        messages.parse_request(line)
    assert caught.value.code is ErrorCode.BAD_REQUEST
    assert caught.value.stage is Stage.START


@pytest.mark.parametrize("value", [None, True, {}, [1], [["a"]]])
def test_bad_values(value: Any) -> None:
    """A value is a number, a text or a list of texts."""
    message = json.loads(messages.encode(messages.result(7, READING)))
    message["values"]["battery_voltage"] = value
    with pytest.raises(TypeError, match="battery_voltage"):
        messages.parse_result(message)


def test_result_without_a_model() -> None:
    """The model may be unknown."""
    message = json.loads(messages.encode(messages.result(7, READING))) | {"model": None}
    assert messages.parse_result(message).model is None
