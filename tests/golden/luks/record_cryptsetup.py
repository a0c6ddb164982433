"""Record what cryptsetup answers on plain files: ``python record_cryptsetup.py > cryptsetup.json``.

Needs cryptsetup 2.6 and no rights. Everything that needs the device mapper is left out. `{D}` stands for the
directory; uuids, salts, digests and the usage text are normalised by `normalised`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

SIZES = {"luks1": 20 << 20, "luks2": 20 << 20, "small1": 1 << 20, "small2": 1 << 20}
KEYS = {"key": "secret", "sec": "second", "bad": "wrong"}
FAST = "--pbkdf pbkdf2 --pbkdf-force-iterations 1000"


def scenario() -> list[tuple[str, str]]:
    """Command lines and what they get on standard input."""
    steps: list[tuple[str, str]] = []
    for kind in ("luks1", "luks2"):
        file = f"{{D}}/{kind}"
        layout = f"--type {kind} --cipher aes-xts-plain64 --key-size 256"
        steps += [
            (f"isLuks {file}", ""),
            (f"-v isLuks {file}", ""),
            (f"luksDump {file}", ""),
            (f"luksUUID {file}", ""),
            (f"--batch-mode luksFormat {layout} {FAST} --key-file=- {file}", "secret"),
            (f"-v isLuks {file}", ""),
            (f"luksDump {file}", ""),
            (f"luksChangeKey {FAST} {file} --force-password", "secret\nsecond\n"),
            (f"luksDump {file}", ""),
            (f"luksChangeKey {FAST} {file} --force-password", "secret\nsecond\n"),
            (f"luksAddKey -v {FAST} --key-file {{D}}/sec {file} {{D}}/key", ""),
            (f"luksAddKey -v {FAST} --key-file {{D}}/bad {file} {{D}}/key", ""),
            (f"luksAddKey -v {FAST} {file}", "second\nthird\n"),
            (f"luksAddKey -v -S 5 {FAST} {file}", "second\nthird\n"),
            (f"luksAddKey -v -S 5 {FAST} {file}", "second\nthird\n"),
            (f"luksKillSlot -v --key-file {{D}}/sec {file} 2", ""),
            (f"luksKillSlot -v -q {file} 7", ""),
            (f"luksKillSlot -q {file} 5", ""),
            (f"luksKillSlot --key-file {{D}}/bad {file} 0", ""),
            (f"luksKillSlot -v {file} 0 --key-file {{D}}/sec", ""),
            (f"luksDump {file}", ""),
            (f"luksRemoveKey -v {file} {{D}}/bad", ""),
            (f"luksRemoveKey -v {file} {{D}}/key", ""),
            (f"open --test-passphrase --key-file {{D}}/sec {file}", ""),
            (f"open -v --test-passphrase --key-file {{D}}/key {file}", ""),
            (f"luksOpen --test-passphrase {file}", "second\n"),
            (f"luksOpen --key-file=- {file}", "second"),
        ]
    return [
        *steps,
        (f"luksFormat -q --type luks1 {FAST} --key-file {{D}}/key {{D}}/small1", ""),
        (f"luksFormat -q --type luks2 {FAST} --key-file {{D}}/key {{D}}/small2", ""),
        ("luksDump {D}/small1", ""),
        ("luksDump {D}/small2", ""),
        ("luksOpen --key-file {D}/key {D}/small1 name", ""),
        ("--version", ""),
        ("", ""),
        ("frob", ""),
        ("--bogus isLuks {D}/luks1", ""),
        ("isLuks", ""),
        ("luksKillSlot {D}/luks1", ""),
        ("isLuks {D}/absent", ""),
        (f"luksFormat -q {FAST} --key-file {{D}}/absent {{D}}/luks1", ""),
        ("luksFormat -q --type luks3 --key-file {D}/key {D}/luks1", ""),
        ("luksFormat -q --key-size 255 --key-file {D}/key {D}/luks1", ""),
        ("luksFormat -q --type luks1 --key-file {D}/key {D}/absent", ""),
    ]


def normalised(text: str, directory: str) -> str:
    """Without what differs from run to run, and without the long list of options in the usage text."""
    text = text.replace(directory, "{D}")
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", text)
    text = re.sub(r"\b([0-9a-f]{2} ){4,}", "HEX ", text)
    return re.sub(r"Usage: .*?<action> <action-specific>\n", "USAGE\n", text, flags=re.DOTALL)


def main() -> None:
    records = []
    with tempfile.TemporaryDirectory() as directory:
        for name, size in SIZES.items():
            with (Path(directory) / name).open("wb") as file:
                file.truncate(size)
        for name, key in KEYS.items():
            (Path(directory) / name).write_text(key)
        for line, stdin in scenario():
            argv = ["cryptsetup", *line.replace("{D}", directory).split()]
            done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
            records.append(
                {
                    "arguments": line,
                    "stdin": stdin,
                    "rc": done.returncode,
                    "stdout": normalised(done.stdout, directory),
                    "stderr": normalised(done.stderr, directory),
                }
            )
    json.dump({"sizes": SIZES, "keys": KEYS, "steps": records}, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
