"""Offers units that were found behind a module, and adds those that the user takes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import CONF_SERIAL_NUMBER, CONF_UNIT_ID, DOMAIN
from .issues import IssueKind
from .lib.blupow_ble.profiles import PROFILES
from .lib.blupow_ble.reader.result import Finding
from .lib.blupow_ble.supervisor.unit_state import UnitState
from .lib.blupow_ble.text import plain
from .texts import text
from .units import new_subentries, unit_id_of_own, unit_subentries

if TYPE_CHECKING:
    from .coordinator import BluPowConfigEntry


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
            "unit_id": finding.unit_id,
            "profile": finding.profile,
            "model": finding.model,
            "model_text": finding.model_text,
            "serial_number": finding.serial_number,
        },
        is_fixable=True,
        severity=ir.IssueSeverity.WARNING,
        translation_key=kind.value,
        translation_placeholders={"name": plain(entry.title), "unit": plain(label(hass, finding))},
    )


def offered(data: dict[str, Any]) -> Finding:
    """Return the unit that an issue offers."""
    return Finding(
        unit_id=int(data["unit_id"]),
        profile=PROFILES[data["profile"]].key,
        model=data["model"],
        model_text=data["model_text"],
        serial_number=data["serial_number"],
    )


@callback
def withdraw_offers(hass: HomeAssistant, entry: BluPowConfigEntry) -> None:
    """Take back the offers of units that were added meanwhile, and of an entry that is removed."""
    removed = hass.config_entries.async_get_entry(entry.entry_id) is None
    known = {subentry.data["unit_id"] for subentry in unit_subentries(entry)}
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
        CONF_UNIT_ID: unit_id_of_own(entry.data, own),
        CONF_SERIAL_NUMBER: own.serial_number,  # so that no other is taken for it
    }
    hass.config_entries.async_update_entry(entry, data=data)
    for subentry in new_subentries(
        chosen, (subentry.unique_id for subentry in unit_subentries(entry))
    ):
        hass.config_entries.async_add_subentry(entry, subentry)


def label(hass: HomeAssistant, finding: Finding) -> str:
    """Return a unit that was found, for people."""
    profile = PROFILES[finding.profile]
    listed = finding.model is not None or profile.other_model is None
    facts = (
        profile.name,
        finding.model_text
        if listed
        else text(hass, "unconfirmed_model", model=finding.model_text or profile.name),
        text(hass, "serial_number", number=finding.serial_number)
        if finding.serial_number
        else None,
    )
    return f"{finding.unit_id}: " + ", ".join(fact for fact in facts if fact)
