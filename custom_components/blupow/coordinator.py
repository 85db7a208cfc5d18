"""One reading per interval becomes a snapshot; what is known about the link is known here."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
import logging
import time
from typing import Final, override

from homeassistant.components import bluetooth
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_ADDRESS, CONF_MODEL, EVENT_HOMEASSISTANT_STOP
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util

from .const import CONF_PROFILE, CONF_UNIT, DOMAIN
from .lib.blupow_ble.errors import ErrorCode, ReaderError
from .lib.blupow_ble.messages import VIRTUAL
from .lib.blupow_ble.profiles import PROFILES
from .lib.blupow_ble.profiles.declaration import Model, RegisterMap, Value
from .lib.blupow_ble.resilience import KNOWN_BLOCK, BlockRecord, ConnectionStatus, connect_timeout
from .lib.blupow_ble.result import Reading
from .readers import Path, PathKind, Reader, ReadPlan
from .readers.in_process import InProcessReader
from .readers.isolated import IsolatedReader
from .readers.path import find_path, virtual_path
from .settings import Settings
from .snapshot import Memory, Snapshot, forget, keep

type BluPowConfigEntry = ConfigEntry[BluPowCoordinator]

_LOGGER = logging.getLogger(__name__)
_BASE_LOGGER = logging.getLogger(f"{__name__}.base")

ADVERT_POLL_PAUSE: Final = 10.0
"""An advertisement of a device that had vanished brings a poll, at most once in so many seconds."""
FIRST_POLL_WAIT: Final = 10.0
"""So long the set-up waits for the first reading; then it comes when it comes."""


class BaseClassLines(logging.Filter):
    """Fits what the base coordinator logs to the story that this one tells, a line per change."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        """Mark a line as one about polling; leave its news of a recovery to us."""
        record.msg = f"[poll] {record.msg}"
        return record.levelno != logging.INFO


_BASE_LOGGER.addFilter(BaseClassLines())


class BluPowCoordinator(DataUpdateCoordinator[Snapshot]):
    """Polls one device and keeps its last reading."""

    config_entry: BluPowConfigEntry

    def __init__(self, hass: HomeAssistant, entry: BluPowConfigEntry) -> None:
        """Prepare to poll the device of an entry."""
        self.settings = Settings.from_options(entry.options)
        super().__init__(
            hass,
            _BASE_LOGGER,
            config_entry=entry,
            name=entry.title,
            update_interval=timedelta(seconds=self.settings.update_interval),
            always_update=True,
        )
        self.address: str = entry.data[CONF_ADDRESS]
        self.profile = PROFILES[entry.data[CONF_PROFILE]]
        model = entry.data.get(CONF_MODEL)
        self.model: Model | None = self.profile.model(model) if model else None
        self.failures = 0
        self.last_error: ReaderError | None = None
        self._unit: int | None = self.settings.unit or entry.data.get(CONF_UNIT)
        self._snapshot: Snapshot | None = None
        self._identity: dict[str, Value] = {}
        self._blocks: dict[str, BlockRecord] = {}
        self._readers: dict[PathKind, Reader] = {}
        self._logged_status: ConnectionStatus | None = None
        self._logged_way: tuple[PathKind, str] | None = None
        self._cancel_ageing: CALLBACK_TYPE | None = None
        self._advert_poll_at = float("-inf")
        self._poll: asyncio.Task[tuple[Path, Reading]] | None = None
        memory = forget(hass, entry.entry_id)
        if memory is not None and memory.model == self.model:
            self._snapshot = memory.snapshot
            self._identity = memory.identity
            self.failures = memory.failures
            self.last_error = memory.last_error
            self._logged_status = self.status

    @property
    def virtual(self) -> bool:
        """Whether the device is the virtual one."""
        return self.address == VIRTUAL

    @property
    def register_map(self) -> RegisterMap:
        """The blocks and fields of the device's model."""
        return self.profile.register_map(self.model)

    @property
    def snapshot(self) -> Snapshot | None:
        """The last fresh reading, whatever its age."""
        return self._snapshot

    @property
    def identity(self) -> dict[str, Value]:
        """What the device said about itself."""
        return self._identity

    @property
    def age(self) -> float | None:
        """Seconds since the last fresh reading; None if there was none."""
        if self._snapshot is None:
            return None
        return time.monotonic() - self._snapshot.taken_at_monotonic

    @property
    def status(self) -> ConnectionStatus:
        """What is known about the link."""
        return self.settings.freshness.status(
            self.age, failing=self.failures > 0, virtual=self.virtual
        )

    @property
    def within_grace(self) -> bool:
        """Whether entities still show the last reading."""
        return self.settings.freshness.available(self.age)

    def value(self, key: str) -> Value | None:
        """Return a value of the last reading; None if that device or that reading has none."""
        if self._snapshot is not None and key in self._snapshot.values:
            return self._snapshot.values[key]
        return self._identity.get(key)

    async def async_start(self) -> None:
        """Begin: listen for the device and take the first reading, without holding up the set-up."""
        entry = self.config_entry
        entry.async_on_unload(
            self.hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, self._on_stop)
        )
        if not self.virtual:
            entry.async_on_unload(
                bluetooth.async_register_advertisement_callback(
                    self.hass, self._on_advertisement, self.address
                )
            )
        first = entry.async_create_background_task(
            self.hass, self.async_refresh(), f"{self.name} first reading"
        )
        await asyncio.wait((first,), timeout=FIRST_POLL_WAIT)

    @callback
    def remember(self) -> None:
        """Keep what is known for the entry's next set-up: other options do not make it untrue."""
        memory = Memory(
            model=self.model,
            snapshot=self._snapshot,
            identity=self._identity,
            failures=self.failures,
            last_error=self.last_error,
        )
        keep(self.hass, self.config_entry.entry_id, memory)

    async def _on_stop(self, _: Event) -> None:
        """Leave no child behind when Home Assistant stops."""
        await self.async_shutdown()

    @override
    async def async_shutdown(self) -> None:
        """Stop polling, also in the middle of a reading; wait until no child and no link is left."""
        await super().async_shutdown()
        if self._poll is not None:
            self._poll.cancel()
            await asyncio.wait((self._poll,))
        if self._cancel_ageing is not None:
            self._cancel_ageing()
            self._cancel_ageing = None
        readers, self._readers = self._readers, {}
        for reader in readers.values():
            await reader.stop()

    @callback
    def _on_advertisement(self, heard: bluetooth.BluetoothServiceInfoBleak) -> None:
        """Poll at once when a device that was not heard is heard again, by who can connect."""
        polling = self._poll is not None and not self._poll.done()
        if polling or not heard.connectable or not self._was_not_heard:
            return
        now = time.monotonic()
        if now - self._advert_poll_at < ADVERT_POLL_PAUSE:
            return
        self._advert_poll_at = now
        # Not begun at once: Home Assistant calls this before it itself knows of the advertisement.
        self.config_entry.async_create_background_task(
            self.hass, self._poll_again(), f"{self.name} heard again", eager_start=False
        )

    @property
    def _was_not_heard(self) -> bool:
        """Whether the last poll failed because the device was not heard."""
        return self.last_error is not None and self.last_error.code is ErrorCode.NOT_ADVERTISING

    async def _poll_again(self) -> None:
        """Poll, unless another poll was faster."""
        if self._was_not_heard:
            await self.async_refresh()

    @override
    async def _async_refresh(
        self,
        log_failures: bool = True,
        raise_on_auth_failed: bool = False,
        scheduled: bool = False,
        raise_on_entry_error: bool = False,
    ) -> None:
        """Refresh; failures are logged here, one line per change of the status."""
        await super()._async_refresh(
            log_failures=False,
            raise_on_auth_failed=raise_on_auth_failed,
            scheduled=scheduled,
            raise_on_entry_error=raise_on_entry_error,
        )

    @callback
    @override
    def _async_refresh_finished(self) -> None:
        """Tell entities of failures in a row too: the base class tells of the first one only."""
        if not self.last_update_success:
            self.async_update_listeners()

    @override
    async def _async_update_data(self) -> Snapshot:
        """Take one reading; when it fails the last one serves for a while."""
        self._poll = asyncio.create_task(self._read(), name=f"{self.name} reading")
        try:
            path, reading = await self._poll
        except ReaderError as err:
            return self._failed(err)
        except Exception as err:
            # a fault of BluPow: the base class logs it, and the status must not hide it
            self._count_failure(ReaderError(ErrorCode.READER_CRASHED, repr(err)))
            raise
        return self._succeeded(path, reading)

    async def _read(self) -> tuple[Path, Reading]:
        """Find the way and take one reading. Raises ReaderError."""
        path = await self._find_path()
        return path, await self._reader(path.kind).read(path, self._plan())

    async def _find_path(self) -> Path:
        if self.virtual:
            return virtual_path()
        return await find_path(self.hass, self.address, self.name, self.settings.path)

    def _reader(self, kind: PathKind) -> Reader:
        """Return the reader for a kind of path."""
        if kind not in self._readers:
            in_process = kind is PathKind.IN_PROCESS
            self._readers[kind] = (InProcessReader if in_process else IsolatedReader)(self.hass)
        return self._readers[kind]

    def _plan(self) -> ReadPlan:
        """Plan a reading: identity blocks until they were read, others unless they rest."""
        now = time.monotonic()
        return ReadPlan(
            profile=self.profile,
            model=self.model,
            unit=self._unit,
            blocks=tuple(
                block.key
                for block in self.register_map.blocks
                if self._blocks.get(block.key, BlockRecord()).due(now)
            ),
            connect_timeout=connect_timeout(self.failures, self.settings.connect_timeout),
        )

    def _succeeded(self, path: Path, reading: Reading) -> Snapshot:
        """Keep a fresh reading."""
        now = time.monotonic()
        self._keep_block_records(reading, now)
        values = dict(reading.values)
        for block in self.register_map.blocks:
            if block.identity:
                for item in self.register_map.fields_of(block):
                    if item.key in values:
                        self._identity[item.key] = values.pop(item.key)
        self._snapshot = Snapshot(
            values=values,
            taken_at=dt_util.utcnow(),
            taken_at_monotonic=now,
            path=path,
            timings=reading.timings,
            failed=reading.failed,
            dropped=tuple(reading.dropped),
            registers=reading.registers,
            attempts=reading.attempts,
        )
        self.failures = 0
        self.last_error = None
        self._log_path(path)
        self._remember(reading)
        self._after_poll()
        return self._snapshot

    def _failed(self, err: ReaderError) -> Snapshot:
        """Count a failure; return the last reading while it serves, else raise UpdateFailed."""
        self._count_failure(err)
        if self._snapshot is not None and self.settings.freshness.serves(self.age):
            self._snapshot = replace(self._snapshot, cached=True)
            return self._snapshot
        raise UpdateFailed(
            translation_domain=DOMAIN,
            translation_key=err.code,
            translation_placeholders={"name": self.name},
        ) from err

    def _count_failure(self, err: ReaderError) -> None:
        """Note that a poll failed, and why."""
        self.failures += 1
        self.last_error = err
        _LOGGER.debug("[poll] %s: failed %s times in a row: %s", self.name, self.failures, err)
        self._after_poll()

    def _keep_block_records(self, reading: Reading, now: float) -> None:
        """Let blocks rest that this device does not answer; identity is asked for once."""
        for block in self.register_map.blocks:
            record = self._blocks.get(block.key, BlockRecord())
            code = reading.failed.get(block.key)
            if block.start in reading.registers:
                self._blocks[block.key] = KNOWN_BLOCK if block.identity else record.after_answer()
            elif code in (ErrorCode.MODBUS_EXCEPTION, ErrorCode.NO_RESPONSE):
                refused = code is ErrorCode.MODBUS_EXCEPTION
                self._blocks[block.key] = record.after_miss(now, refused=refused)

    def _remember(self, reading: Reading) -> None:
        """Keep the unit and the model that were found, over restarts too."""
        entry = self.config_entry
        found: dict[str, str | int] = {}
        if self.settings.unit is None and entry.data.get(CONF_UNIT) != reading.unit:
            found[CONF_UNIT] = reading.unit
        self._unit = self.settings.unit or reading.unit
        new_model = reading.model is not None and self.model is None
        if new_model and reading.model is not None:
            found[CONF_MODEL] = reading.model
        if found:
            self.hass.config_entries.async_update_entry(entry, data={**entry.data, **found})
        if new_model:
            self.hass.config_entries.async_schedule_reload(entry.entry_id)

    def _after_poll(self) -> None:
        """Note a change of the status, and see to it that ageing alone is noted too."""
        self._log_status()
        if self._cancel_ageing is not None:
            self._cancel_ageing()
            self._cancel_ageing = None
        if (age := self.age) is not None:
            change = self.settings.freshness.next_change(age)
            if change is not None:
                self._cancel_ageing = async_call_later(self.hass, change, self._on_aged)

    @callback
    def _on_aged(self, _: datetime) -> None:
        """Note that the last reading got too old to serve, or to be shown."""
        self._cancel_ageing = None
        self._after_poll()
        self.async_update_listeners()

    def _log_path(self, path: Path) -> None:
        """Log one line when readings come another way than before."""
        way = (path.kind, path.source)
        if self._logged_way not in (None, way):
            _LOGGER.info("[path] %s: now read %s: %s", self.name, path.kind, path.reason)
        self._logged_way = way

    def _log_status(self) -> None:
        """Log one line when the status changes."""
        status = self.status
        if status is self._logged_status:
            return
        before, self._logged_status = self._logged_status, status
        reason = self.last_error.message if self.last_error else ""
        match status:
            case ConnectionStatus.CONNECTED | ConnectionStatus.TEST_MODE:
                if before is not None:
                    _LOGGER.info("[poll] %s: fresh readings again (was %s)", self.name, before)
            case ConnectionStatus.OFFLINE:
                _LOGGER.info("[cache] %s: the last reading serves: %s", self.name, reason)
            case ConnectionStatus.DISCONNECTED:
                _LOGGER.info(
                    "[cache] %s: the last reading is too old to serve: %s", self.name, reason
                )
            case ConnectionStatus.LOST:
                _LOGGER.info("[poll] %s: no reading: %s", self.name, reason)
