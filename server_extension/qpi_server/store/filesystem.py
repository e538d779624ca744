"""Refuses to keep a database where its locks and fsyncs mean nothing: on a network file system."""

from __future__ import annotations

import re
from pathlib import Path

import psutil

from qpi_jupyter.core import Conflict

_NETWORK = re.compile(
    r"(?:fuse\.)?(?:"
    r"nfs\d?|cifs|smb\w*|ncpfs|ncp|afs|coda|9p|ceph|ceph-fuse|glusterfs|lustre|gpfs|beegfs\w*|pvfs2|orangefs|moosefs|"
    r"mfs|lizardfs|juicefs|cvmfs2?|davfs2?|webdav|ftpfs|curlftpfs|sshfs|s3fs|goofys|geesefs|mountpoint-s3|gcsfuse|"
    r"blobfuse2?|rclone|vboxsf|vmhgfs(?:-fuse)?|prl_fs"
    r")"
)


def filesystem_type(path: Path) -> str:
    """The type of the file system that ``path`` lies on; empty where the machine does not say."""
    path = path.resolve()
    mounts = [mount for mount in psutil.disk_partitions(all=True) if path.is_relative_to(mount.mountpoint)]
    # the last of several on one folder is the one that is seen
    deepest = max(reversed(mounts), key=lambda mount: len(Path(mount.mountpoint).parts), default=None)
    return deepest.fstype if deepest is not None else ""


def require_local(folder: Path) -> None:
    """Refuse a network file system.

    Raises
    ------
    Conflict
        ``folder`` lies on one; the message says what to do instead.
    """
    kind = filesystem_type(folder)
    if _NETWORK.fullmatch(kind.lower()):
        raise Conflict(
            f"The lab's data folder is on a network file system ({kind}), where SQLite can lose data. Set "
            "QPI_LAB_DIR to a folder on a local disk, or run one lab server and point the others at it with "
            "QPI_UPSTREAM_URL.",
            code="network_file_system",
            filesystem=kind,
        )
