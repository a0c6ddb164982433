"""A command line of qemu-img, taken apart."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

HINT = "Try 'qemu-img --help' for more information"
LUKS_OPTIONS = (
    "key-secret",
    "cipher-alg",
    "cipher-mode",
    "ivgen-alg",
    "ivgen-hash-alg",
    "hash-alg",
    "iter-time",
)
_CREATE_OPTIONS = {
    "luks": LUKS_OPTIONS,
    "qcow2": ("backing_file", "backing_fmt", "preallocation", "compat"),
}
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SECTOR = 512
# Options by command: those that take a value, and those that do not.
_OPTIONS = {
    "info": ({"-f", "--output", "--object"}, {"-U", "--force-share", "--image-opts", "--backing-chain"}),
    "commit": ({"-f", "-t"}, {"-q", "-d"}),
    "create": ({"-f", "-o", "-b", "-F", "--object"}, {"-q", "-u"}),
    "rebase": ({"-f", "-b", "-F"}, {"-q", "-u"}),
    "convert": (
        {"-f", "-O", "-o", "-t", "-T", "-S", "-m", "--object"},
        {"-n", "-p", "-q", "-W", "-U", "--force-share", "--image-opts"},
    ),
    "resize": ({"-f", "--object"}, {"-q", "--shrink", "--image-opts"}),
}


class Failure(Exception):
    """The command ends here, with status 1. `stdout` was said before, `hint` follows the message."""

    def __init__(self, message: str, *, stdout: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.stdout = stdout
        self.hint = hint


@dataclass
class Call:
    """Operands and options; `options` are those of ``-o``, in order, `secrets` those of ``--object``."""

    words: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    flags: set[str] = field(default_factory=set)
    options: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, bytes] = field(default_factory=dict)

    @property
    def image(self) -> str:
        """The one operand. Failure if there is another number of them."""
        if len(self.words) != 1:
            raise Failure(f"Expecting one image file name\n{HINT}")
        return self.words[0]

    def key(self, options: dict[str, str]) -> bytes:
        """The secret that the options of an image name. Failure if there is none."""
        name = options.get("key-secret")
        if name is None:
            raise Failure("Parameter 'key-secret' is required for cipher")
        if name not in self.secrets:
            raise Failure(f"No secret with id '{name}'")
        return self.secrets[name]


def parse(command: str, arguments: list[str], read: Callable[[str], bytes]) -> Call:
    """Take the arguments of a command apart; `read` reads the file of a secret. Failure."""
    valued, plain = _OPTIONS[command]
    call = Call()
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if not word.startswith("-"):
            call.words.append(word)
        elif word in plain:
            call.flags.add(word)
        elif name in valued and (equals or rest):
            _take(call, name, value if equals else rest.pop(0), read)
        elif word.startswith("--"):
            raise Failure(f"unrecognized option '{name}'\n{HINT}")
        else:
            raise Failure(f"unrecognized option '{word}'\n{HINT}")
    return call


def _take(call: Call, name: str, value: str, read: Callable[[str], bytes]) -> None:
    if name == "-o":
        call.options |= pairs(value)
    elif name == "--object":
        kind, _, rest = value.partition(",")
        properties = pairs(rest)
        if kind != "secret":
            raise Failure(f"invalid object type: {kind}")
        secret = read(properties["file"]) if "file" in properties else properties.get("data", "").encode()
        call.secrets[properties["id"]] = secret
    else:
        call.values[name] = value


def pairs(text: str) -> dict[str, str]:
    """``a=b,c=d``; a comma in a value is doubled."""
    parts = re.split(r"(?<!,),(?!,)", text) if text else []
    return {name: value.replace(",,", ",") for name, _, value in (part.partition("=") for part in parts)}


def size_of(text: str) -> int:
    """``10G`` in bytes, in whole sectors. Failure."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([bkmgt]?)", text.lower())
    if match is None:
        raise Failure(
            "Invalid image size specified! You may use k, M, G, T, P or E suffixes for kilobytes, megabytes, "
            "gigabytes, terabytes, petabytes and exabytes."
        )
    return whole_sectors(int(float(match[1]) * _UNITS[match[2]]))


def whole_sectors(size: int) -> int:
    """QEMU sees the end of a file as a whole sector."""
    return -(-size // _SECTOR) * _SECTOR


def check_format(name: str, message: str) -> None:
    """Failure for a format that is not known."""
    if name not in ("raw", "luks", "qcow2"):
        raise Failure(f"{message} '{name}'")


def check_options(path: str, format: str, options: dict[str, str]) -> None:
    """Failure for an option that images of this format have not."""
    for option in options:
        if option not in _CREATE_OPTIONS.get(format, ()):
            raise Failure(f"{path}: Invalid parameter '{option}'")
