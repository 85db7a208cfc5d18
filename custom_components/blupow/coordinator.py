"""One reading per interval becomes a snapshot; what is known about the link is known here."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
import logging
import time
from typing import Any, Final, override

from homeassistant.components import bluetooth
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util

from . import events
from .const import DOMAIN
from .errors import Interrupted
from .events import LinkEvent
from .journal import Journal, Topic
from .lib.blupow_ble.errors import ErrorCode, ReaderError, Stage
from .lib.blupow_ble.plan import OWN_UNIT
from .lib.blupow_ble.profiles.declaration import Span
from .lib.blupow_ble.resilience import CIRCUIT_INTERVAL, CircuitBreaker, ConnectionStatus, Rung
from .lib.blupow_ble.result import Finding, Reading, UnitReading
from .link_state import LinkState, Poll, forget
from .poller import Poller
from .readers import Path
from .readers.turns import start_delay
from .settings import Settings
from .snapshot import Snapshot
from .units import UnitState, units_of

_BASE_LOGGER = logging.getLogger(f"{__name__}.base")

ADVERT_POLL_PAUSE: Final = 10.0
"""An advertisement of a device that had vanished brings a poll, at most once in so many seconds."""
SILENT_TIME: Final = 30.0
"""An advertisement after so many seconds without one tells that the device is back."""
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


def _same(before: UnitState | None, unit: UnitState) -> bool:
    """Whether what is known of a unit is true of it as it is set up now."""
    return before is not None and (before.profile, before.model) == (unit.profile, unit.model)


class BluPowCoordinator(DataUpdateCoordinator[Snapshot]):
    """Polls one device and keeps its last reading. One thing at a time is done with the device."""

    config_entry: ConfigEntry

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
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
        units = units_of(entry, self.settings.unit)
        kept = forget(hass, entry.entry_id)
        if kept is None or not _same(kept.units.get(OWN_UNIT), units[0]):
            kept = LinkState(journal=Journal(self.name))
        self.link = kept
        known, kept.units = kept.units, {}
        for unit in units:
            if (before := known.get(unit.key)) is not None and _same(before, unit):
                before.unit = unit.unit
                unit = before
            kept.units[unit.key] = unit
        self.units: Final = list(kept.units.values())
        """The entry's own first."""
        self._poller = Poller(hass, entry, self.settings, self.name, self.units)
        self.address = self._poller.address
        self.link.journal.name = self.name
        self._set_breaker(kept.breaker)
        self.fresh_readings = 0
        """Since the set-up."""
        self._started = time.monotonic()
        self._flight = asyncio.Lock()
        self._rung: Rung | None = None
        self._task: asyncio.Task[Any] | None = None
        self._cancel_ageing: CALLBACK_TYPE | None = None
        self._advert_poll_at = float("-inf")
        self._heard_again = False

    @property
    def virtual(self) -> bool:
        """Whether the device is the virtual one."""
        return self._poller.virtual

    @property
    def own(self) -> UnitState:
        """The unit that the entry was made for."""
        return self.units[0]

    @property
    def age(self) -> float | None:
        """Seconds since the last fresh reading; None if there was none."""
        if self.link.snapshot is None:
            return None
        return time.monotonic() - self.link.snapshot.taken_at_monotonic

    @property
    def silence(self) -> float:
        """Seconds since the last fresh reading, or since the set-up if there was none."""
        age = self.age
        return time.monotonic() - self._started if age is None else age

    @property
    def status(self) -> ConnectionStatus:
        """What is known about the link."""
        return self.settings.freshness.status(
            self.age, failing=self.link.failures > 0, virtual=self.virtual
        )

    @property
    def within_grace(self) -> bool:
        """Whether entities still show the last reading of one unit at least."""
        return self.settings.freshness.available(self.age)

    def shows(self, unit: UnitState) -> bool:
        """Whether entities still show the last reading of a unit."""
        return self.settings.freshness.available(unit.age(time.monotonic()))

    @property
    def connect_timeout(self) -> float:
        """Seconds that the next connection may take."""
        return self._poller.connect_timeout(self.link.failures)

    def ways(self) -> list[dict[str, Any]]:
        """Return what is known of each adapter and proxy that hears the device."""
        return self._poller.reader.report()

    @property
    def why_no_process(self) -> str | None:
        """Why the device is read in-process where a process of its own would do it; None: it is not."""
        if (snapshot := self.link.snapshot) is None:
            return None
        served = self.virtual or snapshot.path.device.path is not None
        return self._poller.reader.why_no_process if served else None

    @callback
    def try_process(self) -> None:
        """Start a reader process again with the next reading: what kept it from starting is mended."""
        self._poller.reader.try_process()

    @property
    def rssi(self) -> int | None:
        """Signal strength of the last advertisement that Home Assistant has heard; None if none was."""
        heard = bluetooth.async_last_service_info(self.hass, self.address, connectable=True)
        return heard.rssi if heard else None

    async def async_start(self) -> None:
        """Begin: listen for the device and take the first reading, without holding up the set-up."""
        entry = self.config_entry
        if not self.virtual:
            entry.async_on_unload(
                bluetooth.async_register_advertisement_callback(
                    self.hass, self._on_advertisement, self.address
                )
            )
        self._after_poll()
        first = entry.async_create_background_task(
            self.hass, self._first_reading(start_delay(self.hass)), f"{self.name} first reading"
        )
        await asyncio.wait((first,), timeout=FIRST_POLL_WAIT)

    async def _first_reading(self, delay: float) -> None:
        """Take the first reading, after those of other devices that start at the same time."""
        if delay:
            await asyncio.sleep(delay)
        await self.async_refresh()

    @override
    async def async_shutdown(self) -> None:
        """Stop polling, also in the middle of a reading; wait until no child and no link is left."""
        await super().async_shutdown()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
        if self._cancel_ageing is not None:
            self._cancel_ageing()
            self._cancel_ageing = None
        await self._poller.stop()

    async def async_reconnect(self, rung: Rung, since: int) -> bool:
        """Take a reading by a rung of the ladder; return whether it came.

        A poll that is under way is ended: it may be what hangs. Nothing is done when another poll
        has brought a fresh reading since the recovery began, when there were `since`.
        """
        if self._rung is None and self._task is not None:
            self._task.cancel()
        async with self._flight:
            if self.fresh_readings != since:
                return False
            self._rung = rung
            try:
                await super()._async_refresh(log_failures=False)
            finally:
                self._rung = None
            return self.fresh_readings != since

    async def async_read_registers(self, spans: Sequence[Span], unit: UnitState) -> UnitReading:
        """Read registers of a unit by number, after a poll that is under way. Raises ReaderError."""
        async with self._flight:
            if self._shutdown_requested:
                raise Interrupted
            work = self._poller.read_spans(self.link.failures, tuple(spans), unit)
            reading: Reading = await self._fly(work)
            return reading.main

    async def async_find_units(self, addresses: tuple[int, ...] = ()) -> list[Finding]:
        """Find all units behind the module, after a poll that is under way. Raises ReaderError.

        Those at `addresses` are asked first, beside all usual ones.
        """
        async with self._flight:
            if self._shutdown_requested:
                raise Interrupted
            found: list[Finding] = await self._fly(self._poller.find_units(addresses))
            return found

    async def _fly(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Have something done with the device, so that it can be ended from outside."""
        self._task = asyncio.create_task(work, name=f"{self.name} reading")
        self._heard_again = False
        try:
            return await self._task
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise Interrupted from None
        finally:
            # a device that is connected, or being connected, is silent
            self.link.heard_at = max(self.link.heard_at, time.monotonic())

    @callback
    def _on_advertisement(self, heard: bluetooth.BluetoothServiceInfoBleak) -> None:
        """Poll at once when a device that was not heard is heard again, by who can connect."""
        if not heard.connectable:
            return
        now = time.monotonic()
        self._heard_again = self._heard_again or now - self.link.heard_at >= SILENT_TIME
        self.link.heard_at = now
        if self._flight.locked() or not self._is_back:
            return
        if now - self._advert_poll_at < ADVERT_POLL_PAUSE:
            return
        self._advert_poll_at = now
        # Not begun at once: Home Assistant calls this before it itself knows of the advertisement.
        self.config_entry.async_create_background_task(
            self.hass, self._poll_again(), f"{self.name} heard again", eager_start=False
        )

    @property
    def _is_back(self) -> bool:
        """Whether the last poll failed, and the device was heard again after a silence since."""
        error = self.link.last_error
        if error is None:
            return False
        unheard = (ErrorCode.NOT_ADVERTISING, ErrorCode.ADAPTER_UNAVAILABLE)
        nobody_heard_it = error.code in unheard and error.stage is Stage.START
        return nobody_heard_it or self._heard_again

    async def _poll_again(self) -> None:
        """Poll, unless another poll was faster."""
        if self._is_back:
            await self.async_refresh()

    @override
    async def _async_refresh(
        self,
        log_failures: bool = True,
        raise_on_auth_failed: bool = False,
        scheduled: bool = False,
        raise_on_entry_error: bool = False,
    ) -> None:
        """Refresh when nothing else is done with the device; failures are logged here, not there."""
        if scheduled and self._flight.locked() and not self._shutdown_requested:
            self._schedule_refresh()
            return
        async with self._flight:
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
        started = time.monotonic()
        try:
            path, reading = await self._fly(self._poller.read(self.link.failures, self._rung))
        except Interrupted as err:
            return self._stand_in(err)
        except ReaderError as err:
            self._failed(err, started)
            return self._stand_in(err)
        except Exception as err:
            # a fault of BluPow: the base class logs it, and the status must not hide it
            self._failed(ReaderError(ErrorCode.READER_CRASHED, repr(err)), started)
            raise
        return self._succeeded(path, reading, started)

    def _succeeded(self, path: Path, reading: Reading, started: float) -> Snapshot:
        """Keep a fresh reading."""
        link, now, silence = self.link, time.monotonic(), self.silence
        for unit in self.units:
            self._keep_unit(unit, reading, now)
        before = link.snapshot.path if link.snapshot else path
        if (before.kind, before.source) != (path.kind, path.source):
            link.journal.note(Topic.PATH, f"now read {path.kind}: {path.reason}")
        link.snapshot = Snapshot(
            taken_at=dt_util.utcnow(),
            taken_at_monotonic=now,
            path=path,
            timings=reading.timings,
            attempts=reading.attempts,
        )
        self.fresh_readings += 1
        link.failures = 0
        link.last_error = None
        link.polls.append(Poll(at=dt_util.utcnow(), seconds=now - started))
        self._set_breaker(link.breaker.after(True))
        if link.told_lost:
            link.told_lost = False
            self._fire(LinkEvent.CONNECTION_RESTORED, {"outage": round(silence)})
        self._after_poll()
        return link.snapshot

    def _keep_unit(self, unit: UnitState, reading: Reading, now: float) -> None:
        """Keep what a reading brought of one unit, and tell when it falls silent or answers again."""
        told = reading.units.get(unit.key)
        before = unit.silent
        another = told is not None and len(self.units) > 1 and unit.is_another(told)
        if told is not None and not another:
            unit.keep(told, dt_util.utcnow(), now)
            if before is not None:
                self.link.journal.note(Topic.POLL, f"unit {unit.unit} answers again")
            return
        unit.verified = False
        unit.silent = reading.silent.get(unit.key, ErrorCode.WRONG_UNIT)
        if another and before is not ErrorCode.WRONG_UNIT:
            text = f"unit {unit.unit} has another serial number now: find units again"
            self.link.journal.note(Topic.POLL, text)
        elif before is None:
            text = f"unit {unit.unit} does not answer while others do: {unit.silent}"
            self.link.journal.note(Topic.POLL, text)

    def _failed(self, err: ReaderError, started: float) -> None:
        """Note that a poll failed, and why."""
        link = self.link
        link.failures += 1
        link.last_error = err
        for unit in self.units:
            unit.verified = False  # what is behind the module may be plugged in differently now
        seconds = time.monotonic() - started
        link.polls.append(Poll(at=dt_util.utcnow(), seconds=seconds, error=err))
        link.journal.detail(Topic.POLL, f"failed {link.failures} times in a row: {err}")
        breaker = link.breaker.after(False)
        if not link.breaker.open and self._poller.reader.has_another_way:
            breaker = CircuitBreaker()  # of another way the failures so far tell nothing
        self._set_breaker(breaker)
        self._after_poll()

    def _stand_in(self, err: ReaderError) -> Snapshot:
        """Return the last reading while it serves, else raise UpdateFailed."""
        snapshot = self.link.snapshot
        if snapshot is not None and self.settings.freshness.serves(self.age):
            self.link.snapshot = replace(snapshot, cached=True)
            return self.link.snapshot
        raise UpdateFailed(
            translation_domain=DOMAIN,
            translation_key=err.code,
            translation_placeholders={"name": self.name},
        ) from err

    def _set_breaker(self, breaker: CircuitBreaker) -> None:
        """Set the pace of the polls."""
        if breaker.open and not self.link.breaker.open:
            text = f"nearly none succeeds: every {CIRCUIT_INTERVAL:g} s until one does"
            self.link.journal.note(Topic.POLL, text)
        self.link.breaker = breaker
        interval = breaker.interval(self.settings.update_interval)
        self.update_interval = timedelta(seconds=interval)

    def _after_poll(self) -> None:
        """Note a change of the status, and see to it that ageing alone is noted too."""
        self._tell_status()
        freshness, silence = self.settings.freshness, self.silence
        if self.link.polls:  # before the first one is over there is nothing to miss
            self.link.availability = self.link.availability.noted(
                time.monotonic(), available=self.within_grace
            )
        if not freshness.available(silence) and not self.link.told_lost:
            self.link.told_lost = True
            error = self.link.last_error
            facts = {"problem": error.code.value if error else None, "silence": round(silence)}
            self._fire(LinkEvent.CONNECTION_LOST, facts | {"failures": self.link.failures})
        if self._cancel_ageing is not None:
            self._cancel_ageing()
            self._cancel_ageing = None
        now = time.monotonic()
        ages = [silence, *(age for unit in self.units if (age := unit.age(now)) is not None)]
        changes = [change for age in ages if (change := freshness.next_change(age)) is not None]
        if (change := min(changes, default=None)) is not None:
            self._cancel_ageing = async_call_later(self.hass, change, self._on_aged)

    @callback
    def _on_aged(self, _: datetime) -> None:
        """Note that the last reading got too old to serve, or to be shown."""
        self._cancel_ageing = None
        self._after_poll()
        if self.link.last_error is not None and not self.settings.freshness.serves(self.age):
            self.last_update_success = False
        self.async_update_listeners()

    def _fire(self, event: LinkEvent, facts: dict[str, Any]) -> None:
        events.fire(self.hass, self.config_entry, event, facts)

    def _tell_status(self) -> None:
        """Tell of a change of the status."""
        link, status = self.link, self.status
        never_polled = not link.polls and link.snapshot is None
        if status is link.told_status or never_polled:
            return
        before, link.told_status = link.told_status, status
        reason = link.last_error.message if link.last_error else "nothing polls"
        match status:
            case ConnectionStatus.CONNECTED | ConnectionStatus.TEST_MODE:
                if before is not None:
                    link.journal.note(Topic.POLL, f"fresh readings again (was {before})")
            case ConnectionStatus.OFFLINE:
                link.journal.note(Topic.CACHE, f"the last reading serves: {reason}")
            case ConnectionStatus.DISCONNECTED:
                text = f"the last reading is too old to serve: {reason}"
                link.journal.note(Topic.CACHE, text)
            case ConnectionStatus.LOST:
                link.journal.note(Topic.POLL, f"no reading: {reason}")
