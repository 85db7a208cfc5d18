"""Who may import whom: the rooms of the house, for every file."""

import ast
from collections.abc import Iterator
from pathlib import Path
import subprocess
import sys

import pytest

from custom_components.blupow.lib.blupow_ble.reader.process import LIB

ROOT = Path(__file__).resolve().parent.parent
COMPONENT = ROOT / "custom_components" / "blupow"
LIBRARY = LIB / "blupow_ble"
BRIDGE = ROOT / "bridge" / "blupow_bridge"

FLOORS = (
    ("output", "text", "waiting"),
    ("connection_log",),
    ("protocol",),
    ("profiles",),
    ("virtual",),
    ("reader",),
    ("supervisor",),
    ("bridge_messages",),
    ("cli",),
)
"""The rooms of the library, from the ground up: none imports a room above its own floor."""
MAY_TOUCH_BLUETOOTH = {
    "bluetooth_coordinator.py": "has its device read",
    "pending_device.py": "reads a device before there is an entry",
}
BLUETOOTH_MAY_USE = {"bluetooth", "const", "options", "lib"}


def imports_of(path: Path, top: Path) -> Iterator[tuple[str, bool]]:
    """Yield the modules that a file imports, those below `top` as dotted paths from it with a leading dot.

    With each, whether it is imported when the file is loaded, not for the type checker alone.
    """
    tree = ast.parse(path.read_text())
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) not in for_types) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if not node.level:
                yield node.module or "", id(node) not in for_types
                continue
            base = path.parent
            for _ in range(node.level - 1):
                base = base.parent
            package = ".".join(("", *base.relative_to(top).parts)).rstrip(".")
            if node.module:
                yield f"{package}.{node.module}", id(node) not in for_types
            else:
                yield from (
                    (f"{package}.{alias.name}", id(node) not in for_types) for alias in node.names
                )


def files(top: Path) -> list[Path]:
    """Return the files below a folder."""
    found = sorted(top.rglob("*.py"))
    assert found
    return found


def test_library_knows_no_home_assistant() -> None:
    """Nor anything of the component around it, nor a program that uses it."""
    for path in files(LIBRARY):
        for name, _ in imports_of(path, LIBRARY):
            assert name.split(".")[0] not in {"homeassistant", "custom_components", "simulator"}, (
                path
            )
            assert not name.startswith("..")


def test_bridge_knows_the_library_alone() -> None:
    """It runs where there is no Home Assistant; its parts beside the web server know nothing of that."""
    for path in files(BRIDGE):
        for name, _ in imports_of(path, BRIDGE):
            assert name.split(".")[0] not in {"homeassistant", "custom_components", "simulator"}, (
                path
            )
            if path.parent.name == "mqtt":
                assert not name.startswith((".http", ".hub", ".store", ".service")), path
            if path.parent.name == "store":
                assert name.startswith((".store", ".migrations")) or not name.startswith("."), path


def test_no_room_imports_one_above() -> None:
    """Protocol, profiles, reader, supervisor: each knows those below it alone."""
    floor = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
    for path in files(LIBRARY):
        inside = path.relative_to(LIBRARY).with_suffix("")
        room = inside.parts[0]
        if room in ("__init__", "__main__"):
            continue
        for name, _ in imports_of(path, LIBRARY):
            if not name.startswith("."):
                continue
            other = name.split(".")[1]
            allowed = floor[other] < floor[room] or other == room
            assert allowed, f"{inside} imports {name}"


def test_child_loads_neither_supervisor_nor_virtual_devices() -> None:
    """It starts in a tenth of a second."""
    code = (
        "import sys, blupow_ble.reader.child, blupow_ble.reader.link, blupow_ble.reader.reading;"
        "print([name for name in sys.modules if name.startswith("
        "('blupow_ble.supervisor', 'blupow_ble.virtual', 'homeassistant'))])"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={"PYTHONPATH": str(LIB)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_component_reads_through_its_coordinator() -> None:
    """Nothing but it, and the set-up of a device, touches the Bluetooth."""
    for path in files(COMPONENT):
        inside = path.relative_to(COMPONENT)
        if inside.parts[0] in ("lib", "bluetooth") or inside.name in MAY_TOUCH_BLUETOOTH:
            continue
        for name, _ in imports_of(path, COMPONENT):
            assert not f"{name}.".startswith(".bluetooth."), f"{inside} imports {name}"
            assert name.split(".")[0] != "simulator", inside


def test_bluetooth_knows_nothing_of_entries_and_entities() -> None:
    """It serves whoever reads a device."""
    for path in files(COMPONENT / "bluetooth"):
        for name, _ in imports_of(path, COMPONENT):
            if name.startswith("."):
                assert name.split(".")[1] in BLUETOOTH_MAY_USE, f"{path.name} imports {name}"


@pytest.mark.parametrize("top", [COMPONENT, LIBRARY, BRIDGE, ROOT / "simulator"])
def test_no_import_circles(top: Path) -> None:
    """What is imported for the type checker alone does not count."""
    modules = {
        ".".join(("", *path.relative_to(top).with_suffix("").parts)): path for path in files(top)
    }

    def resolved(name: str) -> str | None:
        for found in (name, f"{name}.__init__", name.rpartition(".")[0]):
            if found in modules:
                return found
        return None

    graph = {
        module: {
            target
            for name, loaded in imports_of(path, top)
            if loaded
            and name.startswith(".")
            and (target := resolved(name)) not in (None, module, ".__init__")
        }
        for module, path in modules.items()
    }
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join((*way[way.index(module) :], module))
        if module not in done:
            for target in sorted(graph[module]):
                visit(target, (*way, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def test_nothing_but_scripts_and_tests_imports_the_simulator() -> None:
    """Users do not have it."""
    for path in files(COMPONENT):
        assert not [name for name, _ in imports_of(path, COMPONENT) if name.startswith("simulator")]
