"""Refuses to keep a database where its locks and fsyncs mean nothing: on a network file system."""

from __future__ import annotations

import re
from pathlib import Path

from qpi_jupyter.core.errors import Rejected

NETWORK = frozenset(
    [
        "nfs",
        "nfs3",
        "nfs4",
        "cifs",
        "smb2",
        "smb3",
        "smbfs",
        "ncpfs",
        "afs",
        "ceph",
        "glusterfs",
        "fuse.glusterfs",
        "lustre",
        "gpfs",
        "beegfs",
        "beegfs_nodev",
        "fuse.sshfs",
        "fuse.s3fs",
        "fuse.rclone",
        "fuse.ceph",
        "fuse.davfs",
        "davfs",
    ]
)
MOUNTS = Path("/proc/self/mounts")


def filesystem_type(path: Path, mounts: Path = MOUNTS) -> str:
    """The type of the file system that ``path`` lies on; empty where the machine does not say."""
    path = path.resolve()
    best, kind = Path(), ""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        fields = line.split()
        if len(fields) < 3:
            continue
        # The kernel writes a blank in a path as \040.
        point = Path(re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), fields[1]))
        if path.is_relative_to(point) and len(point.parts) >= len(best.parts):
            best, kind = point, fields[2]
    return kind


def require_local(folder: Path, mounts: Path = MOUNTS) -> None:
    """Refuse a network file system.

    Raises
    ------
    Rejected
        ``folder`` lies on one; the message says what to do instead.
    """
    kind = filesystem_type(folder, mounts)
    if kind in NETWORK:
        raise Rejected(
            f"{folder} is on a network file system ({kind}), where SQLite can lose data. Set QPI_LAB_DIR to a folder "
            "on a local disk, or run one lab server and point the others at it with QPI_UPSTREAM_URL.",
            code="network_filesystem",
            path=str(folder),
            filesystem=kind,
        )
