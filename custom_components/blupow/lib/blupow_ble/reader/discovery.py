"""Finds devices: by an object path, among those that BlueZ knows, or by a scan.

A scan is for people at the command line: beside Home Assistant's it would hear nothing, or hang.
"""

import asyncio
from typing import Final

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak_retry_connector import get_device

from ..protocol.errors import ErrorCode, ReaderError, Stage
from ..protocol.radio import RADIO_ERRORS
from ..waiting import wait_at_most
from .bluez import has_adapter
from .link_errors import explain, no_adapter

SCAN_START_LIMIT: Final = 10.0


def object_path_of(device: BLEDevice) -> str | None:
    """Return the BlueZ object path of a device; None if it was not found through BlueZ."""
    details = device.details
    return details.get("path") if isinstance(details, dict) else None


def known_device(address: str, name: str, object_path: str) -> BLEDevice:
    """Return the device at a BlueZ object path that Home Assistant has seen. Nothing is scanned."""
    adapter = object_path.rpartition("/")[0]
    return BLEDevice(
        address, name, {"path": object_path, "props": {"Address": address, "Adapter": adapter}}
    )


async def find_known(address: str) -> BLEDevice:
    """Return a device that BlueZ knows. Nothing is scanned.

    Raises ReaderError: not_advertising, adapter_unavailable.
    """
    if device := await get_device(address):
        return device
    if not await has_adapter():
        raise no_adapter()
    raise ReaderError(
        ErrorCode.NOT_ADVERTISING,
        f"Bluetooth does not know {address}; it was not heard lately",
        stage=Stage.CONNECT,
    )


async def find_device(address: str, scan_time: float) -> BLEDevice:
    """Return a device that BlueZ knows, else scan for it. Not for use beside Home Assistant's scanner.

    A plain scan beside another client's reports nothing new: the DuplicateData filter makes BlueZ
    signal each advertisement. Raises ReaderError: not_advertising, adapter_unavailable.
    """
    if device := await get_device(address):
        return device
    found = await scan(scan_time, stop_at=address)
    if address in found:
        return found[address][0]
    raise ReaderError(
        ErrorCode.NOT_ADVERTISING,
        f"{address} was not heard within {scan_time:g} s",
        stage=Stage.CONNECT,
    )


async def scan(
    scan_time: float, stop_at: str | None = None
) -> dict[str, tuple[BLEDevice, AdvertisementData]]:
    """Return the devices heard, by address. Raises ReaderError(adapter_unavailable)."""
    found: dict[str, tuple[BLEDevice, AdvertisementData]] = {}
    heard = asyncio.Event()

    def on_advertisement(device: BLEDevice, advertisement: AdvertisementData) -> None:
        found[device.address] = (device, advertisement)
        if device.address == stop_at:
            heard.set()

    try:
        # the start itself can hang for good when another scan starts in the same instant
        async with (
            asyncio.timeout(scan_time + SCAN_START_LIMIT),
            BleakScanner(on_advertisement, bluez={"filters": {"DuplicateData": True}}),
        ):
            await wait_at_most(heard, scan_time)
    except TimeoutError:
        raise ReaderError(
            ErrorCode.ADAPTER_UNAVAILABLE,
            "the scan did not start; another program is scanning",
            stage=Stage.CONNECT,
        ) from None
    except RADIO_ERRORS as err:
        raise explain(err) from err
    return found
