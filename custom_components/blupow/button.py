"""The button that reconnects."""

from typing import Final, override

from homeassistant.components.button import ButtonEntity, ButtonEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import BluPowConfigEntry, BluPowCoordinator
from .entity import BluPowEntity
from .exceptions import failure
from .lib.blupow_ble.protocol.errors import ReaderError

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
    for coordinator in entry.runtime_data.coordinators:
        async_add_entities([BluPowReconnect(coordinator)])


class BluPowReconnect(BluPowEntity, ButtonEntity):
    """Reconnects now, by all steps of a recovery."""

    def __init__(self, coordinator: BluPowCoordinator) -> None:
        """Initialize the button."""
        super().__init__(coordinator, RECONNECT)

    @override
    async def async_press(self) -> None:
        """Reconnect; a failure is raised with its cause."""
        try:
            await self.coordinator.reconnect()
        except ReaderError as err:
            raise failure(err, self.coordinator.name) from err
