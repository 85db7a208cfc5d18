"""A device that is about to be set up: as its name tells it, as the user says, as it answers."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from homeassistant.const import CONF_ADDRESS, CONF_MODEL, CONF_NAME
from homeassistant.core import HomeAssistant

from .bluetooth.device_reader import DeviceReader
from .const import CONF_PROFILE, CONF_UNIT_ID
from .lib.blupow_ble.profiles import PROFILES, model_for_name, profile_for_name
from .lib.blupow_ble.profiles.profile import Model, Profile
from .lib.blupow_ble.reader.messages import VIRTUAL
from .lib.blupow_ble.reader.plan import FindPlan, ReadPlan, UnitPlan
from .lib.blupow_ble.reader.result import UnitReading
from .lib.blupow_ble.reader.timeouts import CONNECT_TIMEOUT, connect_timeout
from .options import EntryOptions
from .units import unit_subentries

if TYPE_CHECKING:
    from .coordinator import BluPowConfigEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingDevice:
    """A device that is about to be set up. Without a family, it is found out by asking."""

    address: str
    name: str
    profile: Profile | None
    model: Model | None = None
    unit_id: int | None = None
    options: EntryOptions = field(default_factory=EntryOptions)


def _reader(hass: HomeAssistant, pending: PendingDevice) -> DeviceReader:
    return DeviceReader(hass, pending.address, pending.name, pending.options.route)


async def identify(hass: HomeAssistant, pending: PendingDevice) -> PendingDevice:
    """Find out what is behind a module, by asking. Raises ReaderError."""
    reader = _reader(hass, pending)
    (found,) = await reader.find(FindPlan(connect_timeout=CONNECT_TIMEOUT))
    await reader.stop()
    profile = PROFILES[found.profile]
    model = profile.model(found.model) if found.model else None
    return replace(pending, profile=profile, model=model, unit_id=found.unit_id)


async def read_once(hass: HomeAssistant, pending: PendingDevice, profile: Profile) -> UnitReading:
    """Read a device with all its blocks, as a test. Raises ReaderError."""
    options = pending.options
    plan = ReadPlan(
        units=(
            UnitPlan(
                profile=profile,
                model=pending.model,
                unit_id=options.unit_id or pending.unit_id,
            ),
        ),
        connect_timeout=connect_timeout(0, options.connect_timeout),
    )
    _, reading = await _reader(hass, pending).read(plan)
    return reading.main


def pending_device_named(address: str, name: str) -> PendingDevice:
    """Return a device as its name tells it."""
    profile = profile_for_name(name)
    model = model_for_name(profile, name) if profile is not None else None
    return PendingDevice(address=address, name=name, profile=profile, model=model)


def pending_device_as(
    entry: BluPowConfigEntry, wanted: tuple[Profile, Model] | None
) -> PendingDevice:
    """Return the device of an entry as what the user says it is; None leaves that to the device.

    Of several units behind a module it stays the one under its address.
    """
    pending = pending_device_named(entry.data[CONF_ADDRESS], entry.data[CONF_NAME])
    known, unit = PROFILES[entry.data[CONF_PROFILE]], entry.data.get(CONF_UNIT_ID)
    several = bool(unit_subentries(entry))
    if wanted is not None:
        pending = replace(pending, profile=wanted[0], model=wanted[1])
        same = wanted[0] is known
    else:
        same = several or entry.data[CONF_ADDRESS] == VIRTUAL
        if same:
            pending = replace(pending, profile=known, model=None)
    return replace(
        pending,
        unit_id=unit if same or several else None,
        options=EntryOptions.from_options(entry.options),
    )


def names_no_model(pending: PendingDevice, reading: UnitReading) -> bool:
    """Whether nobody knows the model: registers must not be taken for another model's."""
    assert pending.profile is not None
    return reading.model is None and pending.profile.must_know_model


def entry_data(pending: PendingDevice, reading: UnitReading) -> dict[str, Any]:
    """Return the data of an entry: what it takes to find and understand the device."""
    assert pending.profile is not None
    return {
        CONF_ADDRESS: pending.address,
        CONF_NAME: pending.name,
        CONF_PROFILE: pending.profile.key,
        CONF_MODEL: reading.model,
        CONF_UNIT_ID: reading.unit_id,
    }
