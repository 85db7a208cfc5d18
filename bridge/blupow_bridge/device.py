"""One device of a bridge: its supervisor, what is pushed of it, and what is kept of it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
import json
import logging
from pathlib import Path
import secrets
from typing import Any, Final, Protocol

from blupow_ble.bridge_messages import (
    DeviceDescription,
    MessageType,
    UnitDescription,
    device_message,
    failure_message,
    reading_message,
    state_message,
)
from blupow_ble.reader.messages import Message
from blupow_ble.reader.plan import FindPlan, ReadPlan, WritePlan
from blupow_ble.reader.result import Finding, Reading, UnitReading, WriteReport
from blupow_ble.reader.route import Route
from blupow_ble.supervisor import kept_state
from blupow_ble.supervisor.link_state import LinkState, Poll, continued
from blupow_ble.supervisor.protocols import LinkEvent, Reader, ScheduleEvent
from blupow_ble.supervisor.supervisor import Supervisor
from blupow_ble.supervisor.unit_state import UnitState

from .clock import LoopClock
from .config import DeviceConfig
from .files import write_whole
from .radio import Radio
from .reader import DeviceReader, RadioRemedies

_LOGGER = logging.getLogger(__name__)

STATE_VERSION: Final = 1


class DeviceListener(Protocol):
    """Who is told of a device."""

    def publish(self, kind: MessageType, message: Message) -> None:
        """Tell the clients."""

    def reading_taken(self, device: BridgeDevice) -> None:
        """Store a fresh reading."""

    def model_named(self, device: BridgeDevice) -> None:
        """Take note that it has named its model for the first time, which changes what is read."""

    def changed(self, device: BridgeDevice) -> None:
        """Take note that something is known anew of it, or is too old to be shown any more."""

    def happened(self, device: BridgeDevice, event: LinkEvent, facts: Message) -> None:
        """Take note of what has happened to its link."""


@dataclass(slots=True)
class LastReading:
    """Keeps the reading that a reader took last, beside handing it on."""

    reader: Reader
    reading: Reading | None = None
    instance: str = field(default_factory=lambda: secrets.token_hex(8))
    count: int = 0

    def go_on_from(self, before: LastReading) -> None:
        """Take over the last reading of a reader that has stopped."""
        self.reading, self.instance, self.count = before.reading, before.instance, before.count

    @property
    def id(self) -> str:
        """What the last reading is told from others by."""
        return f"{self.instance}-{self.count}"

    async def read(self, plan: ReadPlan, *, elsewhere: bool = False) -> tuple[Route, Reading]:
        """Take one reading; return it with its route. Raises ReaderError."""
        route, reading = await self.reader.read(plan, elsewhere=elsewhere)
        if not plan.spans:
            self.reading = reading
            self.count += 1
        return route, reading

    async def write(self, plan: WritePlan) -> WriteReport:
        """Change settings. Raises ReaderError."""
        return await self.reader.write(plan)

    async def find(self, plan: FindPlan) -> list[Finding]:
        """Find units. Raises ReaderError."""
        return await self.reader.find(plan)

    async def stop(self) -> None:
        """Wait until neither a process nor a link is left."""
        await self.reader.stop()


class BridgeDevice:
    """One device: read by a supervisor, told to clients, written to the store."""

    def __init__(
        self,
        config: DeviceConfig,
        *,
        radio: Radio,
        clock: LoopClock,
        folder: Path,
        listener: DeviceListener,
        before: BridgeDevice | None = None,
    ) -> None:
        """Prepare to read a device; `before` is the same one with other options, which has stopped."""
        self.config: Final = config
        self._path = folder / f"{config.id}.json"
        self._stored = _load(self._path)
        self.description: Final = _learned(config.description, self._stored.get("learned", {}))
        self.found: tuple[Finding, ...] = ()
        """Units behind the module that are not set up."""
        self._radio = radio
        self._listener = listener
        self._clock = clock
        self._told_state: Message = {}
        address = self.description.address
        self._reader = LastReading(DeviceReader(radio, address, config.name))
        units = [unit.state() for unit in self.description.units]
        kept = None if before is None else before.supervisor.link
        link = continued(kept, units, name=config.name, now=clock.monotonic())
        if kept is None and "link" in self._stored:
            self._restore(link)
        self._polled_at = clock.monotonic()
        if before is not None and link is kept:
            self._polled_at = before.hand_over(self._reader)
        self._poll: Poll | None = link.polls[-1] if link.polls else None
        """The last poll that was told."""
        self.supervisor: Final[Supervisor] = Supervisor(
            link=link,
            options=config.options,
            clock=clock,
            reader=self._reader,
            remedies=None if config.virtual else RadioRemedies(radio, address),
            listener=self,
            virtual=config.virtual,
        )
        self._end_listening: Callable[[], None] = lambda: None

    @property
    def id(self) -> str:
        """What it is called in addresses of the web server."""
        return self.config.id

    def start(self, delay: float = 0.0) -> None:
        """Begin to read it, after a delay in seconds."""
        if not self.config.virtual:
            self._end_listening = self._radio.listen(
                self.description.address, self.supervisor.heard
            )
        self.supervisor.start(delay)

    async def stop(self) -> None:
        """Stop; neither a process nor a link is left."""
        self._end_listening()
        await self.supervisor.stop()
        await self.save()

    def hand_over(self, reader: LastReading) -> float:
        """Give the last reading to the reader of the same device; return when it was polled last."""
        reader.go_on_from(self._reader)
        return self._polled_at

    @property
    def status(self) -> str:
        """How the link is."""
        return self.supervisor.health.status.value

    @property
    def settled(self) -> bool:
        """Whether it has been read since the start, or has been told as lost."""
        return self.supervisor.link.snapshot is not None or self.supervisor.health.lost

    @property
    def state(self) -> Message:
        """What is known of its link."""
        rssi = None if self.config.virtual else self._radio.rssi(self.description.address)
        return state_message(self.supervisor.link, self.status, rssi)

    @property
    def report(self) -> Message:
        """The device as clients get it: what it is, how it is, its last reading with its age."""
        link, now = self.supervisor.link, self._clock.monotonic()
        reading = failure = None
        if link.snapshot is not None and self._reader.reading is not None:
            age = now - link.snapshot.taken_at_monotonic
            source, seconds = link.snapshot.route.source, link.last_duration or 0.0
            whole = _with_known(self._reader.reading, self.supervisor.units, now)
            reading = reading_message(replace(whole, age=age), self._reader.id, source, seconds)
        if link.polls and (error := link.polls[-1].error) is not None:
            failure = failure_message(error, link.polls[-1].seconds, now - self._polled_at)
        return {
            **device_message(self.description),
            "state": self.state,
            "reading": reading,
            "failure": failure,
        }

    # The supervisor's listener

    def updated(self) -> None:
        """Tell the clients of a poll, or of another change."""
        link = self.supervisor.link
        poll = link.polls[-1] if link.polls else None
        state = self.state
        message: Message = {"device": self.id, "state": state}
        if poll is None or poll is self._poll:
            if state != self._told_state:
                self._listener.publish(MessageType.STATE, message)
        else:
            self._polled_at = self._clock.monotonic()
            self._tell_poll(poll, message)
        self._poll, self._told_state = poll, state
        self._listener.changed(self)

    def _tell_poll(self, poll: Poll, message: Message) -> None:
        """Tell the clients of a poll."""
        if poll.error is not None:
            message["failure"] = failure_message(poll.error, poll.seconds, 0.0)
            self._listener.publish(MessageType.FAILURE, message)
        else:
            snapshot = self.supervisor.link.snapshot
            assert snapshot is not None
            assert self._reader.reading is not None
            source = snapshot.route.source
            message["reading"] = reading_message(
                self._reader.reading, self._reader.id, source, poll.seconds
            )
            self._listener.publish(MessageType.READING, message)
            self._listener.reading_taken(self)

    def event(self, event: LinkEvent, facts: dict[str, Any]) -> None:
        """Tell the clients what has happened to the link."""
        message = {"device": self.id, "state": self.state, "event": event.value, "facts": facts}
        self._listener.publish(MessageType.EVENT, message)
        self._listener.happened(self, event, facts)

    def schedule_event(self, unit: UnitState, event: ScheduleEvent, facts: dict[str, Any]) -> None:
        """Do nothing: a bridge keeps no schedules, Home Assistant carries them out."""

    def unit_read(self, unit: UnitState, reading: UnitReading) -> None:
        """Remember what a unit has said of itself."""
        learned: dict[str, Any] = self._stored.setdefault("learned", {})
        known = learned.get(unit.key, {})
        model = unit.named_model(reading) if unit.model is None else unit.model.key
        learned[unit.key] = {"unit_id": reading.unit_id, "model": model}
        if model is not None and unit.model is None and known.get("model") != model:
            self._listener.model_named(self)

    def units_found(self, found: Sequence[Finding]) -> None:
        """Note units that are not set up, each once."""
        known = {finding.unit_id for finding in self.found}
        for finding in found:
            if finding.unit_id not in known:
                name = finding.model_text or finding.profile
                _LOGGER.info(
                    "[poll] %s: unit %s answers too (%s); to read it, add to the device: "
                    '[[devices.units]] unit_id = %s, profile = "%s"',
                    self.config.name,
                    finding.unit_id,
                    name,
                    finding.unit_id,
                    finding.profile,
                )
                self.found = (*self.found, finding)

    # What is kept

    async def save(self) -> None:
        """Keep what is known, now; a failure to write is logged."""
        self._stored["version"] = STATE_VERSION
        self._stored["link"] = kept_state.stored(self.supervisor.link)
        content = json.dumps(self._stored, allow_nan=False)
        try:
            await asyncio.to_thread(write_whole, self._path, content)
        except OSError as err:
            _LOGGER.warning(
                "[cache] %s: %s could not be written: %s",
                self.config.name,
                self._path,
                err.strerror or err,
            )

    def _restore(self, link: LinkState) -> None:
        try:
            kept_state.restore(link, self._stored["link"])
        except kept_state.MALFORMED as err:
            _LOGGER.warning(
                "[cache] %s: what was kept of it cannot be read (%r); counters and energies begin anew",
                self.config.name,
                err,
            )


def _with_known(reading: Reading, units: Sequence[UnitState], now: float) -> Reading:
    """Return the last reading with what only earlier ones held: what units are, and their settings.

    Both are read seldom; a client that comes now would not know them for long.
    """
    found = dict(reading.units)
    for unit in units:
        if (of_unit := found.get(unit.key)) is not None:
            found[unit.key] = replace(
                of_unit,
                values=unit.identity | of_unit.values,
                registers=unit.settings.known_spans(now) | of_unit.registers,
            )
    return replace(reading, units=found)


def _learned(
    description: DeviceDescription, learned: Mapping[str, Mapping[str, Any]]
) -> DeviceDescription:
    """Return a device with what its units have said of themselves, where the configuration is silent."""
    return replace(
        description, units=tuple(_learned_unit(unit, learned) for unit in description.units)
    )


def _learned_unit(
    unit: UnitDescription, learned: Mapping[str, Mapping[str, Any]]
) -> UnitDescription:
    known = learned.get(unit.key, {})
    models = {model.key: model for model in unit.profile.models}
    model = unit.model or models.get(str(known.get("model")))
    unit_id = known.get("unit_id") if unit.unit_id is None else unit.unit_id
    return replace(unit, model=model, unit_id=unit_id if isinstance(unit_id, int) else None)


def _load(path: Path) -> dict[str, Any]:
    """Return what was kept of a device; nothing where the file cannot be understood."""
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as err:
        _LOGGER.warning("[cache] %s cannot be read (%s) and is begun anew", path, err)
        return {}
    known = isinstance(found, dict) and found.get("version") == STATE_VERSION
    return found if known and isinstance(found.get("learned", {}), dict) else {}
