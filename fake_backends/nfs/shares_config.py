"""Which shares a back-end uses: what `nfs_shares_config`, or `nas_host` and `nas_share_path`, say.

Source: `cinder.volume.drivers.remotefs:RemoteFSDriver._load_shares_config`.
"""

from __future__ import annotations

import re
from pathlib import Path

from harness.driver import Configuration
from harness.errors import NfsException

DEFAULT_FILE = "/etc/cinder/nfs_shares"
_SHARE = re.compile(r".+:/.+")


def read_shares(configuration: Configuration) -> dict[str, str | None]:
    """Mount options by export (``address:/path``), in the order of the file.

    Lines that are blank or comments are left out, and so, as in Cinder, are those that name no export.
    NfsException if there is no such file.
    """
    host, path = configuration.safe_get("nas_host"), configuration.safe_get("nas_share_path")
    if host and path:
        return {f"{host}:{path}": configuration.safe_get("nas_mount_options")}
    name = configuration.safe_get("nfs_shares_config")
    if not name:
        raise NfsException("There's no NFS config file configured (nfs_shares_config)")
    try:
        text = Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NfsException(f"NFS config file at {name} cannot be read ({error})") from error
    shares: dict[str, str | None] = {}
    for line in text.splitlines():
        export, _, options = line.partition(" ")
        export = export.strip().replace("\\040", " ")
        if not line.startswith("#") and _SHARE.match(export):
            shares[export] = options.strip() or None
    return shares
