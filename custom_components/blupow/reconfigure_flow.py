"""Reconfigure: say what a device is, find others behind its module, replace the module."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import probatio

from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult
from homeassistant.const import CONF_ADDRESS, CONF_MODEL
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.selector import (
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
)

from .button import RECONNECT
from .candidate import candidate_as, entry_data, names_no_model
from .const import CONF_KEY, CONF_MORE_UNITS, CONF_PROFILE, CONF_SERIAL_NUMBER, CONF_UNIT
from .coordinator import BluPowCoordinator
from .device_flow import SEARCH, DeviceFlow, choice, model_label, normalised
from .lib.blupow_ble.errors import ReaderError
from .lib.blupow_ble.messages import VIRTUAL
from .lib.blupow_ble.probing import UNIT_ADDRESSES
from .lib.blupow_ble.profiles import PROFILES
from .lib.blupow_ble.result import Finding
from .link_sensors import LINK_SENSORS
from .new_address import async_move_entry
from .units import new_units, with_units

if TYPE_CHECKING:
    from .runtime import BluPowConfigEntry

AUTOMATIC: Final = "automatic"
CONF_UNITS: Final = "units"


class ReconfigureSteps(DeviceFlow):
    """The steps of Reconfigure."""

    def __init__(self) -> None:
        """Initialize the flow."""
        super().__init__()
        self._found: list[Finding] = []

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Let the user say what the device is, find others behind its module, or replace that."""
        entry = self._get_reconfigure_entry()
        if entry.data[CONF_ADDRESS] == VIRTUAL:
            return await self.async_step_kind()
        asked = PROFILES[entry.data[CONF_PROFILE]].push is None
        return self.async_show_menu(
            step_id="reconfigure",
            menu_options=["kind", *(["find_units"] if asked else []), "new_address"],
            description_placeholders=self._placeholders(entry.title),
        )

    async def async_step_kind(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Let the user overrule the family and the model, and read the device as that."""
        entry = self._get_reconfigure_entry()
        kinds = {
            f"{profile.key}:{model.key}": (profile, model)
            for profile in PROFILES.values()
            for model in profile.models
        }
        if user_input is not None:
            self._input = user_input
            wanted = kinds.get(user_input[CONF_MODEL])
            return await self._wait_for(
                self._read(candidate_as(entry, wanted)), self._kind_read, entry.title
            )
        options = [
            SelectOptionDict(value=AUTOMATIC, label="Automatic"),
            *(
                SelectOptionDict(value=key, label=f"{profile.name}: {model_label(model)}")
                for key, (profile, model) in kinds.items()
            ),
        ]
        current = f"{entry.data[CONF_PROFILE]}:{entry.data.get(CONF_MODEL)}"
        return self.async_show_form(
            step_id="kind",
            data_schema=self.add_suggested_values_to_schema(
                choice(CONF_MODEL, options),
                self._input or {CONF_MODEL: current if current in kinds else AUTOMATIC},
            ),
            errors=self._taken_errors(),
            description_placeholders=self._placeholders(entry.title),
        )

    async def _kind_read(self) -> ConfigFlowResult:
        """Take over what the device was read as."""
        entry = self._get_reconfigure_entry()
        if self._told is None:
            return await self.async_step_kind()
        candidate, reading = self._told
        if names_no_model(candidate, reading):
            self._errors = {CONF_MODEL: "model_not_told"}
            return await self.async_step_kind()
        data = entry.data | entry_data(candidate, reading)
        data.pop(CONF_SERIAL_NUMBER, None)  # it may be another piece by now
        if data[CONF_PROFILE] != entry.data[CONF_PROFILE]:
            forget_readings(self.hass, entry)
        return self.async_update_reload_and_abort(entry, data=data)

    async def async_step_new_address(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Take the address of a new module in place of the old one; entities and history stay."""
        entry = self._get_reconfigure_entry()
        if user_input is not None:
            self._input = user_input
            address = normalised(user_input[CONF_ADDRESS])
            if address is None:
                self._errors = {CONF_ADDRESS: "invalid_address"}
            elif address == entry.unique_id:
                self._errors = {CONF_ADDRESS: "same_address"}
            elif address in self._async_current_ids(include_ignore=False):
                self._errors = {CONF_ADDRESS: "address_in_use"}
            else:
                kind = PROFILES[entry.data[CONF_PROFILE]]
                model_key = entry.data.get(CONF_MODEL)
                model = kind.model(model_key) if model_key else None
                candidate = replace(candidate_as(entry, None), address=address, profile=kind)
                return await self._wait_for(
                    self._read(replace(candidate, model=model, unit=entry.data.get(CONF_UNIT))),
                    self._address_read,
                    entry.title,
                )
        schema = probatio.Schema({probatio.Required(CONF_ADDRESS): TextSelector()})
        return self.async_show_form(
            step_id="new_address",
            data_schema=self.add_suggested_values_to_schema(schema, self._input),
            errors=self._taken_errors(),
            description_placeholders=self._placeholders(entry.title),
        )

    async def _address_read(self) -> ConfigFlowResult:
        """Move the entry to the address under which the device was read."""
        if self._told is None:
            return await self.async_step_new_address()
        entry = self._get_reconfigure_entry()
        candidate, _ = self._told
        await async_move_entry(self.hass, entry, candidate.address)
        return self.async_update_reload_and_abort(
            entry,
            unique_id=candidate.address,
            data={**entry.data, CONF_ADDRESS: candidate.address},
        )

    async def async_step_find_units(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Look for other units behind the module, once the user says so."""
        entry = self._get_reconfigure_entry()
        if entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="not_loaded")
        if user_input is not None:
            self._input = user_input
            typed = user_input.get(CONF_UNIT)
            addresses = () if typed is None else (int(typed),)
            search = self._search(entry.runtime_data.coordinator, addresses)
            return await self._wait_for(search, self._searched, entry.title, SEARCH)
        selector = NumberSelector(
            NumberSelectorConfig(min=1, max=UNIT_ADDRESSES[-1], mode=NumberSelectorMode.BOX)
        )
        return self.async_show_form(
            step_id="find_units",
            data_schema=self.add_suggested_values_to_schema(
                probatio.Schema({probatio.Optional(CONF_UNIT): selector}), self._input
            ),
            errors=self._taken_errors(),
            description_placeholders=self._placeholders(entry.title),
        )

    async def _search(self, coordinator: BluPowCoordinator, addresses: tuple[int, ...]) -> None:
        try:
            self._found = await coordinator.async_find_units(addresses)
        except ReaderError as err:
            self._note(err)

    async def _searched(self) -> ConfigFlowResult:
        """Offer the units that were found, or tell that there are none."""
        entry = self._get_reconfigure_entry()
        if self._errors or entry.state is not ConfigEntryState.LOADED:
            return await self.async_step_find_units()
        units = entry.runtime_data.coordinator.units
        if new_units(units, self._found):
            return await self.async_step_add_units()
        data = with_units(entry.data, units, self._found, ())
        if data[CONF_MORE_UNITS] and data != entry.data:
            return self.async_update_reload_and_abort(entry, data=data, reason="units_moved")
        self._errors = {"base": "no_more_units"}
        return await self.async_step_find_units()

    async def async_step_add_units(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Add the units that the user chooses of those that were found."""
        entry = self._get_reconfigure_entry()
        if entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="not_loaded")
        units = entry.runtime_data.coordinator.units
        found = {str(finding.unit): finding for finding in new_units(units, self._found)}
        if user_input is not None:
            chosen = [found[key] for key in user_input[CONF_UNITS] if key in found]
            data = with_units(entry.data, units, self._found, chosen)
            return self.async_update_reload_and_abort(entry, data=data)
        options = [
            SelectOptionDict(value=key, label=_label(finding)) for key, finding in found.items()
        ]
        selector = SelectSelector(
            SelectSelectorConfig(options=options, multiple=True, mode=SelectSelectorMode.LIST)
        )
        schema = probatio.Schema({probatio.Required(CONF_UNITS, default=list(found)): selector})
        return self.async_show_form(
            step_id="add_units",
            data_schema=schema,
            description_placeholders=self._placeholders(entry.title),
        )


@callback
def forget_readings(hass: HomeAssistant, entry: BluPowConfigEntry) -> None:
    """Remove the entities of what the device turned out not to be; its link's entities stay."""
    registry = er.async_get(hass)
    base = entry.unique_id or entry.entry_id
    own = {f"{base}_{description.key}" for description in (*LINK_SENSORS, RECONNECT)}
    others = tuple(f"{base}_{unit[CONF_KEY]}_" for unit in entry.data.get(CONF_MORE_UNITS, ()))
    for item in er.async_entries_for_config_entry(registry, entry.entry_id):
        if item.unique_id not in own and not item.unique_id.startswith(others):
            registry.async_remove(item.entity_id)


def _label(finding: Finding) -> str:
    """Return a unit that was found, for people."""
    profile = PROFILES[finding.profile]
    listed = finding.model is not None or profile.other_model is None
    facts = (
        profile.name,
        finding.model_text if listed else f"{finding.model_text or 'no name'} (unconfirmed)",
        f"serial number {finding.serial_number}" if finding.serial_number else None,
    )
    return f"{finding.unit}: " + ", ".join(fact for fact in facts if fact)
