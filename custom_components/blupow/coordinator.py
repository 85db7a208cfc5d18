"""One reading per interval becomes a snapshot; what is known about the link is known here."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
import logging
import time
from typing import TYPE_CHECKING, Any, Final, override

from homeassistant.components import bluetooth
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util

from . import events
from .bluetooth import Path
from .bluetooth.connection_locks import start_delay
from .bluetooth.recovery import wait_connectable
from .connection_log import ConnectionLog, Topic
from .const import DOMAIN
from .events import LinkEvent
from .exceptions import Interrupted, placeholders
from .lib.blupow_ble.profiles.declaration import Span
from .lib.blupow_ble.protocol.errors import ErrorCode, ReaderError, Stage
from .lib.blupow_ble.reader.plan import OWN_UNIT
from .lib.blupow_ble.reader.result import Finding, Reading, UnitReading
from .lib.blupow_ble.supervisor.policies import ConnectionStatus, Freshness, RecoveryStep
from .link_state import LinkState, Poll, forget
from .options import Options
from .poller import Poller
from .snapshot import Snapshot
from .unit_search import offer_unit
from .units import UnitState, new_units, units_of

if TYPE_CHECKING:
    from .runtime import BluPowConfigEntry

_LOGGER = logging.getLogger(__name__)
_BASE_LOGGER = logging.getLogger(f"{__name__}.base")

ADVERT_POLL_PAUSE: Final = 10.0
"""An advertisement of a device that had vanished brings a poll, at most once in so many seconds."""
UNHEARD_TIME: Final = 30.0
"""An advertisement after so many seconds without one tells that the device is back."""


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

    config_entry: BluPowConfigEntry

    def __init__(self, hass: HomeAssistant, entry: BluPowConfigEntry) -> None:
        """Prepare to poll the device of an entry."""
        self.settings = Options.from_options(entry.options)
        units = units_of(entry, self.settings.unit_id)
        kept = forget(hass, entry.entry_id)
        if kept is None or not _same(kept.units.get(OWN_UNIT), units[0]):
            kept = LinkState(log=ConnectionLog(entry.title), since=time.monotonic())
        self.link = kept
        known, kept.units = kept.units, {}
        for unit in units:
            if (before := known.get(unit.key)) is not None and _same(before, unit):
                before.unit_id = unit.unit_id
                unit = before
            kept.units[unit.key] = unit
        self.units: Final = list(kept.units.values())
        """The entry's own first."""
        self.freshness: Final[Freshness] = self.settings.freshness(
            polling=not entry.pref_disable_polling
        )
        for unit in self.units:
            unit.grace = self.freshness.grace
        self._poller = Poller(hass, entry, self.settings, entry.title, self.units)
        self.address = self._poller.address
        self.link.log.name = entry.title
        self.fresh_readings = 0
        """Since the set-up."""
        self._fault: str | None = None
        """A fault of BluPow's own that was logged already."""
        self._exclusive = asyncio.Lock()
        self._rung: RecoveryStep | None = None
        self._task: asyncio.Task[Any] | None = None
        self._cancel_ageing: CALLBACK_TYPE | None = None
        self._advert_poll_at = float("-inf")
        self._heard_again = False
        # last: from here on the entry shuts the coordinator down when its set-up fails
        super().__init__(
            hass,
            _BASE_LOGGER,
            config_entry=entry,
            name=entry.title,
            update_interval=timedelta(seconds=self.settings.update_interval),
            always_update=True,
        )
        self._set_pace()

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
        """Seconds since the last fresh reading, also one from before a restart; None if there was none."""
        return None if self.link.fresh_at is None else time.monotonic() - self.link.fresh_at

    @property
    def silence(self) -> float:
        """Seconds that a fresh reading is overdue: since the last one, the start, or an excused absence."""
        link = self.link
        fresh_at = link.since if link.fresh_at is None else link.fresh_at
        return time.monotonic() - max(link.since, link.excused_until, fresh_at)

    @property
    def excused(self) -> bool:
        """Whether the device is not heard, and may be: the user switches it off at times."""
        error = self.link.last_error
        unheard = error is not None and error.code is ErrorCode.NOT_ADVERTISING
        return unheard and self.settings.may_be_off

    @property
    def status(self) -> ConnectionStatus:
        """What is known about the link."""
        if self.excused:
            return ConnectionStatus.NOT_HEARD
        failing = self.link.failures > 0 or self.link.snapshot is None
        return self.freshness.status(self.age, failing=failing, virtual=self.virtual)

    @property
    def within_grace(self) -> bool:
        """Whether entities still show the last reading of one unit at least."""
        return self.freshness.available(self.age)

    def shows(self, unit: UnitState) -> bool:
        """Whether entities still show the last reading of a unit."""
        return self.freshness.available(unit.age(time.monotonic()))

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

    @callback
    def async_start(self) -> None:
        """Begin: listen for the device and have the first reading taken.

        The set-up of the entry does not wait for it: whoever goes away meanwhile would cancel that.
        """
        entry = self.config_entry
        if not self.virtual:
            entry.async_on_unload(
                bluetooth.async_register_advertisement_callback(
                    self.hass, self._on_advertisement, self.address
                )
            )
        self._announce()
        entry.async_create_background_task(
            self.hass, self._first_reading(start_delay(self.hass)), f"{self.name} first reading"
        )

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

    async def async_reconnect(self, step: RecoveryStep, since: int) -> bool:
        """Take a reading by a step of the ladder; return whether it came.

        A poll that is under way is ended: it may be what hangs. Nothing is done when another poll
        has brought a fresh reading since the recovery began, when there were `since`.
        """
        if self._rung is None and self._task is not None:
            self._task.cancel()
        async with self._exclusive:
            if self.fresh_readings != since:
                return False
            self._rung = step
            try:
                await super()._async_refresh(log_failures=False)
            finally:
                self._rung = None
            return self.fresh_readings != since

    async def async_read_registers(self, spans: Sequence[Span], unit: UnitState) -> UnitReading:
        """Read registers of a unit by number, after a poll that is under way. Raises ReaderError."""
        async with self._exclusive:
            if self._shutdown_requested:
                raise Interrupted
            work = self._poller.read_spans(self.link.failures, tuple(spans), unit)
            reading: Reading = await self._run_job(work)
            self.link.answered_at = time.monotonic()
            return reading.main

    async def async_find_units(self, addresses: tuple[int, ...] = ()) -> list[Finding]:
        """Find all units behind the module, after a poll that is under way. Raises ReaderError.

        Those at `addresses` are asked first, beside all usual ones.
        """
        async with self._exclusive:
            if self._shutdown_requested:
                raise Interrupted
            found: list[Finding] = await self._run_job(self._poller.find_units(addresses))
            return found

    async def _run_job(self, work: Coroutine[Any, Any, Any]) -> Any:
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
        self._heard_again = self._heard_again or now - self.link.heard_at >= UNHEARD_TIME
        self.link.heard_at = now
        if self._exclusive.locked() or not self._is_back:
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
        """Poll once the device can be connected to, unless another poll was faster.

        Home Assistant may hear a device some seconds before BlueZ has an object for it.
        """
        await wait_connectable(self.hass, self.address)
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
        """Refresh in turn: a due poll comes before whoever asks later; failures are logged here, not there."""
        before = self.fresh_readings
        async with self._exclusive:
            if scheduled and self.fresh_readings != before and not self._shutdown_requested:
                self._schedule_refresh()  # a recovery has read it meanwhile
                return
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
            path, reading = await self._run_job(self._poller.read(self.link.failures, self._rung))
            self._keep(path, reading, started)
        except Interrupted as err:
            return self._stand_in(err)
        except ReaderError as err:
            self._failed(err, started)
            return self._stand_in(err)
        except Exception as err:
            # a fault of BluPow: told once, and the status must not hide it
            if self._fault != (fault := repr(err)):
                self._fault = fault
                _LOGGER.exception("[poll] %s: a fault of BluPow itself", self.name)
            broken = ReaderError(ErrorCode.READER_CRASHED, f"a fault of BluPow itself: {fault}")
            self._failed(broken, started)
            return self._stand_in(broken)
        snapshot = self.link.snapshot
        assert snapshot is not None
        return snapshot

    def _keep(self, path: Path, reading: Reading, started: float) -> None:
        """Keep a fresh reading."""
        link, now = self.link, time.monotonic()
        for unit in self.units:
            self._keep_unit(unit, reading, now)
        for finding in new_units(self.units, reading.found):
            offer_unit(self.hass, self.config_entry, finding)
        before = link.snapshot.path if link.snapshot else path
        if (before.kind, before.source) != (path.kind, path.source):
            link.log.note(Topic.PATH, f"now read {path.kind}: {path.reason}")
        outage = self.age
        link.snapshot = Snapshot(
            taken_at=dt_util.utcnow(),
            taken_at_monotonic=now,
            path=path,
            timings=reading.timings,
            attempts=reading.attempts,
        )
        link.fresh_at = now
        self.fresh_readings += 1
        link.failures = 0
        link.last_error = self._fault = None
        missing = tuple(self._poller.missing(reading))
        link.polls.append(Poll(at=dt_util.utcnow(), seconds=now - started, partial=bool(missing)))
        self._announce_partial(missing)
        if link.announced_lost:
            link.announced_lost = False
            self._fire(LinkEvent.CONNECTION_RESTORED, {"outage": round(outage or 0)})
        self._set_pace()
        self._announce()

    def _announce_partial(self, missing: tuple[str, ...]) -> None:
        """Tell when blocks begin to be missing, and when none is any more."""
        link = self.link
        if bool(missing) != bool(link.announced_partial):
            text = (
                f"partial readings, without {', '.join(missing)}; their last values stay"
                if missing
                else "whole readings again"
            )
            link.log.note(Topic.POLL, text)
        link.announced_partial = missing

    def _keep_unit(self, unit: UnitState, reading: Reading, now: float) -> None:
        """Keep what a reading brought of one unit, and tell when it falls silent or answers again."""
        told = reading.units.get(unit.key)
        before = unit.silent
        another = told is not None and len(self.units) > 1 and unit.is_another(told)
        if told is not None and not another:
            unit.keep(told, dt_util.utcnow(), now)
            if before is not None:
                self.link.log.note(Topic.POLL, f"unit {unit.unit_id} answers again")
            return
        unit.verified = False
        unit.silent = reading.silent.get(unit.key, ErrorCode.WRONG_UNIT)
        if another and before is not ErrorCode.WRONG_UNIT:
            text = f"unit {unit.unit_id} has another serial number now: search for units again"
            self.link.log.note(Topic.POLL, text)
        elif before is None:
            text = f"unit {unit.unit_id} does not answer while others do: {unit.silent}"
            self.link.log.note(Topic.POLL, text)

    def _failed(self, err: ReaderError, started: float) -> None:
        """Note that a poll failed, and why."""
        link = self.link
        link.failures += 1
        link.last_error = err
        for unit in self.units:
            unit.verified = False  # what is behind the module may be plugged in differently now
        seconds = time.monotonic() - started
        link.polls.append(Poll(at=dt_util.utcnow(), seconds=seconds, error=err))
        link.log.detail(Topic.POLL, f"failed {link.failures} times in a row: {err}")
        if self.excused:
            link.excused_until = time.monotonic()
        self._set_pace()
        self._announce()

    def _stand_in(self, err: ReaderError) -> Snapshot:
        """Return the last reading while it serves, else raise UpdateFailed."""
        snapshot = self.link.snapshot
        if snapshot is not None and self.freshness.serves(self.age):
            self.link.snapshot = replace(snapshot, cached=True)
            return self.link.snapshot
        raise UpdateFailed(
            translation_domain=DOMAIN,
            translation_key=err.code,
            translation_placeholders=placeholders(err, self.name),
        ) from err

    def _set_pace(self) -> timedelta:
        """Set the pause before the next poll, and return it."""
        error = self.link.last_error
        heard = error is None or error.code is not ErrorCode.NOT_ADVERTISING
        interval = self.settings.update_interval
        silence = 0.0 if error is None else self.silence
        pause = timedelta(seconds=self.freshness.pause(interval, silence, heard=heard))
        self.update_interval = pause
        return pause

    def _announce(self) -> None:
        """Tell of a change of the status, and see to it that ageing alone is told too."""
        self._announce_status()
        link, silence, now = self.link, self.silence, time.monotonic()
        if link.polls:  # before the first one is over there is nothing to miss
            shown = None if self.excused else self.within_grace
            link.availability = link.availability.noted(now, available=shown)
        lost = not self.freshness.available(silence) and not self.excused
        if lost and not link.announced_lost:
            link.announced_lost = True
            error = link.last_error
            facts = {"problem": error.code.value if error else None, "silence": round(silence)}
            self._fire(LinkEvent.CONNECTION_LOST, facts | {"failures": link.failures})
        if self._cancel_ageing is not None:
            self._cancel_ageing()
            self._cancel_ageing = None
        ages = [silence, *([] if self.age is None else [self.age])]
        for unit in self.units:
            if unit.snapshot is not None:
                ages.append(now - unit.snapshot.taken_at_monotonic)
                ages += [now - kept.taken_at_monotonic for kept in unit.snapshot.kept.values()]
        changes = [
            change for age in ages if (change := self.freshness.next_change(age)) is not None
        ]
        if (change := min(changes, default=None)) is not None:
            self._cancel_ageing = async_call_later(self.hass, change, self._on_aged)

    @callback
    def _on_aged(self, _: datetime) -> None:
        """Note that the last reading got too old to serve, or to be shown."""
        self._cancel_ageing = None
        self._announce()
        if self.link.last_error is not None and not self.freshness.serves(self.age):
            self.last_update_success = False
            before, after = self.update_interval, self._set_pace()
            if before is not None and after < before and not self._exclusive.locked():
                self._schedule_refresh()  # a long interval does not delay the last effort
        self.async_update_listeners()

    def _fire(self, event: LinkEvent, facts: dict[str, Any]) -> None:
        events.fire(self.hass, self.config_entry, event, facts)

    def _announce_status(self) -> None:
        """Tell of a change of the status."""
        link, status = self.link, self.status
        never_polled = not link.polls and link.snapshot is None
        if status is link.announced_status or never_polled:
            return
        before, link.announced_status = link.announced_status, status
        reason = link.last_error.message if link.last_error else "nothing polls"
        match status:
            case ConnectionStatus.CONNECTED | ConnectionStatus.TEST_MODE:
                if before is not None:
                    link.log.note(Topic.POLL, f"fresh readings again (was {before})")
            case ConnectionStatus.OFFLINE:
                link.log.note(Topic.CACHE, f"the last reading serves: {reason}")
            case ConnectionStatus.DISCONNECTED:
                text = f"the last reading is too old to serve: {reason}"
                link.log.note(Topic.CACHE, text)
            case ConnectionStatus.NOT_HEARD:
                link.log.note(Topic.POLL, "not heard, as it may be: it is switched off at times")
            case ConnectionStatus.LOST:
                link.log.note(Topic.POLL, f"no reading: {reason}")
