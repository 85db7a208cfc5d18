"""Readings by a child process, under the connection locks of Home Assistant."""

from functools import partial

from homeassistant.core import HomeAssistant

from ..lib.blupow_ble.reader.child_reader import ChildReader
from .connection_locks import acquire_connection_locks


class IsolatedReader(ChildReader):
    """Starts one child for one reading."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Start with nothing under way."""
        super().__init__(partial(acquire_connection_locks, hass))
