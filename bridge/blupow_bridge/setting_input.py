"""What a client may send as the new value of a setting; the profile says which of it is right."""

from typing import Annotated, Final

from pydantic import Field

MOST_CHANGES: Final = 20
"""Settings that are changed by one command."""
LARGEST: Final = 10**9

# no type statements: pydantic would refer to them by name, which the API documents cannot follow
SettingInput = (
    bool
    | Annotated[int, Field(ge=-LARGEST, le=LARGEST)]
    | Annotated[float, Field(ge=-LARGEST, le=LARGEST)]
    | Annotated[str, Field(max_length=64)]
)
Changes = Annotated[dict[str, SettingInput], Field(min_length=1, max_length=MOST_CHANGES)]
