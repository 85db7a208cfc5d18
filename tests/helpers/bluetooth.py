"""Has Home Assistant's Bluetooth hear advertisements."""

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bluetooth_data_tools import monotonic_time_coarse
from habluetooth import BluetoothScanningMode, HaScanner
from habluetooth.scanner_bleak import create_bleak_scanner

from homeassistant.components import bluetooth
from homeassistant.components.bluetooth import BluetoothServiceInfoBleak
from homeassistant.core import HomeAssistant

from .simulated import INVERTER_ADDRESS, INVERTER_NAME, INVERTER_PATH

ADAPTER_SOURCE = "00:00:00:00:00:01"
RENOGY_SERVICE = "0000ffd0-0000-1000-8000-00805f9b34fb"


def service_info(
    name: str = INVERTER_NAME,
    address: str = INVERTER_ADDRESS,
    *,
    source: str = ADAPTER_SOURCE,
    path: str | None = INVERTER_PATH,
    rssi: int = -60,
) -> BluetoothServiceInfoBleak:
    """Return an advertisement as a scanner reports it."""
    details = {"path": path} if path else {"source": source}
    raw = bytes.fromhex(address.replace(":", ""))
    manufacturer_data = {int.from_bytes(raw[:2], "little"): raw[2:]}
    advertisement = AdvertisementData(
        local_name=name,
        manufacturer_data=manufacturer_data,
        service_data={},
        service_uuids=[RENOGY_SERVICE],
        tx_power=None,
        rssi=rssi,
        platform_data=(),
    )
    return BluetoothServiceInfoBleak(
        name=name,
        address=address,
        rssi=rssi,
        manufacturer_data=manufacturer_data,
        service_data={},
        service_uuids=[RENOGY_SERVICE],
        source=source,
        device=BLEDevice(address, name, details),
        advertisement=advertisement,
        connectable=True,
        time=monotonic_time_coarse(),
        tx_power=None,
    )


def add_adapter(hass: HomeAssistant, name: str, source: str, slots: int = 5) -> HaScanner:
    """Have Home Assistant know another adapter of this machine; its scanner is never started."""
    scanner = HaScanner(BluetoothScanningMode.ACTIVE, name, source)
    scanner.scanner = create_bleak_scanner(None, BluetoothScanningMode.ACTIVE, name)
    bluetooth.async_register_scanner(hass, scanner, connection_slots=slots)
    return scanner


def hear(hass: HomeAssistant, info: BluetoothServiceInfoBleak) -> None:
    """Have an advertisement arrive at the adapter that it names, with the signal that it names.

    What the adapter's scanner has heard is kept by bleak, and set there.
    """
    scanner = bluetooth.async_scanner_by_source(hass, info.source)
    assert isinstance(scanner, HaScanner)
    assert scanner.scanner is not None
    scanner.scanner._backend.seen_devices[info.address] = (info.device, info.advertisement)
    bluetooth.async_get_advertisement_callback(hass)(info)
