from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from qpi_agent.messages import Key
from qpi_agent.runs import write_result
from qpi_agent.spool import Spool, header_digest
from qpi_jupyter.core.errors import Conflict, Rejected
from qpi_jupyter.data.build import bits_dataset, counts_dataset
from qpi_jupyter.data.codec import decode
from qpi_jupyter.data.conventions import CircuitInfo
from qpi_jupyter.wire.results import Splitter


def _read(path: Path) -> tuple[dict[str, object], bytes]:
    splitter = Splitter(header_digest(path))
    blob = splitter.feed(path.read_bytes())
    return splitter.finish(), blob


@pytest.mark.parametrize("shots", [3, 20_000_000])
def test_a_result_is_written_whole_small_or_large(tmp_path: Path, shots: int) -> None:
    info = CircuitInfo(name="c", shots=shots, memory_slots=1, n_qubits=1, creg_sizes=(("c", 1),))
    bits = np.zeros((shots, 1), dtype=np.int8)
    bits[:2] = 1
    spool = Spool(tmp_path)
    path = spool.path(Key("j1", 2))
    write_result(path, [bits_dataset(info, bits)])
    header, blob = _read(path)
    assert header["circuits"][0]["counts"] == {"0x0": shots - 2, "0x1": 2}  # type: ignore[index]
    stored = decode(blob)
    assert isinstance(stored, xr.Dataset)
    assert int(stored["bit"].sum()) == 2
    assert [entry.key for entry in spool.entries()] == [Key("j1", 2)]
    assert [p.name for p in path.parent.iterdir()] == ["j1.2.result"]
    spool.close()


def test_what_was_cut_short_is_cleared_and_what_is_whole_stays(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    info = CircuitInfo(name="c", shots=1, memory_slots=1, n_qubits=1, creg_sizes=(("c", 1),))
    write_result(spool.path(Key("whole", 1)), [counts_dataset(info, {0: 1})])
    (tmp_path / "spool" / "half.1.result.part").write_bytes(b"QPIRES01")
    spool.close()
    again = Spool(tmp_path)
    assert [p.name for p in (tmp_path / "spool").iterdir()] == ["whole.1.result"]
    before = hashlib.sha256(again.path(Key("whole", 1)).read_bytes()).hexdigest()
    again.archive(Key("whole", 1), "nobody wants it")
    assert hashlib.sha256((tmp_path / "archive" / "whole.1.result").read_bytes()).hexdigest() == before
    again.close()


def test_a_spool_has_one_owner_and_plain_names(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    with pytest.raises(Conflict, match="--data-dir"):
        Spool(tmp_path)
    with pytest.raises(Rejected):
        spool.path(Key("../../etc/passwd", 1))
    spool.close()


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(Rejected, match=r"cannot keep its results in .*data: Not a directory.*--data-dir") as caught:
        Spool(tmp_path / "data")
    assert caught.value.code == "bad_data_dir"


def test_a_full_disk_has_no_space_until_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path)
    assert spool.has_space()
    with monkeypatch.context() as full:
        full.setattr("qpi_agent.spool.SPARE_BYTES", 1 << 62)
        assert not spool.has_space()
    assert spool.has_space()
    spool.close()
