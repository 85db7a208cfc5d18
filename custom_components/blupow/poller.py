"""Takes the readings of one link: by which way, of which blocks of each unit."""

from collections.abc import Iterator, Sequence
import time
from typing import TYPE_CHECKING

from homeassistant.const import CONF_ADDRESS, CONF_MODEL
from homeassistant.core import HomeAssistant

from .bluetooth import FindPlan, Path, ReadPlan
from .bluetooth.connection_locks import turn
from .bluetooth.device_reader import DeviceReader
from .bluetooth.recovery import close_links, look_again, rediscover
from .const import CONF_UNIT
from .lib.blupow_ble.profiles.declaration import Info, Span
from .lib.blupow_ble.protocol.errors import ErrorCode
from .lib.blupow_ble.reader.messages import VIRTUAL
from .lib.blupow_ble.reader.plan import OWN_UNIT, UnitPlan
from .lib.blupow_ble.reader.result import Finding, Reading, UnitReading
from .lib.blupow_ble.reader.timeouts import CONNECT_TIMEOUT, connect_timeout
from .lib.blupow_ble.supervisor.policies import KNOWN_BLOCK, BlockRecord, RecoveryStep
from .options import Options
from .unit_search import Looks
from .units import UnitState, unit_subentries

if TYPE_CHECKING:
    from .runtime import BluPowConfigEntry


class Poller:
    """Takes the readings of the units behind one link, one at a time."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: BluPowConfigEntry,
        settings: Options,
        name: str,
        units: Sequence[UnitState],
    ) -> None:
        """Prepare to read the units of an entry; its own comes first."""
        self._hass = hass
        self._entry = entry
        self._settings = settings
        self.address: str = entry.data[CONF_ADDRESS]
        self._units = units
        self._blocks: dict[tuple[str, str], BlockRecord] = {}
        self._looks = Looks(units)
        self.reader = DeviceReader(hass, self.address, name, settings.path)

    @property
    def virtual(self) -> bool:
        """Whether the device is the virtual one."""
        return self.address == VIRTUAL

    def connect_timeout(self, failures: int) -> float:
        """Return how long the next connection may take."""
        return connect_timeout(failures, self._settings.connect_timeout)

    async def read(self, failures: int, step: RecoveryStep | None = None) -> tuple[Path, Reading]:
        """Take one reading, after what a step of a recovery does before it. Raises ReaderError."""
        if step is not None and not self.virtual:
            await self._prepare(step)
        path, reading = await self.reader.read(
            self._plan(failures, step), elsewhere=step is RecoveryStep.LOOK_AGAIN
        )
        self._looks.poll_was_good()
        self._learn(reading)
        return path, reading

    async def read_spans(self, failures: int, spans: tuple[Span, ...], unit: UnitState) -> Reading:
        """Read registers of a unit by number. Raises ReaderError."""
        plan = ReadPlan(
            units=(self._unit_plan(unit),),
            connect_timeout=self.connect_timeout(failures),
            spans=spans,
        )
        return (await self.reader.read(plan))[1]

    async def find_units(self, addresses: tuple[int, ...]) -> list[Finding]:
        """Find all units behind the module, known ones too: they may have moved. Raises ReaderError."""
        return await self.reader.find(
            FindPlan(connect_timeout=CONNECT_TIMEOUT, everything=True, addresses=addresses)
        )

    async def stop(self) -> None:
        """Wait until no child and no link is left; a reading under way is cancelled by its own task."""
        await self.reader.stop()

    async def _prepare(self, step: RecoveryStep) -> None:
        """Do what a step does before its reading."""
        await self.stop()
        async with turn(self._hass, self.address):
            match step:
                case RecoveryStep.CLOSE_LINK:
                    await close_links(self._hass, self.address)
                case RecoveryStep.LOOK_AGAIN:
                    await look_again(self._hass, self.address)
                case RecoveryStep.REDISCOVER:
                    if len(self._units) == 1:  # of several, another one could be taken for it
                        self._units[0].unit_id = self._settings.unit_id
                    await rediscover(self._hass, self.address)

    def _plan(self, failures: int, step: RecoveryStep | None = None) -> ReadPlan:
        """Plan a reading of all units."""
        return ReadPlan(
            units=tuple(self._unit_plan(unit) for unit in self._units),
            connect_timeout=self.connect_timeout(failures),
            bypass_service_cache=step is not None,
            look_at=None if self.virtual or step is not None else self._looks.due(),
        )

    def _unit_plan(self, unit: UnitState) -> UnitPlan:
        """Plan the reading of a unit: identity blocks until they were read, others unless they rest."""
        now = time.monotonic()
        return UnitPlan(
            key=unit.key,
            profile=unit.profile,
            model=unit.model,
            unit_id=unit.unit_id,
            blocks=tuple(
                block.key
                for block in unit.register_map.blocks
                if self._blocks.get((unit.key, block.key), BlockRecord()).due(now)
                or (not unit.verified and unit.holds_serial_number(block))
            ),
        )

    def _learn(self, reading: Reading) -> None:
        """Keep what a reading told of the blocks, the units' addresses and the models."""
        for unit in self._units:
            if (told := reading.units.get(unit.key)) is not None:
                self._learn_blocks(unit, told)
        if (own := reading.units.get(OWN_UNIT)) is not None:
            self._remember(own)
        self._remember_models(reading)

    def missing(self, reading: Reading) -> Iterator[str]:
        """Go through the blocks that a reading lacks although the device has them."""
        for unit in self._units:
            if (told := reading.units.get(unit.key)) is None:
                continue
            for block in unit.register_map.blocks:
                answered = self._blocks.get((unit.key, block.key), BlockRecord()).answered
                if answered and not block.identity and block.start not in told.registers:
                    yield block.key if unit.own else f"{unit.key}: {block.key}"

    def _learn_blocks(self, unit: UnitState, reading: UnitReading) -> None:
        now = time.monotonic()
        for block in unit.register_map.blocks:
            key = (unit.key, block.key)
            record = self._blocks.get(key, BlockRecord())
            code = reading.failed.get(block.key)
            if block.start in reading.registers:
                self._blocks[key] = KNOWN_BLOCK if block.identity else record.after_answer()
            elif code in (ErrorCode.MODBUS_EXCEPTION, ErrorCode.NO_RESPONSE):
                refused = code is ErrorCode.MODBUS_EXCEPTION
                self._blocks[key] = record.after_miss(now, refused=refused)

    def _remember_models(self, reading: Reading) -> None:
        """Keep the models of other units that have named them since they were added."""
        found: dict[str | None, str] = {
            unit.key: told.model
            for unit in self._units[1:]
            if (told := reading.units.get(unit.key)) is not None
            and unit.model is None
            and told.model is not None
        }
        if found:
            for subentry in unit_subentries(self._entry):
                if (model := found.get(subentry.unique_id)) is not None:
                    self._hass.config_entries.async_update_subentry(
                        self._entry, subentry, data={**subentry.data, CONF_MODEL: model}
                    )
            self._hass.config_entries.async_schedule_reload(self._entry.entry_id)

    def _unlisted(self, reading: UnitReading) -> str | None:
        """Return the model that a device in no list is read as, where models differ; None if it names none."""
        profile = self._units[0].profile
        if not profile.must_know_model or profile.other_model is None:
            return None
        named = any(
            reading.values.get(item.key)
            for item in self._units[0].register_map.fields
            if item.about is Info.MODEL
        )
        return profile.other_model.key if named else None

    def _remember(self, reading: UnitReading) -> None:
        """Keep the entry's own address and model that were found, over restarts too."""
        found: dict[str, str | int | None] = {}
        own = self._units[0]
        if self._settings.unit_id is None and self._entry.data.get(CONF_UNIT) != reading.unit_id:
            found[CONF_UNIT] = reading.unit_id
        own.unit_id = self._settings.unit_id or reading.unit_id
        model = reading.model or self._unlisted(reading)
        new_model = model is not None and own.model is None
        if new_model:
            found[CONF_MODEL] = model
        if found:
            data = {**self._entry.data, **found}
            self._hass.config_entries.async_update_entry(self._entry, data=data)
        if new_model:
            self._hass.config_entries.async_schedule_reload(self._entry.entry_id)
