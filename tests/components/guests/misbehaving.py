"""In the place of a template's node: does what its body says."""

from wit_world.imports import secrets

DESCRIPTION = {"kind": "misbehaving", "about": "Does what its body says, the worst included."}


def loop(body):
    while True:
        pass


def memory(body):
    held = []
    while True:
        held.append(bytearray(b"x" * (1 << 20)))


def recursion(body):
    return 1 + recursion(body)


def careless(body):
    raise TypeError("nobody has thought of this")


def file(body):
    with open(body["path"]) as opened:
        return opened.read()


def network(body):
    from urllib.request import urlopen

    return urlopen(body["url"]).status


DEEDS = {
    "answer": lambda body: {"answered": True},
    "loop": loop,
    "memory": memory,
    "recursion": recursion,
    "error": careless,
    "huge": lambda body: {"text": "x" * (5 << 20)},
    "secret": lambda body: {"length": len(secrets.get(body["name"]))},
    "file": file,
    "network": network,
}


def process(body, settings, contract, ports):
    return {"parts": DEEDS[body["deed"]](body)}
