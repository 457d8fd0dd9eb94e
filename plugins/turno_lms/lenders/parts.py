"""What every part of a lender mapping is built from."""

import difflib
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Name = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9]*(_[a-z0-9]+)*$", max_length=40)]


def wrong(message: str, *place: str) -> PydanticCustomError:
    """A complaint about a key some steps below the part being checked: it is told with that key's line."""
    return PydanticCustomError("wrong", "{message}", {"message": message, "place": place})


class Part(BaseModel):
    """Base of every part of a mapping."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        """Name an unknown key together with the known one it resembles."""
        known = [field.alias or name for name, field in cls.model_fields.items()]
        unknown = [str(key) for key in data if key not in known] if isinstance(data, dict) else []
        if unknown:
            close = difflib.get_close_matches(unknown[0], known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"
            raise PydanticCustomError(
                "unknown_key", "unknown key {key}; {hint}", {"key": unknown[0], "hint": hint}
            )
        return data
