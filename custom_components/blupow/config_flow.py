"""Set-up by discovery, by picking, by an address, or of a virtual device; reconfigure."""

from dataclasses import replace
import re
from typing import Any, Final, override

import probatio

from homeassistant.components.bluetooth import (
    BluetoothServiceInfoBleak,
    async_discovered_service_info,
)
from homeassistant.config_entries import ConfigEntry, ConfigEntryState, ConfigFlow, ConfigFlowResult
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
from .candidate import (
    Candidate,
    candidate_as,
    candidate_named,
    entry_data,
    identify,
    names_no_model,
    read_once,
)
from .const import CONF_KEY, CONF_MORE_UNITS, CONF_PROFILE, CONF_SERIAL_NUMBER, CONF_UNIT, DOMAIN
from .coordinator import BluPowCoordinator
from .lib.blupow_ble.errors import ErrorCode, ReaderError
from .lib.blupow_ble.messages import VIRTUAL
from .lib.blupow_ble.names import cleaned, plain
from .lib.blupow_ble.probing import UNIT_ADDRESSES
from .lib.blupow_ble.profiles import PROFILES, may_be_renogy, may_be_renogy_by_manufacturer
from .lib.blupow_ble.profiles.declaration import OTHER_MODEL, Model
from .lib.blupow_ble.profiles.inverter import INVERTER
from .lib.blupow_ble.result import Finding, UnitReading
from .link_sensors import LINK_SENSORS
from .options_flow import BluPowOptionsFlow
from .units import new_units, with_units

AUTOMATIC: Final = "automatic"
CONF_UNITS: Final = "units"

_ADDRESS: Final = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){5}")


def normalised(address: str) -> str | None:
    """Return a Bluetooth address in the usual form; None if it is none."""
    plain = (
        re.sub(r"[^0-9A-Fa-f]", "", address) if re.fullmatch(r"[\s0-9A-Fa-f:.-]+", address) else ""
    )
    joined = ":".join(plain[i : i + 2] for i in range(0, len(plain), 2)).upper()
    return joined if _ADDRESS.fullmatch(joined) else None


def _made_up_name(address: str) -> str:
    """Return a name for a device that is heard without one."""
    return f"Renogy {address[-5:].replace(':', '')}"


def _name_of(heard: BluetoothServiceInfoBleak) -> str | None:
    """Return what to call a device that may be one of Renogy's; None if it is another."""
    name = cleaned(heard.name)
    if may_be_renogy(name):
        return name
    if may_be_renogy_by_manufacturer(heard.address, heard.manufacturer_data):
        return name if name != heard.address else _made_up_name(heard.address)
    return None


class BluPowConfigFlow(ConfigFlow, domain=DOMAIN):
    """Set up a device."""

    VERSION = 1
    MINOR_VERSION = 1

    def __init__(self) -> None:
        """Initialize the flow."""
        self._candidate: Candidate | None = None
        self._found: list[Finding] = []
        self._detail = ""
        """What the last error says beyond its code."""

    def _placeholders(self, name: str = "", **others: str) -> dict[str, str]:
        """Return what the texts of forms and errors name; a device's own words are no Markdown."""
        return {"name": plain(name), **others, "detail": self._detail}

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> BluPowOptionsFlow:
        """Return the options flow."""
        return BluPowOptionsFlow()

    @override
    async def async_step_bluetooth(
        self, discovery_info: BluetoothServiceInfoBleak
    ) -> ConfigFlowResult:
        """Handle a device that Home Assistant's Bluetooth has found."""
        if (name := _name_of(discovery_info)) is None:
            return self.async_abort(reason="not_supported")
        await self.async_set_unique_id(discovery_info.address)
        self._abort_if_unique_id_configured()
        self._candidate = candidate_named(discovery_info.address, name)
        self.context["title_placeholders"] = {"name": name}
        return await self.async_step_bluetooth_confirm()

    async def async_step_bluetooth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask whether to set the device up, and read it."""
        assert self._candidate is not None
        errors: dict[str, str] = {}
        if user_input is not None:
            result = await self._try(self._candidate, errors)
            if result is not None:
                return result
        return self.async_show_form(
            step_id="bluetooth_confirm",
            errors=errors,
            description_placeholders=self._placeholders(
                self._candidate.name, address=self._candidate.address
            ),
        )

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask how to set up."""
        return self.async_show_menu(step_id="user", menu_options=["pick", "address", "virtual"])

    async def async_step_pick(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Let the user pick one of the devices that are heard."""
        errors: dict[str, str] = {}
        configured = self._async_current_ids(include_ignore=False)
        heard = {
            info.address: name
            for info in async_discovered_service_info(self.hass)
            if info.address not in configured and (name := _name_of(info)) is not None
        }
        if not heard:
            return self.async_abort(reason="no_devices_found")
        if user_input is not None:
            address = user_input[CONF_ADDRESS]
            if address not in heard:
                errors[CONF_ADDRESS] = "not_heard_any_more"
            elif result := await self._try_address(address, heard[address], errors):
                return result
        options = [
            SelectOptionDict(value=address, label=f"{name} ({address})")
            for address, name in heard.items()
        ]
        schema = probatio.Schema(
            {
                probatio.Required(CONF_ADDRESS): SelectSelector(
                    SelectSelectorConfig(options=options, mode=SelectSelectorMode.LIST)
                )
            }
        )
        return self.async_show_form(
            step_id="pick",
            data_schema=schema,
            errors=errors,
            description_placeholders=self._placeholders(),
        )

    async def async_step_address(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Let the user type an address."""
        errors: dict[str, str] = {}
        if user_input is not None:
            address = normalised(user_input[CONF_ADDRESS])
            if address is None:
                errors[CONF_ADDRESS] = "invalid_address"
            else:
                name = next(
                    (
                        cleaned(info.name)
                        for info in async_discovered_service_info(self.hass)
                        if info.address == address and info.name != address
                    ),
                    _made_up_name(address),
                )
                if result := await self._try_address(address, name, errors):
                    return result
        schema = probatio.Schema({probatio.Required(CONF_ADDRESS): TextSelector()})
        return self.async_show_form(
            step_id="address",
            data_schema=self.add_suggested_values_to_schema(schema, user_input),
            errors=errors,
            description_placeholders=self._placeholders(),
        )

    async def async_step_virtual(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Set up a virtual device, which needs no hardware."""
        errors: dict[str, str] = {}
        if user_input is not None:
            profile = PROFILES[user_input[CONF_PROFILE]]
            await self.async_set_unique_id(f"{VIRTUAL}_{profile.key}")
            self._abort_if_unique_id_configured()
            name = f"Virtual {profile.name} (test mode)"
            virtual = Candidate(address=VIRTUAL, name=name, profile=profile)
            if result := await self._try(virtual, errors):
                return result
        return self.async_show_form(
            step_id="virtual",
            data_schema=self.add_suggested_values_to_schema(
                _profile_schema(), user_input or {CONF_PROFILE: INVERTER.key}
            ),
            errors=errors,
            description_placeholders=self._placeholders(),
        )

    async def async_step_family(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the family of a device that nothing tells it of, and read it as that one."""
        assert self._candidate is not None
        errors: dict[str, str] = {}
        if user_input is not None:
            profile = PROFILES[user_input[CONF_PROFILE]]
            if result := await self._try(replace(self._candidate, profile=profile), errors):
                return result
        return self.async_show_form(
            step_id="family",
            data_schema=self.add_suggested_values_to_schema(_profile_schema(), user_input),
            errors=errors,
            description_placeholders=self._placeholders(self._candidate.name),
        )

    async def async_step_model(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the model of a device that does not name it, and read it as that one."""
        assert self._candidate is not None
        assert self._candidate.profile is not None
        errors: dict[str, str] = {}
        profile = self._candidate.profile
        if user_input is not None:
            model = profile.model(user_input[CONF_MODEL])
            if result := await self._try(replace(self._candidate, model=model), errors):
                return result
        options = [
            SelectOptionDict(value=item.key, label=_model_label(item)) for item in profile.models
        ]
        return self.async_show_form(
            step_id="model",
            data_schema=self.add_suggested_values_to_schema(
                _choice(CONF_MODEL, options), user_input
            ),
            errors=errors,
            description_placeholders=self._placeholders(self._candidate.name),
        )

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Let the user say what the device is, or find others behind its module."""
        entry = self._get_reconfigure_entry()
        profile = PROFILES[entry.data[CONF_PROFILE]]
        if profile.push is not None or entry.data[CONF_ADDRESS] == VIRTUAL:
            return await self.async_step_kind()
        return self.async_show_menu(
            step_id="reconfigure",
            menu_options=["kind", "find_units"],
            description_placeholders=self._placeholders(entry.title),
        )

    async def async_step_kind(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Let the user overrule the family and the model, and read the device as that."""
        errors: dict[str, str] = {}
        entry = self._get_reconfigure_entry()
        kinds = {
            f"{profile.key}:{model.key}": (profile, model)
            for profile in PROFILES.values()
            for model in profile.models
        }
        if user_input is not None:
            wanted = kinds.get(user_input[CONF_MODEL])
            if (told := await self._read(candidate_as(entry, wanted), errors)) is not None:
                candidate, reading = told
                if names_no_model(candidate, reading):
                    errors[CONF_MODEL] = "model_not_told"
                else:
                    data = entry.data | entry_data(candidate, reading)
                    data.pop(CONF_SERIAL_NUMBER, None)  # it may be another piece by now
                    if data[CONF_PROFILE] != entry.data[CONF_PROFILE]:
                        forget_readings(self.hass, entry)
                    return self.async_update_reload_and_abort(entry, data=data)
        options = [
            SelectOptionDict(value=AUTOMATIC, label="Automatic"),
            *(
                SelectOptionDict(value=key, label=f"{profile.name}: {_model_label(model)}")
                for key, (profile, model) in kinds.items()
            ),
        ]
        current = f"{entry.data[CONF_PROFILE]}:{entry.data.get(CONF_MODEL)}"
        return self.async_show_form(
            step_id="kind",
            data_schema=self.add_suggested_values_to_schema(
                _choice(CONF_MODEL, options),
                user_input or {CONF_MODEL: current if current in kinds else AUTOMATIC},
            ),
            errors=errors,
            description_placeholders=self._placeholders(entry.title),
        )

    async def async_step_find_units(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Look for other units behind the module, once the user says so."""
        errors: dict[str, str] = {}
        entry = self._get_reconfigure_entry()
        if entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="not_loaded")
        if user_input is not None:
            coordinator: BluPowCoordinator = entry.runtime_data.coordinator
            try:
                typed = user_input.get(CONF_UNIT)
                self._found = await coordinator.async_find_units(
                    () if typed is None else (int(typed),)
                )
            except ReaderError as err:
                errors["base"] = err.code.value
                self._detail = err.message
            else:
                units = coordinator.units
                if new_units(units, self._found):
                    return await self.async_step_add_units()
                data = with_units(entry.data, units, self._found, ())
                if data[CONF_MORE_UNITS] and data != entry.data:
                    return self.async_update_reload_and_abort(
                        entry, data=data, reason="units_moved"
                    )
                errors["base"] = "no_more_units"
        selector = NumberSelector(
            NumberSelectorConfig(min=1, max=UNIT_ADDRESSES[-1], mode=NumberSelectorMode.BOX)
        )
        return self.async_show_form(
            step_id="find_units",
            data_schema=self.add_suggested_values_to_schema(
                probatio.Schema({probatio.Optional(CONF_UNIT): selector}), user_input
            ),
            errors=errors,
            description_placeholders=self._placeholders(entry.title),
        )

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

    async def _try_address(
        self, address: str, name: str, errors: dict[str, str]
    ) -> ConfigFlowResult | None:
        """Set up the device of an address, or note why not."""
        await self.async_set_unique_id(address, raise_on_progress=False)
        self._abort_if_unique_id_configured()
        return await self._try(candidate_named(address, name), errors)

    async def _try(self, candidate: Candidate, errors: dict[str, str]) -> ConfigFlowResult | None:
        """Make an entry of a device that can be read, or note why it cannot."""
        told = await self._read(candidate, errors)
        if told is None:
            if candidate.profile is None and errors["base"] == ErrorCode.NO_RESPONSE:
                # connected, but nothing is recognised: the user may know what it is
                self._candidate = candidate
                return await self.async_step_family()
            return None
        candidate, reading = told
        if names_no_model(candidate, reading):
            self._candidate = candidate
            return await self.async_step_model()
        return self.async_create_entry(title=candidate.name, data=entry_data(candidate, reading))

    async def _read(
        self, candidate: Candidate, errors: dict[str, str]
    ) -> tuple[Candidate, UnitReading] | None:
        """Find out what a device is and read it, or note why it cannot be read."""
        try:
            if candidate.profile is None:
                candidate = await identify(self.hass, candidate)
            assert candidate.profile is not None
            return candidate, await read_once(self.hass, candidate, candidate.profile)
        except ReaderError as err:
            errors["base"] = err.code.value
            self._detail = err.message
            return None


@callback
def forget_readings(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Remove the entities of what the device turned out not to be; its link's entities stay."""
    registry = er.async_get(hass)
    base = entry.unique_id or entry.entry_id
    own = {f"{base}_{description.key}" for description in (*LINK_SENSORS, RECONNECT)}
    others = tuple(f"{base}_{unit[CONF_KEY]}_" for unit in entry.data.get(CONF_MORE_UNITS, ()))
    for item in er.async_entries_for_config_entry(registry, entry.entry_id):
        if item.unique_id not in own and not item.unique_id.startswith(others):
            registry.async_remove(item.entity_id)


def _choice(key: str, options: list[SelectOptionDict]) -> probatio.Schema:
    """Return the schema of a form that asks for one of several."""
    config = SelectSelectorConfig(
        options=options, translation_key=key, mode=SelectSelectorMode.DROPDOWN
    )
    return probatio.Schema({probatio.Required(key): SelectSelector(config)})


def _profile_schema() -> probatio.Schema:
    """Return the schema of a form that asks for the family."""
    options = [
        SelectOptionDict(value=profile.key, label=profile.name) for profile in PROFILES.values()
    ]
    return _choice(CONF_PROFILE, options)


def _model_label(model: Model) -> str:
    """Return a model, for people."""
    if model.key == OTHER_MODEL:
        return "another model: only what all known models have in common, unconfirmed"
    return model.devices


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
