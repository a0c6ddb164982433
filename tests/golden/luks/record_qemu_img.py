"""Record what qemu-img answers on plain files: ``python record_qemu_img.py > qemu_img.json``.

Needs qemu-img 7.2 and no rights. `{D}` stands for the directory; uuids, iterations and the space that files
take on the disk are normalised by `normalised`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

FILES = {"plain": "plain text " * 1000, "key": "secret", "new": "second", "bad": "wrong"}
SECRET = "--object secret,id=s,format=raw,file={D}/key"
SECOND = "--object secret,id=t,format=raw,file={D}/new"
CINDERS = "cipher-alg=aes-256,cipher-mode=xts,ivgen-alg=plain64"
REKEY = "encrypt.format=luks,encrypt.key-secret=s"
IMAGE = "--image-opts driver=luks,key-secret=s,file.filename={D}"

SCENARIO = [
    "--version",
    f"create -f luks -o {CINDERS} {SECRET} -o key-secret=s,iter-time=10 {{D}}/luks 4M",
    "info -f luks --output=json {D}/luks",
    "info -f raw --output=json --force-share {D}/luks",
    "info {D}/luks",
    f"create -q -f luks -o cipher-alg=aes-128,key-secret=s,iter-time=10 {SECRET} {{D}}/luks128 4M",
    "info --output=json {D}/luks128",
    "create -f raw {D}/raw 4M",
    "info -f raw -U --output=json {D}/raw",
    "info {D}/raw",
    f"convert -O luks -f raw -o {CINDERS} {SECRET} -o key-secret=s,iter-time=10 {{D}}/plain {{D}}/p.luks",
    "info --output=json {D}/p.luks",
    f"convert -O raw {SECRET} {IMAGE}/p.luks {{D}}/p.raw",
    "info --output=json {D}/p.raw",
    f"convert {SECRET} {SECOND} {IMAGE}/p.luks -O luks -o key-secret=t,iter-time=10 {{D}}/again",
    "info --output=json {D}/again",
    "convert -O raw --object secret,id=s,format=raw,file={D}/bad " + IMAGE + "/p.luks {D}/x",
    f"convert {SECRET} --image-opts {REKEY},file.filename={{D}}/p.luks -O raw {{D}}/x",
    "convert -O raw {D}/p.luks {D}/x",
    "convert -O raw -t none -S 0 -W {D}/plain {D}/y",
    "convert -n -O raw {D}/plain {D}/absent",
    "convert -O raw {D}/absent {D}/x",
    "convert -O luks {D}/plain {D}/x",
    "convert -O frob {D}/plain {D}/x",
    "convert -f frob -O raw {D}/plain {D}/x",
    "convert {D}/plain",
    "resize -f raw {D}/raw 8M",
    "resize -f raw {D}/raw 4M",
    "resize -f raw {D}/raw 1G",
    "resize -f raw {D}/raw",
    "resize -f raw {D}/absent 1G",
    "info -f raw --output=json {D}/raw",
    "create -f luks -o key-secret=other {D}/x 4M",
    "create -f luks {D}/x 4M",
    f"create -f luks -o cipher-alg=foo,key-secret=s {SECRET} {{D}}/x 4M",
    f"create -f luks -o frob=foo,key-secret=s {SECRET} {{D}}/x 4M",
    "create -f luks --object secret,id=s,format=raw,file={D}/absent -o key-secret=s {D}/x 4M",
    "create -f frob {D}/x 4M",
    "create -f raw {D}/x",
    "create",
    "info -f luks {D}/plain",
    "info {D}/absent",
    "info --bogus {D}/raw",
    "info",
    "frob",
    "",
]


def normalised(text: str, directory: str) -> str:
    """Without what differs from run to run and from disk to disk."""
    text = text.replace(directory, "{D}")
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", text)
    text = re.sub(r'(iters"?): \d+', r"\1: N", text)
    text = re.sub(r'"actual-size": \d+', '"actual-size": N', text)
    return re.sub(r"disk size: .*", "disk size: N", text)


def main() -> None:
    records = []
    with tempfile.TemporaryDirectory() as directory:
        for name, content in FILES.items():
            (Path(directory) / name).write_text(content)
        for line in SCENARIO:
            argv = ["qemu-img", *line.replace("{D}", directory).split()]
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
            stdout, stderr = normalised(done.stdout, directory), normalised(done.stderr, directory)
            records.append({"arguments": line, "rc": done.returncode, "stdout": stdout, "stderr": stderr})
    json.dump({"files": FILES, "steps": records}, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
