"""The release of the bridge."""

from importlib.metadata import PackageNotFoundError, version


def release() -> str:
    """Return the release of the bridge."""
    try:
        return version("blupow")
    except PackageNotFoundError:
        return "development"
