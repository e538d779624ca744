"""A part of a result is asked like the whole."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from qpi_jupyter.core.errors import Rejected
from qpi_jupyter.data import conventions as c
from qpi_jupyter.data.build import bits_dataset, counts_dataset, iq_dataset

SLOTS = c.Slots(clbit=(0, 1, 2), qubit=(0, 1, 2), acq_index=(0, 0, 0))
BITS = np.array([[0, 1, 1], [1, 1, 0], [0, 0, 1], [1, 1, 1]], dtype=np.int8)


def info(**changes: object) -> c.CircuitInfo:
    values: dict[str, object] = {
        "name": "x", "shots": 4, "memory_slots": 3, "n_qubits": 3, "creg_sizes": (("c", 3),), **changes
    }  # fmt: skip
    return c.CircuitInfo(**values)  # type: ignore[arg-type]


KINDS = {
    "bits": bits_dataset(info(), BITS, SLOTS),
    "iq": iq_dataset(info(meas_level=1), np.arange(12).reshape(4, 3) * (1 + 2j), SLOTS),
    "averaged": iq_dataset(info(meas_level=1, meas_return="avg"), np.arange(3) * (1 + 2j), SLOTS),
    "counts": counts_dataset(info(), {0: 1, 5: 3}),
}


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20)
@given(data=st.data())
def test_one_of_a_dimension_is_like_a_slice_of_one(kind: str, data: st.DataObject) -> None:
    dataset = KINDS[kind]
    picked = data.draw(st.lists(st.sampled_from([d for d in dataset.dims if d != c.COMPONENT]), unique=True))
    index = {dim: data.draw(st.integers(0, dataset.sizes[dim] - 1)) for dim in picked}
    one = dataset.isel(index)
    sliced = dataset.isel({dim: slice(at, at + 1) for dim, at in index.items()})
    if kind in ("bits", "counts"):
        assert one.qpi.counts() == sliced.qpi.counts()
        assert sum(one.qpi.counts().values()) == (1 if c.SHOT in index else sum(sliced.qpi.counts().values()))
    else:
        np.testing.assert_array_equal(one.qpi.iq(), sliced.qpi.iq())
    plt.close(one.qpi.plot().figure)


def test_averaged_bits_say_that_they_are_no_bits() -> None:
    for changed in (KINDS["bits"].mean("shot"), KINDS["bits"].where(lambda d: d.bit > 0)):
        with pytest.raises((Rejected, AttributeError), match="whole number"):
            changed.assign_attrs(KINDS["bits"].attrs).qpi.counts()


def test_a_selection_by_another_dataset_keeps_its_coordinates() -> None:
    one = KINDS["bits"].isel(slot=1)
    assert one.qpi.bits().tolist() == [[0, bit, 0] for bit in BITS[:, 1]]
    assert isinstance(one, xr.Dataset)
