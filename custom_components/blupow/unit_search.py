"""The background search for other units behind a module, and the offer of those that it finds."""

from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any, Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import CONF_SERIAL_NUMBER, CONF_UNIT, DOMAIN
from .issues import IssueKind
from .lib.blupow_ble.profiles import PROFILES
from .lib.blupow_ble.protocol.modbus import BROADCAST_UNIT
from .lib.blupow_ble.protocol.text import plain
from .lib.blupow_ble.reader.probing import likely_units
from .lib.blupow_ble.reader.result import Finding
from .units import UnitState, address_of_own, new_subentries, unit_subentries

if TYPE_CHECKING:
    from .runtime import BluPowConfigEntry

POLLS_BETWEEN_LOOKS: Final = 10
"""Good polls; the last one of them asks one address more."""


class Looks:
    """Which address is asked when: one in each tenth good poll, all usual ones in turn."""

    def __init__(self, units: Sequence[UnitState]) -> None:
        """Begin with the likeliest address; a device that only sends is never asked."""
        self._units = units
        asked = units[0].profile.push is None
        usual = [unit for unit in likely_units() if unit != BROADCAST_UNIT] if asked else []
        self._number = len(usual)
        self._addresses: Iterator[int] = cycle(usual)
        self._good_polls = 0

    def poll_was_good(self) -> None:
        """Count a good poll."""
        self._good_polls += 1

    def due(self) -> int | None:
        """Return the address that the next poll asks; None for most polls."""
        if self._good_polls < POLLS_BETWEEN_LOOKS - 1:
            return None
        self._good_polls = -1
        known = {unit.unit_id for unit in self._units}
        for _ in range(self._number):
            if (unit := next(self._addresses)) not in known:
                return unit
        return None


@callback
def offer_unit(hass: HomeAssistant, entry: BluPowConfigEntry, finding: Finding) -> None:
    """Offer a unit that was found: the user adds it by a repair, or ignores it for good."""
    kind = IssueKind.UNIT_FOUND
    ir.async_create_issue(
        hass,
        DOMAIN,
        _issue_id(entry, finding.unit_id),
        data={
            "kind": kind.value,
            "entry_id": entry.entry_id,
            "unit": finding.unit_id,
            "profile": finding.profile,
            "model": finding.model,
            "model_text": finding.model_text,
            "serial_number": finding.serial_number,
        },
        is_fixable=True,
        severity=ir.IssueSeverity.WARNING,
        translation_key=kind.value,
        translation_placeholders={"name": plain(entry.title), "unit": plain(label(finding))},
    )


def offered(data: dict[str, Any]) -> Finding:
    """Return the unit that an issue offers."""
    return Finding(
        unit_id=int(data["unit"]),
        profile=PROFILES[data["profile"]].key,
        model=data["model"],
        model_text=data["model_text"],
        serial_number=data["serial_number"],
    )


@callback
def withdraw_offers(hass: HomeAssistant, entry: BluPowConfigEntry) -> None:
    """Take back the offers of units that were added meanwhile, and of an entry that is removed."""
    removed = hass.config_entries.async_get_entry(entry.entry_id) is None
    known = {subentry.data["unit"] for subentry in unit_subentries(entry)}
    beginning = _issue_id(entry, None)
    for domain, issue_id in list(ir.async_get(hass).issues):
        if domain == DOMAIN and issue_id.startswith(beginning):
            unit = issue_id.removeprefix(beginning)
            if removed or unit in {str(address) for address in known}:
                ir.async_delete_issue(hass, DOMAIN, issue_id)


def _issue_id(entry: BluPowConfigEntry, unit: int | None) -> str:
    return f"{IssueKind.UNIT_FOUND}_{entry.entry_id}_{'' if unit is None else unit}"


@callback
def add_units(
    hass: HomeAssistant, entry: BluPowConfigEntry, own: UnitState, chosen: Sequence[Finding]
) -> None:
    """Add units behind a module; the entry is loaded again by itself."""
    data = {
        **entry.data,
        CONF_UNIT: address_of_own(entry.data, own),
        CONF_SERIAL_NUMBER: own.serial_number,  # so that no other is taken for it
    }
    hass.config_entries.async_update_entry(entry, data=data)
    for subentry in new_subentries(
        chosen, (subentry.unique_id for subentry in unit_subentries(entry))
    ):
        hass.config_entries.async_add_subentry(entry, subentry)


def label(finding: Finding) -> str:
    """Return a unit that was found, for people."""
    profile = PROFILES[finding.profile]
    listed = finding.model is not None or profile.other_model is None
    facts = (
        profile.name,
        finding.model_text if listed else f"{finding.model_text or 'no name'} (unconfirmed)",
        f"serial number {finding.serial_number}" if finding.serial_number else None,
    )
    return f"{finding.unit_id}: " + ", ".join(fact for fact in facts if fact)
