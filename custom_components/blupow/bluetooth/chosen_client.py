"""Home Assistant's client, over the scanner that was chosen.

Home Assistant's own choice goes by the signal of the last advertisement and by connects that failed. It
knows nothing of readings that fail once they are connected, nor of those of reader processes.
"""

from typing import Any

from bleak import BleakClient
import bleak_retry_connector
from habluetooth import BluetoothManager

from ..lib.blupow_ble.protocol.errors import ErrorCode
from ..lib.blupow_ble.reader.route import NoRoute


def client_over(address: str, source: str) -> type[BleakClient]:
    """Return a client class that connects to a device over one scanner.

    Slots, connects in progress and failures are accounted for by Home Assistant as ever. Its `connect`
    raises NoRoute where that scanner is gone or has no connection left.
    """
    # looked up by its module: Home Assistant puts its own class there when its Bluetooth is set up
    base: Any = bleak_retry_connector.BleakClientWithServiceCache

    class ChosenClient(base):  # type: ignore[misc]
        """Where habluetooth chose otherwise one day, Home Assistant's own choice would hold again."""

        def _async_get_best_available_backend_and_device(self, manager: BluetoothManager) -> Any:
            for item in manager.async_scanner_devices_by_address(address, connectable=True):
                if item.scanner.source != source:
                    continue
                backend = self._async_get_backend_for_ble_device(
                    manager, item.scanner, item.ble_device
                )
                if backend is not None:
                    return backend
                text = f"{item.scanner.name} has no free connection"
                raise NoRoute(ErrorCode.NO_SLOT, text)
            text = f"{source} does not hear the device any more"
            raise NoRoute(ErrorCode.NOT_ADVERTISING, text)

    return ChosenClient
