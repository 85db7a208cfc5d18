"""Which repairs are shown: what a user can mend, from when it is worth telling until it is over."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .lib.blupow_ble.protocol.errors import ErrorCode, ReaderError, Stage
from .lib.blupow_ble.text import plain
from .texts import setting_name

if TYPE_CHECKING:
    from .coordinator import BluPowConfigEntry, BluPowCoordinator


class IssueKind(StrEnum):
    """What a user can mend."""

    NOT_HEARD = "not_heard"
    NO_CONNECTABLE_SCANNER = "no_connectable_scanner"
    PAIRING_REQUIRED = "pairing_required"
    HELD_BY_OTHER = "held_by_other"
    ADAPTER_GONE = "adapter_gone"
    NO_BLUETOOTH = "no_bluetooth"
    READER_CANNOT_START = "reader_cannot_start"
    READ_IN_PROCESS = "read_in_process"
    WRONG_FAMILY = "wrong_family"
    UNIT_NOT_FOUND = "unit_not_found"
    RECOVERY_GIVEN_UP = "recovery_given_up"
    EARLIER_RELEASE = "earlier_release"
    UNIT_FOUND = "unit_found"
    SETTINGS_WRITTEN_OFTEN = "settings_written_often"
    BRIDGE_UNREACHABLE = "bridge_unreachable"
    BRIDGE_NEWER = "bridge_newer"
    READ_TWICE = "read_twice"


CAUSES: Final[Mapping[ErrorCode, IssueKind]] = {
    ErrorCode.NOT_ADVERTISING: IssueKind.NOT_HEARD,
    ErrorCode.NO_CONNECTABLE_SCANNER: IssueKind.NO_CONNECTABLE_SCANNER,
    ErrorCode.PAIRING_REQUIRED: IssueKind.PAIRING_REQUIRED,
    ErrorCode.HELD_BY_OTHER: IssueKind.HELD_BY_OTHER,
    ErrorCode.ADAPTER_UNAVAILABLE: IssueKind.ADAPTER_GONE,
    ErrorCode.READER_CRASHED: IssueKind.READER_CANNOT_START,
    ErrorCode.SERVICE_MISSING: IssueKind.WRONG_FAMILY,
    ErrorCode.MODBUS_EXCEPTION: IssueKind.WRONG_FAMILY,
    ErrorCode.NO_RESPONSE: IssueKind.UNIT_NOT_FOUND,
    ErrorCode.WRONG_UNIT: IssueKind.UNIT_NOT_FOUND,
    ErrorCode.BRIDGE_UNREACHABLE: IssueKind.BRIDGE_UNREACHABLE,
}
NOT_FIXABLE: Final = frozenset(
    {IssueKind.WRONG_FAMILY, IssueKind.SETTINGS_WRITTEN_OFTEN, IssueKind.BRIDGE_NEWER}
)
"""What the device's menu mends, not a flow of the repair's own."""


NOT_OF_THE_LAST_ERROR: Final = frozenset(
    {IssueKind.RECOVERY_GIVEN_UP, IssueKind.READ_IN_PROCESS, IssueKind.SETTINGS_WRITTEN_OFTEN}
)


def cause(error: ReaderError | None) -> IssueKind | None:
    """Return what a user can mend about an error; None where nothing comes to mind."""
    if error is None:
        return None
    if error.code is ErrorCode.READER_CRASHED and error.stage is not Stage.START:
        return None
    if error.code is ErrorCode.ADAPTER_UNAVAILABLE and error.stage is Stage.START:
        return IssueKind.NO_BLUETOOTH
    return CAUSES.get(error.code)


class Issues:
    """The repairs of one device."""

    def __init__(self, hass: HomeAssistant, coordinator: BluPowCoordinator) -> None:
        """Start with none shown."""
        self._hass = hass
        self._coordinator = coordinator
        self._shown: set[IssueKind] = set()

    @callback
    def update(self) -> None:
        """Show what is wrong once the last fresh reading is stale, and only as long as it is.

        The cause stays until another one is known: errors that say less do not take it back.
        """
        coordinator = self._coordinator
        link = coordinator.supervisor.link
        wanted: set[IssueKind] = set()
        overdue = coordinator.options.watchdog.stale(coordinator.supervisor.health.silence)
        if link.failures and overdue and not coordinator.supervisor.health.excused:
            known = cause(link.last_error)
            wanted = {known} if known else self._shown - NOT_OF_THE_LAST_ERROR
            if self._coordinator.supervisor.watchdog.given_up:
                wanted.add(IssueKind.RECOVERY_GIVEN_UP)
        if coordinator.why_no_process is not None:
            wanted.add(IssueKind.READ_IN_PROCESS)
        if self._written_often():
            wanted.add(IssueKind.SETTINGS_WRITTEN_OFTEN)
        self._show(wanted)

    def _written_often(self) -> str:
        """Return the settings that were sent too often today, and how often."""
        today = dt_util.now().date()
        return ", ".join(
            f"{setting_name(self._hass, key)} ({count})"
            for unit in self._coordinator.supervisor.units
            for key, count in unit.settings.writes.too_often(today).items()
        )

    @callback
    def clear(self) -> None:
        """Show none any more."""
        self._show(set())

    def _show(self, wanted: set[IssueKind]) -> None:
        for kind in self._shown - wanted:
            self._remember(self._issue_id(kind))
            ir.async_delete_issue(self._hass, DOMAIN, self._issue_id(kind))
        for kind in wanted:  # what is shown already is left as it is
            data: dict[str, str | int | float | None] = {"kind": kind.value}
            if kind is IssueKind.READ_IN_PROCESS:
                reason = self._coordinator.why_no_process
                placeholders = {"reason": reason or ""}
            else:
                data |= {
                    "entry_id": self._coordinator.config_entry.entry_id,
                    "key": self._coordinator.key,
                }
                placeholders = {"name": plain(self._coordinator.name)}
            if kind is IssueKind.SETTINGS_WRITTEN_OFTEN:
                placeholders["settings"] = self._written_often()
            ir.async_create_issue(
                self._hass,
                DOMAIN,
                self._issue_id(kind),
                data=data,
                is_fixable=kind not in NOT_FIXABLE,
                severity=ir.IssueSeverity.WARNING,
                translation_key=kind.value,
                translation_placeholders=placeholders,
            )
            if kind not in self._shown and self._issue_id(kind) in self._ignored:
                ir.async_ignore_issue(self._hass, DOMAIN, self._issue_id(kind), ignore=True)
        self._shown = wanted

    @property
    def _ignored(self) -> set[str]:
        return self._coordinator.supervisor.link.ignored_repairs

    def _remember(self, issue_id: str) -> None:
        remember_ignored(self._hass, self._ignored, issue_id)

    def _issue_id(self, kind: IssueKind) -> str:
        of_bridge = kind is IssueKind.BRIDGE_UNREACHABLE
        entry_id = self._coordinator.config_entry.entry_id
        return issue_id_of(kind, entry_id if of_bridge else self._coordinator.key)


def issue_id_of(kind: IssueKind, key: str) -> str:
    """Return the id of a repair; a problem of the machine has one repair, not one for each device."""
    return kind.value if kind is IssueKind.READ_IN_PROCESS else f"{kind}_{key}"


@callback
def tell_of_earlier_release(hass: HomeAssistant, entry: BluPowConfigEntry) -> None:
    """Tell that an entry of release 3 names no device, and what to do."""
    kind = IssueKind.EARLIER_RELEASE
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id_of(kind, entry.entry_id),
        data={"kind": kind.value, "entry_id": entry.entry_id},
        is_fixable=True,
        severity=ir.IssueSeverity.WARNING,
        translation_key=kind.value,
        translation_placeholders={"name": plain(entry.title)},
    )


@callback
def forget_earlier_release(hass: HomeAssistant, entry: BluPowConfigEntry) -> None:
    """Take that back: the entry was removed."""
    ir.async_delete_issue(hass, DOMAIN, issue_id_of(IssueKind.EARLIER_RELEASE, entry.entry_id))


@callback
def remember_ignored(hass: HomeAssistant, ignored: set[str], issue_id: str) -> None:
    """Remember whether the user has ignored a repair that is shown: deleted, it may come again."""
    issue = ir.async_get(hass).async_get_issue(DOMAIN, issue_id)
    if issue is None or not issue.active:
        return
    if issue.dismissed_version is not None:
        ignored.add(issue_id)
    else:
        ignored.discard(issue_id)


@callback
def remember_all_ignored(hass: HomeAssistant, coordinator: BluPowCoordinator) -> None:
    """Remember which repairs of a link the user has ignored, before it is unloaded."""
    ignored = coordinator.supervisor.link.ignored_repairs
    for kind in IssueKind:
        remember_ignored(hass, ignored, issue_id_of(kind, coordinator.key))
