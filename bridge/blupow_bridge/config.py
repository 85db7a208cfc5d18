"""The configuration of a bridge: one TOML file, checked as a whole; environment variables overrule it.

An error names the line, what is wrong with it, and what may stand there.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import time
import os
from pathlib import Path
import re
import tomllib
from typing import Annotated, Final, Literal, Self, override
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from blupow_ble.bridge_messages import DeviceDescription, UnitDescription
from blupow_ble.profiles import PROFILES
from blupow_ble.profiles.profile import Model, Profile
from blupow_ble.reader.messages import VIRTUAL
from blupow_ble.reader.plan import OWN_UNIT
from blupow_ble.supervisor.options import LONGEST_INTERVAL, Options
from blupow_ble.supervisor.reconnection import Strategy
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

ENVIRONMENT_PREFIX: Final = "BLUPOW_"
DEFAULT_PATH: Final = Path("/etc/blupow/bridge.toml")
UPDATE_INTERVAL: Final = 60

SECRETS: Final = frozenset({"password", "url"})
"""What is shown to nobody, not even where it is wrong."""

type Location = tuple[int | str, ...]


class ConfigError(Exception):
    """A configuration that cannot be used; `lines` say where and why, each a sentence."""

    def __init__(self, lines: Sequence[str]) -> None:
        """Keep the lines."""
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


def _address(text: str) -> str:
    address = text.strip().upper().replace("-", ":")
    if not re.fullmatch(r"[0-9A-F]{2}(:[0-9A-F]{2}){5}", address):
        raise ValueError("no Bluetooth address; one looks like C4:D3:6A:66:7E:D4")
    return address


def _profile(text: str) -> str:
    if text not in PROFILES:
        raise ValueError(f"unknown profile; there are: {', '.join(PROFILES)}")
    return text


def _topic(text: str) -> str:
    if not re.fullmatch(r"[^\s+#/$][^\s+#/]*(/[^\s+#/]+)*", text):
        raise ValueError("no beginning of a topic; one looks like blupow or vans/blupow")
    return text


def _host(text: str) -> str:
    try:
        text.encode("idna")
    except UnicodeError as err:
        raise ValueError("no name or address of a machine") from err
    return text


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as err:
        raise ValueError("unknown time zone; one looks like Europe/Berlin") from err
    return text


class _Section(BaseModel):
    """A part of the file: a name that is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class UnitConfig(_Section):
    """A further unit behind a module."""

    unit_id: Annotated[int, Field(ge=1, le=247)]
    profile: Annotated[str, AfterValidator(_profile)]
    model: str | None = None
    serial_number: str | None = None

    @model_validator(mode="after")
    def _known_model(self) -> Self:
        _model_of(self.profile, self.model)
        return self


class DeviceConfig(_Section):
    """A device, and the options of its link. Times are seconds."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    address: Annotated[str, AfterValidator(_address)] | None = None
    """None is a virtual device."""
    virtual: bool = False
    profile: Annotated[str, AfterValidator(_profile)]
    model: str | None = None
    unit_id: Annotated[int, Field(ge=1, le=255)] | None = None
    units: tuple[UnitConfig, ...] = ()
    update_interval: Annotated[int, Field(ge=10, le=LONGEST_INTERVAL)] = UPDATE_INTERVAL
    connect_timeout: Annotated[int, Field(ge=5, le=60)] | None = None
    cache_time: Annotated[int, Field(ge=10, le=3600)] = Options().cache_time
    grace_time: Annotated[int, Field(ge=10, le=7200)] = Options().grace_time
    heartbeat_interval: Annotated[int, Field(ge=10, le=600)] = Options().heartbeat_interval
    stale_age: Annotated[int, Field(ge=20, le=3600)] = Options().stale_age
    stale_checks: Annotated[int, Field(ge=1, le=10)] = Options().stale_checks
    recovery_limit: Annotated[int, Field(ge=1, le=100)] = Options().recovery_limit
    daily_reconnect: time | None = None
    may_be_off: bool = False
    allow_changes: bool = False

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        _model_of(self.profile, self.model)
        if self.virtual == (self.address is not None):
            raise ValueError("a device has an address, or `virtual = true`")
        if self.grace_time < self.cache_time:
            raise ValueError("grace_time must not be shorter than cache_time")
        keys = [unit.unit_id for unit in self.units]
        if len(set(keys)) != len(keys):
            raise ValueError("two units have the same unit_id")
        return self

    @property
    def id(self) -> str:
        """What the device is called in addresses of the web server."""
        if self.address is None:
            return f"{VIRTUAL}_{self.profile}"
        return self.address.replace(":", "").lower()

    @property
    def options(self) -> Options:
        """The options of its supervisor."""
        return Options(
            update_interval=self.update_interval,
            connect_timeout=self.connect_timeout,
            cache_time=self.cache_time,
            grace_time=self.grace_time,
            unit_id=self.unit_id,
            heartbeat_interval=self.heartbeat_interval,
            stale_age=self.stale_age,
            stale_checks=self.stale_checks,
            recovery_limit=self.recovery_limit,
            daily_reconnect=self.daily_reconnect,
            may_be_off=self.may_be_off,
            allow_changes=self.allow_changes,
        )

    @property
    def description(self) -> DeviceDescription:
        """The device as clients know it."""
        own = UnitDescription(
            key=OWN_UNIT,
            profile=PROFILES[self.profile],
            model=_model_of(self.profile, self.model),
            unit_id=self.unit_id,
        )
        others = (
            UnitDescription(
                key=str(unit.unit_id),
                profile=PROFILES[unit.profile],
                model=_model_of(unit.profile, unit.model),
                unit_id=unit.unit_id,
                serial_number=unit.serial_number,
            )
            for unit in self.units
        )
        return DeviceDescription(
            id=self.id,
            address=self.address or VIRTUAL,
            name=self.name,
            virtual=self.virtual,
            update_interval=self.update_interval,
            may_be_off=self.may_be_off,
            allow_changes=self.allow_changes,
            units=(own, *others),
        )


class HttpConfig(_Section):
    """The web server."""

    host: str = "127.0.0.1"
    """Other machines reach it once this is "0.0.0.0", "::" or an address of this machine."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8126
    certificate: Path | None = None
    key: Path | None = None
    requests_per_minute: Annotated[int, Field(ge=10, le=100_000)] = 600
    """Of one client address."""
    announce: bool = True
    """Tell the network by zeroconf, unless only this machine can reach it."""

    @model_validator(mode="after")
    def _both_files(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("TLS needs both `certificate` and `key`")
        for path in (self.certificate, self.key):
            if path is not None and not path.is_file():
                raise ValueError(f"there is no file {path}")
        return self


class StoreConfig(_Section):
    """The database, and how long it keeps what. Days; 0 is for ever."""

    url: SecretStr | None = None
    """None is a file of SQLite in the data folder."""
    raw_days: Annotated[int, Field(ge=0, le=36_500)] = 30
    hourly_days: Annotated[int, Field(ge=0, le=36_500)] = 0

    @model_validator(mode="after")
    def _known_database(self) -> Self:
        url = self.url.get_secret_value() if self.url else "sqlite:"
        if not url.startswith(
            ("sqlite:", "sqlite+aiosqlite:", "postgresql:", "postgresql+asyncpg:")
        ):
            raise ValueError("url must begin with sqlite:// or postgresql://")
        return self


class MqttConfig(_Section):
    """The broker that the bridge publishes to."""

    host: Annotated[str, Field(min_length=1, max_length=253), AfterValidator(_host)]
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """1883 by default, 8883 with TLS."""
    username: str | None = None
    password: SecretStr | None = None
    password_file: Path | None = None
    """Its content is the password, or a token."""
    password_command: tuple[str, ...] = ()
    """A program with its arguments, which prints the password, or a token."""
    tls: bool = False
    ca_file: Path | None = None
    """Who has signed the broker's certificate, if that is nobody whom this machine trusts anyway."""
    certificate: Path | None = None
    """Of this client, where the broker asks for one."""
    key: Path | None = None
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    """`auto` is MQTT 5, and 3.1.1 where the broker does not have it."""
    keepalive: Annotated[int, Field(ge=5, le=3600)] = 60
    """Seconds."""
    strategy: Strategy = Strategy.BACK_OFF
    """What a recovery does once ten attempts to reconnect have failed."""
    topic_prefix: Annotated[str, AfterValidator(_topic)] = "blupow"
    discovery: bool = True
    """Describe all entities to Home Assistant."""
    discovery_prefix: Annotated[str, AfterValidator(_topic)] = "homeassistant"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        passwords = (self.password, self.password_file, self.password_command or None)
        if sum(item is not None for item in passwords) > 1:
            raise ValueError("give one of password, password_file, and password_command")
        if self.username is None and any(item is not None for item in passwords):
            raise ValueError("a password needs a username")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("a client certificate needs both `certificate` and `key`")
        if not self.tls and (self.ca_file is not None or self.certificate is not None):
            raise ValueError("certificates need `tls = true`")
        return self

    @property
    def address(self) -> tuple[str, int]:
        """The host and the port."""
        return self.host, self.port or (8883 if self.tls else 1883)


class Config(BaseSettings):
    """The configuration of one bridge."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    name: Annotated[str, Field(min_length=1, max_length=64)] = "BluPow bridge"
    data: Path = Path("/var/lib/blupow")
    """The folder of the database, the token, and what is kept of the devices."""
    time_zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    """By whose days and hours the energy of a day is counted."""
    log_level: Literal["debug", "info", "warning"] = "info"
    http: HttpConfig = HttpConfig()
    store: StoreConfig = StoreConfig()
    mqtt: MqttConfig | None = None
    devices: tuple[DeviceConfig, ...] = ()

    @classmethod
    @override
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Have environment variables overrule the file."""
        assert isinstance(init_settings, InitSettingsSource)
        return env_settings, init_settings

    @model_validator(mode="after")
    def _no_device_twice(self) -> Self:
        ids = [device.id for device in self.devices]
        if twice := sorted({item for item in ids if ids.count(item) > 1}):
            raise ValueError(f"two devices have the same address: {', '.join(twice)}")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The time zone."""
        return ZoneInfo(self.time_zone)


def load(path: Path) -> Config:
    """Return the configuration of a file. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as err:
        reason = err.strerror if isinstance(err, OSError) else "it is no UTF-8 text"
        raise ConfigError([f"{path}: cannot be read: {reason}"]) from err
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as err:
        raise ConfigError([f"{path}:{err.lineno}: no TOML: {err.msg}"]) from err
    try:
        return Config(**content)
    except ValidationError as err:
        raise ConfigError(list(_sentences(path, text, err))) from err
    except ValueError as err:  # an environment variable that is no JSON
        raise ConfigError([f"environment variables {ENVIRONMENT_PREFIX}*: {err}"]) from err


def _sentences(path: Path, text: str, err: ValidationError) -> Iterator[str]:
    """Go through what is wrong, each with its line."""
    for error in err.errors(include_url=False):
        location = error["loc"]
        where = f"{path}:{line_of(text, location)}"
        name = ".".join(str(part) for part in location)
        if set_by_environment(location):
            where = (
                f"environment variable {ENVIRONMENT_PREFIX}{'__'.join(map(str, location)).upper()}"
            )
        match error["type"]:
            case "extra_forbidden":
                known = ", ".join(_names_beside(location))
                yield f"{where}: there is no {name}; known are: {known}"
            case "missing":
                yield f"{where}: {name} is missing"
            case _:
                message = str(error["msg"]).removeprefix("Value error, ")
                given = error["input"]
                secret = location and location[-1] in SECRETS
                plain = isinstance(given, str | int | float | bool) and not secret
                shown = f" ({given!r})" if plain else ""
                yield f"{where}: {name or 'the file'}: {message}{shown}"


def set_by_environment(location: Location, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether what stands at a location comes from an environment variable."""
    name = f"{ENVIRONMENT_PREFIX}{'__'.join(map(str, location))}".upper()
    return bool(location) and name in environment


def line_of(text: str, location: Location) -> int:
    """Return the number of the line in a TOML text that a location is about: its key, else its table."""
    tables: dict[Location, int] = {(): 1}
    keys: dict[Location, int] = {}
    counts: dict[Location, int] = {}
    table: Location = ()
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if match := re.fullmatch(r"\[\[([^\]]+)\]\]\s*(#.*)?", stripped):
            table = _numbered(match[1], counts)
            counts[table] = counts.get(table, -1) + 1
            table = (*table, counts[table])
            tables.setdefault(table, number)
        elif match := re.fullmatch(r"\[([^\]]+)\]\s*(#.*)?", stripped):
            table = _numbered(match[1], counts)
            tables.setdefault(table, number)
        elif match := re.match(r"([A-Za-z0-9_.\-]+)\s*=", stripped):
            keys.setdefault((*table, *match[1].split(".")), number)
    for end in range(len(location), -1, -1):
        if (found := keys.get(location[:end]) or tables.get(location[:end])) is not None:
            return found
    return 1


def _numbered(name: str, counts: Mapping[Location, int]) -> Location:
    """Return where a table is: the parts of its name, with the numbers of the lists that it is in."""
    found: Location = ()
    parts = [part.strip() for part in name.split(".")]
    for index, part in enumerate(parts):
        found = (*found, part)
        if index < len(parts) - 1 and found in counts:
            found = (*found, counts[found])
    return found


def _names_beside(location: Location) -> list[str]:
    """Return the names that are known where an unknown one stands."""
    section: type[BaseModel] = Config
    for part in location[:-1]:
        if isinstance(part, str):
            section = _SECTIONS.get(part, section)
    return list(section.model_fields)


_SECTIONS: Final[Mapping[str, type[BaseModel]]] = {
    "http": HttpConfig,
    "store": StoreConfig,
    "mqtt": MqttConfig,
    "devices": DeviceConfig,
    "units": UnitConfig,
}


def _model_of(profile_key: str, key: str | None) -> Model | None:
    """Return a model of a profile. Raises ValueError."""
    profile: Profile = PROFILES[profile_key]
    if key is None:
        return None
    if (model := profile.model_named(key)) is None:
        known = ", ".join(model.key for model in profile.models)
        raise ValueError(f"unknown model {key!r}; models of {profile_key} are: {known}")
    return model
