"""Why a node did not finish."""

#: The record is looked at again, and that counts as a try.
AGAIN = 1
#: The record is looked at again, and that does not count: something is waited for that passes by itself.
WAIT = 2
#: The message goes to the trash.
TRASH = 3


class NodeFailure(Exception):
    """The reason is for the operator, with no personal data but ids."""

    def __init__(self, code: int, reason: str, after_ms: int | None = None):
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.after_ms = after_ms
