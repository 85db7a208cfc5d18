"""Devices: what they are and how they are, their settings, and what can be done with them."""

from collections.abc import Awaitable, Iterator
from typing import Any, Final

from aiohttp import web
from blupow_ble.profiles.declaration import Computed, Field, Info, Kind, Span
from blupow_ble.profiles.setting import Setting, SettingKind
from blupow_ble.protocol.errors import ChangeUnknown, ErrorCode, ReaderError
from blupow_ble.reader import answers
from blupow_ble.reader.plan import Change
from blupow_ble.reader.result import Reading, Timings
from blupow_ble.supervisor.unit_state import UnitState

from ..device import BridgeDevice
from .bodies import FindUnitsBody, RegistersBody, SettingsBody, body_of
from .keys import HUB, device_of
from .limits import ApiError

REFUSED: Final = frozenset({ErrorCode.CHANGES_NOT_ALLOWED})


async def get_devices(request: web.Request) -> web.Response:
    """Return all devices, each with its last reading."""
    devices = request.app[HUB].devices.values()
    return web.json_response({"devices": [device.report for device in devices]})


async def get_device(request: web.Request) -> web.Response:
    """Return one device with its last reading: what is pushed of it too."""
    return web.json_response(device_of(request).report)


async def get_fields(request: web.Request) -> web.Response:
    """Return what the values of each unit of a device are."""
    units = device_of(request).supervisor.units
    return web.json_response(
        {
            "units": [
                {
                    "key": unit.key,
                    "profile": unit.profile.key,
                    "name": unit.profile.name,
                    "model": unit.info(Info.MODEL),
                    "fields": list(fields_of(unit)),
                }
                for unit in units
            ]
        }
    )


def fields_of(unit: UnitState) -> Iterator[dict[str, Any]]:
    """Go through what a unit sends, and what follows from it."""
    items: tuple[Field | Computed, ...] = (*unit.register_map.fields, *unit.register_map.computed)
    for item in items:
        measure = item.unit_of_measurement
        found: dict[str, Any] = {
            "key": item.key,
            "unit_of_measurement": measure.value if measure else None,
            "counter": None,
            "kind": Kind.NUMBER.value,
            "diagnostic": False,
        }
        if isinstance(item, Field):
            found["kind"] = item.kind.value
            found["counter"] = item.counter.value if item.counter else None
            found["diagnostic"] = item.setting or item.advanced
        yield found
    for estimate in unit.estimates:
        yield {
            "key": estimate.key,
            "unit_of_measurement": "Wh",
            "counter": "total",
            "kind": Kind.NUMBER.value,
            "diagnostic": False,
        }


async def get_settings(request: web.Request) -> web.Response:
    """Return the settings of each unit of a device, and what they are set to."""
    device = device_of(request)
    return web.json_response(
        {
            "allow_changes": device.config.allow_changes,
            "units": [
                {
                    "key": unit.key,
                    "settings": [setting_of(unit, setting) for setting in unit.controls],
                }
                for unit in device.supervisor.units
            ],
        }
    )


def setting_of(unit: UnitState, setting: Setting) -> dict[str, Any]:
    """Return a setting of a unit: what it may be, and what it is."""
    measure = setting.unit_of_measurement
    found: dict[str, Any] = {
        "key": setting.key,
        "kind": setting.kind.value,
        "value": unit.setting(setting.key),
        "evidence": unit.evidence(setting).value,
        "unit_of_measurement": measure.value if measure else None,
        "low": None,
        "high": None,
        "step": None,
        "choices": list(setting.offered) if setting.kind is SettingKind.CHOICE else None,
    }
    if setting.kind is SettingKind.NUMBER:
        limits = unit.settings.limits(setting, unit.monotonic())
        found |= {"low": limits.low, "high": limits.high, "step": limits.step}
    return found


async def post_settings(request: web.Request) -> web.Response:
    """Change settings of a unit: each is sent once and read back. The report says what came of it."""
    device, body = device_of(request), await body_of(request, SettingsBody)
    unit = unit_of(device, body.unit)
    changes = [Change(key, value) for key, value in body.changes.items()]
    report = await _from_device(device.supervisor.write(unit, changes))
    message = answers.written(0, report)
    return web.json_response(
        {
            "settings": message["settings"],
            "registers": message["registers"],
            "timings": message["timings"],
            "attempts": message["attempts"],
        }
    )


async def post_reconnect(request: web.Request) -> web.Response:
    """Reconnect a device now, by all steps of a recovery."""
    recovery = await _from_device(device_of(request).supervisor.watchdog.force())
    return web.json_response({"step": recovery.step, "seconds": round(recovery.seconds, 1)})


async def post_find_units(request: web.Request) -> web.Response:
    """Find all units behind a module. Nothing but reads is sent."""
    device, body = device_of(request), await body_of(request, FindUnitsBody)
    if device.config.virtual:
        raise ApiError(409, ErrorCode.BAD_REQUEST.value, "a virtual device has no further units")
    found = await _from_device(device.supervisor.find_units(tuple(body.unit_ids)))
    return web.json_response({"units": answers.found(0, found)["units"]})


async def post_registers(request: web.Request) -> web.Response:
    """Read registers of a unit by number. Nothing but reads is sent."""
    device, body = device_of(request), await body_of(request, RegistersBody)
    unit = unit_of(device, body.unit)
    try:
        spans = [Span(start=span.start, words=span.count) for span in body.spans]
    except ValueError as err:
        raise ApiError(400, "bad_request", str(err)) from err
    reading = await _from_device(device.supervisor.read_registers(spans, unit))
    whole = Reading(units={unit.key: reading}, timings=Timings(connect=0, read=0), attempts=1)
    return web.json_response({"unit": answers.result(0, whole)["units"][unit.key]})


def unit_of(device: BridgeDevice, key: str) -> UnitState:
    """Return a unit of a device. Raises ApiError(404)."""
    for unit in device.supervisor.units:
        if unit.key == key:
            return unit
    raise ApiError(404, "no_such_unit", f"{device.config.name} has no unit {key[:80]!r}")


async def _from_device[T](work: Awaitable[T]) -> T:
    """Return what came of something that is done with a device. Raises ApiError with the cause."""
    try:
        return await work
    except ReaderError as err:
        status = 403 if err.code in REFUSED else 409
        raise ApiError(
            status,
            err.code.value,
            err.message,
            stage=err.stage.value,
            unknown=isinstance(err, ChangeUnknown),
        ) from err
