"""The button that reconnects."""

from typing import Final, override

from homeassistant.components.button import ButtonEntity, ButtonEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .entity import BluPowEntity
from .exceptions import failure
from .lib.blupow_ble.protocol.errors import ReaderError
from .runtime import BluPowConfigEntry, BluPowRuntime

PARALLEL_UPDATES = 1

RECONNECT: Final = ButtonEntityDescription(
    key="reconnect", translation_key="reconnect", entity_category=EntityCategory.DIAGNOSTIC
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: BluPowConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the button."""
    async_add_entities([BluPowReconnect(entry.runtime_data)])


class BluPowReconnect(BluPowEntity, ButtonEntity):
    """Has the device read again at once, by all means there are."""

    def __init__(self, runtime: BluPowRuntime) -> None:
        """Initialize the button."""
        super().__init__(runtime.coordinator, RECONNECT)
        self._watchdog = runtime.watchdog

    @override
    async def async_press(self) -> None:
        """Reconnect; a failure is told with its cause."""
        try:
            await self._watchdog.async_force()
        except ReaderError as err:
            raise failure(err, self.coordinator.name) from err
