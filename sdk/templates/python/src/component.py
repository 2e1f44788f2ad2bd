"""Where the node meets the program. Whatever goes wrong behind here ends as an answer: what escapes would end the
component, and with it the text of the error."""

import json
import sys

from componentize_py_types import Err
from failure import AGAIN, NodeFailure
from node import DESCRIPTION, process
from parts import with_parts
from ports import HostPorts
from wit_world import exports
from wit_world.imports import log, settings
from wit_world.imports.types import Answer, Failure, Message

ERROR, INFORMATION = 1, 3
MOST_FRAMES = 20


class Lines:
    """What is printed goes to the log: there is no other place for it."""

    def write(self, text: str) -> int:
        if text.strip():
            log.write(INFORMATION, text.rstrip("\n"))
        return len(text)

    def flush(self) -> None:
        pass


class Action(exports.Action):
    def describe(self) -> str:
        return json.dumps(DESCRIPTION)

    def process(self, message: Message) -> Answer:
        sys.stdout = sys.stderr = Lines()
        try:
            body = json.loads(message.body)
            contract = json.loads(settings.contract())
            result = process(body, json.loads(settings.get()), contract, HostPorts())
            text = with_parts(message.body, result.get("parts", {}))
            return Answer(Message(text, message.headers), result.get("route"), result.get("end"))
        except Err:
            # An import has failed, and says by itself what happens next.
            raise
        except NodeFailure as failure:
            detail = None if failure.after_ms is None else json.dumps({"after_ms": failure.after_ms})
            raise Err(Failure(failure.code, failure.reason, detail)) from None
        except BaseException as error:
            said = f"{type(error).__name__}: {error}".removesuffix(": ")
            log.write(ERROR, f"{said}\n{stack_of(error)}")
            raise Err(Failure(AGAIN, f"the node has a mistake in it: {said}", None)) from None


def stack_of(error: BaseException) -> str:
    """As `traceback` writes it, which would look for the source in a file, and there are no files."""
    frames = []
    step = error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        frames.append(f"  {code.co_filename}:{step.tb_lineno} in {code.co_name}")
        step = step.tb_next
    return "\n".join(frames[-MOST_FRAMES:])
