"""Files that are written as a whole or not at all."""

from pathlib import Path


def write_whole(path: Path, content: str) -> None:
    """Write a file, and make its folder. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    new.write_text(content, encoding="utf-8")
    new.replace(path)
