"""What an entry has while it is loaded."""

from dataclasses import dataclass

from homeassistant.config_entries import ConfigEntry

from .coordinator import BluPowCoordinator
from .watchdog import Watchdog

type BluPowConfigEntry = ConfigEntry[BluPowRuntime]


@dataclass(frozen=True, slots=True)
class BluPowRuntime:
    """What an entry has while it is loaded."""

    coordinator: BluPowCoordinator
    watchdog: Watchdog

    async def stop(self) -> None:
        """Stop everything, also in the middle of a reading; leave neither a process nor a link."""
        await self.watchdog.stop()
        await self.coordinator.async_shutdown()
