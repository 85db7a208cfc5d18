"""What end to end tests share: a running Home Assistant, the simulated radio, and what is looked for."""

from typing import Any

from custom_components.blupow.link_sensors import LINK_SENSORS
from simulator.control import ControlClient
from simulator.home_assistant import HomeAssistant

from ..helpers.processes import readers_on
from ..helpers.simulated import INVERTER_ADDRESS, INVERTER_NAME

INTERVAL = 10
CACHE = 25
GRACE = 45
OPTIONS = {
    "update_interval": INTERVAL,
    "connect_timeout": 5,
    "may_be_off": False,
    "cache_time": CACHE,
    "grace_time": GRACE,
    "route": "automatic",
    "heartbeat_interval": 120,
    "stale_age": 300,
    "stale_checks": 3,
    "recovery_limit": 10,
    "notify_on_recovery": False,
    "allow_changes": False,
    "source_dwell": 600,
    "log_file": False,
}
FORBIDDEN_IN_LOG = (
    "was never awaited",
    "Task exception was never retrieved",
    "blocking call",
    "integration 'blupow'",
    "Unexpected error fetching",
)
PREFIX = f"sensor.{INVERTER_NAME.lower()}"
STATUS = f"{PREFIX}_connection_status"
PROBLEM = f"{PREFIX}_problem"
LINK = {description.key for description in LINK_SENSORS}
MODEL = f"{PREFIX}_model"
VOLTAGE = f"{PREFIX}_battery_voltage"


class Scene:
    """Home Assistant, the simulated radio, and what is looked for."""

    def __init__(self, hass: HomeAssistant, radio: ControlClient, bus_address: str) -> None:
        """Begin."""
        self.hass = hass
        self.radio = radio
        self.bus_address = bus_address

    async def entry_id(self) -> str:
        """Return the entry of the inverter."""
        (entry,) = await self.hass.call("config_entries/get", domain="blupow")
        entry_id: str = entry["entry_id"]
        return entry_id

    async def settle(self) -> None:
        """Have some good polls behind it, so that few failures do not stretch the next ones."""
        await self.wait_loaded()
        for _ in range(3):
            await self.hass.act("force_reconnect", config_entry_id=await self.entry_id())

    async def wait_loaded(self) -> None:
        """Wait until the entry is loaded: new options load it again."""

        async def look() -> bool:
            (entry,) = await self.hass.call("config_entries/get", domain="blupow")
            loaded: bool = entry["state"] == "loaded"
            return loaded

        await self.hass.wait_for("the entry", look)

    async def state(self, entity_id: str) -> str:
        """Return a state."""
        state: str = (await self.hass.states())[entity_id]["state"]
        return state

    async def values(self) -> dict[str, str]:
        """Return the states of the measurements."""
        return {
            entity_id: state["state"]
            for entity_id, state in (await self.hass.states()).items()
            if entity_id.startswith(PREFIX)
            and state["attributes"].get("state_class") == "measurement"
            and entity_id.removeprefix(f"{PREFIX}_") not in LINK
        }

    async def connects(self) -> int:
        """Return how often the inverter was connected."""
        state = await self.radio.state()
        number: int = state["devices"][INVERTER_ADDRESS]["counts"]["links"]
        return number

    async def wait_state(self, entity_id: str, wanted: str, limit: float = 60) -> dict[str, Any]:
        """Wait for a state, and return it whole."""

        async def look() -> dict[str, Any] | None:
            state = (await self.hass.states()).get(entity_id)
            return state if state is not None and state["state"] == wanted else None

        seen: dict[str, Any] = await self.hass.wait_for(f"{entity_id} {wanted}", look, limit)
        return seen

    async def last_reading(self) -> str | None:
        """Return the time of the last fresh reading."""
        await self.wait_loaded()
        answer = await self.hass.act("health_check", config_entry_id=await self.entry_id())
        last: str | None = answer["last_reading"]
        return last

    async def wait_fresh(self, limit: float = 60, since: str | None = None) -> None:
        """Wait for a reading that is newer than the last one, or than one that is given."""
        before = since or await self.last_reading()

        async def look() -> bool:
            new = await self.last_reading() != before
            return new and await self.state(STATUS) == "connected"

        await self.hass.wait_for("a fresh reading", look, limit)

    async def wait_nothing_left(self) -> None:
        """Wait until neither a reader process nor a link is there."""

        async def look() -> bool:
            return not readers_on(self.bus_address) and not await self.radio.links()

        await self.hass.wait_for("no process and no link", look, 30)


async def one_reader(scene: Scene) -> int | None:
    """Return the reader process in whose reading the device is connected."""
    running = readers_on(scene.bus_address)
    links = (await scene.radio.state())["links"]
    return running[0] if running and links else None


async def discovered_and_added(scene: Scene) -> None:
    """Home Assistant finds the inverter, and the user adds it."""
    flow = await scene.hass.discovered()
    assert flow["context"]["unique_id"] == INVERTER_ADDRESS
    assert flow["context"]["title_placeholders"] == {"name": INVERTER_NAME}
    result = await scene.hass.answer_flow(flow["flow_id"], {})
    assert result["type"] == "create_entry"
    assert result["title"] == INVERTER_NAME
    await scene.wait_state(STATUS, "connected")


def check_log(log: str, most_lines: int, least: int = 1) -> list[str]:
    """Check that nothing went wrong unseen and nothing was said too often; return our lines."""
    for text in FORBIDDEN_IN_LOG:
        assert text not in log
    ours = [line for line in log.splitlines() if "custom_components.blupow" in line]
    assert not [
        line
        for line in ours
        if " ERROR " in line or (" WARNING " in line and "not been tested" not in line)
    ]
    # one line a transition, each of a kind
    lines = [line.split("] ", 1)[1] for line in ours if " INFO " in line]
    assert len(lines) >= least
    assert all(line.startswith("[") for line in lines)
    assert len(lines) < most_lines
    return lines
