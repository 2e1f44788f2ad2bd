"""What a node makes of a message: parts of its own, and nothing else of it."""

import json
from typing import Any, TypedDict


class Result(TypedDict, total=False):
    """What the node has made of a message."""

    #: What it adds. All else goes on as it came.
    parts: dict[str, Any]
    #: One of the routes that the node describes; without it every follower gets the message.
    route: str
    #: Ends the message here: one line about why.
    end: str


def with_parts(text: str, parts: dict[str, Any]) -> str:
    """The text of a message's body with these parts. What is in it already keeps its text: Python reads `1e2` and writes
    `100.0`, and whoever comes next would take that for an edit. Of two parts with one name the program takes the last."""
    added = json.dumps(parts, allow_nan=False)[1:-1]
    if not added:
        return text
    kept = text[: text.rindex("}")].rstrip()
    return f"{kept}{'' if kept.endswith('{') else ','}{added}}}"
