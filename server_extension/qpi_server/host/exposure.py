"""Whether a Jupyter server would hand out the lab's own folder among its files."""

from __future__ import annotations

import logging
from pathlib import Path


def exposed(lab_dir: Path, root: Path, *, allow_hidden: bool) -> bool:
    """Whether the folder lies among the files under ``root``, visibly: Jupyter keeps what is hidden to itself."""
    lab_dir, root = lab_dir.resolve(), root.resolve()
    if not lab_dir.is_relative_to(root):
        return False
    return allow_hidden or not any(part.startswith(".") for part in lab_dir.relative_to(root).parts)


def warn_of_exposure(log: logging.Logger, lab_dir: Path, root: str, *, allow_hidden: bool) -> None:
    """Say it once, at the start, with the way out."""
    if exposed(lab_dir, Path(root), allow_hidden=allow_hidden):
        log.warning(
            "The lab's folder %s lies among the files that this server shows (%s): whoever is signed in to it can read "
            "the lab's database and the secret of its owner. Set QPI_LAB_DIR to a folder outside, or one whose name "
            "begins with a dot.",
            lab_dir,
            root,
        )
