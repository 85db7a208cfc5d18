"""The topics of a bridge."""

from dataclasses import dataclass
from typing import Final

AVAILABILITY: Final = "availability"
STATE: Final = "state"
SET: Final = "set"
ANSWER: Final = "answer"
RECONNECT: Final = "reconnect"
EVENT: Final = "event"
LONGEST_TOPIC: Final = 65_535
"""Bytes, by MQTT."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topics:
    """The topics of one bridge: `<prefix>/<bridge>/...`, and those of the discovery."""

    prefix: str
    bridge_id: str
    discovery_prefix: str

    @property
    def bridge(self) -> str:
        """Below which all topics of the bridge are."""
        return f"{self.prefix}/{self.bridge_id}"

    @property
    def availability(self) -> str:
        """Whether the bridge is there (`online`, `offline`); retained, and the last will."""
        return f"{self.bridge}/{AVAILABILITY}"

    def state(self, device_id: str) -> str:
        """Return where a device is as it is, as JSON; retained."""
        return f"{self.bridge}/{device_id}/{STATE}"

    def set(self, device_id: str) -> str:
        """Return where settings are changed, as JSON."""
        return f"{self.bridge}/{device_id}/{SET}"

    def reconnect(self, device_id: str) -> str:
        """Return where it is asked to reconnect a device, as JSON."""
        return f"{self.bridge}/{device_id}/{RECONNECT}"

    def answer(self, device_id: str) -> str:
        """Return where it is told what came of a command, as JSON."""
        return f"{self.bridge}/{device_id}/{ANSWER}"

    def event(self, device_id: str) -> str:
        """Return where it is told what has happened to a link, as JSON."""
        return f"{self.bridge}/{device_id}/{EVENT}"

    @property
    def commands(self) -> tuple[str, str]:
        """What the bridge subscribes to, for the commands of all its devices."""
        return f"{self.bridge}/+/{SET}", f"{self.bridge}/+/{RECONNECT}"

    @property
    def birth(self) -> str:
        """Where Home Assistant tells that it has started."""
        return f"{self.discovery_prefix}/status"

    def is_discovery(self, topic: str) -> bool:
        """Whether a topic describes a device to Home Assistant."""
        return topic.startswith(f"{self.discovery_prefix}/device/")

    def discovery(self, object_id: str) -> str:
        """Return where a device is described to Home Assistant; retained."""
        return f"{self.discovery_prefix}/device/{object_id}/config"

    def takes_answers(self, topic: str) -> bool:
        """Whether an answer may be published to a topic that a client has named."""
        return (
            0 < len(topic.encode()) <= LONGEST_TOPIC
            and not set(topic) & set("+#\0")
            and not topic.startswith(f"{self.bridge}/")
        )

    def device_and_command(self, topic: str) -> tuple[str, str] | None:
        """Return the device and the command that a topic is of; None if it is of none."""
        rest = topic.removeprefix(f"{self.bridge}/")
        device_id, _, command = rest.partition("/")
        known = rest != topic and command in (SET, RECONNECT)
        return (device_id, command) if known else None
