"""Sweeps: one Dataset of all parameter rows, of those that are there, and back again; through files, too."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from qpi_jupyter.core import Rejected, SweepAxis
from qpi_jupyter.data.build import a_dataset, bits_dataset, counts_dataset, expectation_dataset, iq_dataset
from qpi_jupyter.data.codec import decode, encode
from qpi_jupyter.data.conventions import CircuitInfo, Slots
from qpi_jupyter.data.curves import drawing_of
from qpi_jupyter.data.selection import as_list
from qpi_jupyter.data.sweeps import along, from_rows, rows_of, sweep_dataset, sweep_dims, sweep_of

SLOTS = Slots(clbit=(0, 1), qubit=(3, 1), acq_index=(0, 0))
KINDS = ["bits", "counts", "iq", "avg", "expectation"]


def a_row(kind: str, row: int, parameters: dict[str, float], axes: tuple[SweepAxis, ...] = (), **more) -> xr.Dataset:
    rng = np.random.default_rng(row)
    shots = 20
    facts = {"name": "rabi", "row": row, "parameters": parameters, "axes": axes, "seed": row, "shots": shots}
    info = CircuitInfo(**{**facts, "memory_slots": 2, "n_qubits": 4, **more})
    if kind == "bits":
        return bits_dataset(info, rng.integers(0, 2, (shots, 2)), SLOTS)
    if kind == "counts":
        found = np.bincount(rng.integers(0, 4, shots) % (1 + row % 4))
        return counts_dataset(info, {value: int(count) for value, count in enumerate(found) if count})
    if kind == "expectation":
        return expectation_dataset(info, {"ZZ": (0.1 * row, 0.1), "IZ": (-0.1, float("nan"))})
    points = rng.normal(size=(shots, 2)) + 1j * rng.normal(size=(shots, 2))
    if kind == "iq":
        return iq_dataset(info, points, SLOTS)
    return iq_dataset(CircuitInfo(**{**info.to_dict(), "axes": axes, "meas_return": "avg"}), points.mean(axis=0), SLOTS)


def rabi(kind: str, count: int = 5) -> list[xr.Dataset]:
    axes = (SweepAxis(parameters=("theta",), length=count, units={"theta": "rad"}),)
    return [a_row(kind, k, {"theta": float(x)}, axes) for k, x in enumerate(np.linspace(0, 2, count))]


@pytest.mark.parametrize("kind", KINDS)
def test_a_sweep_has_its_parameter_as_first_dimension_and_comes_apart_again(kind):
    rows = rabi(kind)
    sweep = from_rows(rows)
    variable = next(iter(sweep.data_vars.values()))
    assert variable.dims == ("theta", *next(iter(rows[0].data_vars.values())).dims)
    assert sweep.theta.attrs == {"long_name": "Parameter theta", "units": "rad", "parameter": "theta"}
    np.testing.assert_allclose(sweep.theta, np.linspace(0, 2, 5))
    assert sweep_dims(sweep) == ("theta",)
    assert all(back.identical(row) for back, row in zip(rows_of(sweep), rows, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_without_points_is_drawn_as_a_word(kind):
    drawing = drawing_of(from_rows(rabi(kind)).isel(theta=slice(0, 0)))
    assert drawing["text"] == "Nothing to draw: this part of the sweep has no points."


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 5, 300])
def test_files_keep_axes_names_and_units(kind, count, tmp_path):
    rows = rabi(kind, count)
    sweep = decode(encode(rows))
    assert sweep.identical(from_rows(rows))
    assert [row.attrs for row in as_list(sweep)] == [row.attrs for row in rows]
    for engine in ("scipy", "h5netcdf", "netcdf4"):
        sweep.to_netcdf(tmp_path / engine, engine=engine)
        with xr.open_dataset(tmp_path / engine, engine=engine) as again:
            assert again.sizes == sweep.sizes
            assert again.theta.attrs == sweep.theta.attrs
            assert again.attrs == sweep.attrs
            assert again.qpi.info == sweep.qpi.info


def test_large_sweeps_come_back_as_small_ones_do(monkeypatch):
    rows = rabi("bits", 9)
    whole = decode(encode(rows))
    monkeypatch.setattr("qpi_jupyter.data.codec.MAX_STACK_BYTES", 2 * rows[0].nbytes)
    assert decode(encode(rows)).identical(whole)


@pytest.mark.parametrize("kind", KINDS)
@given(present=st.sets(st.integers(0, 4), min_size=1))
@settings(max_examples=20, deadline=None)
def test_a_growing_sweep_is_the_final_one_as_far_as_it_is_there(kind, present):
    rows = rabi(kind)
    final = from_rows(rows)
    sweep = sweep_of(["theta"], np.linspace(0, 2, 5)[:, None], (SweepAxis(parameters=("theta",), length=5),))
    partial = sweep_dataset(sweep, {k: rows[k] for k in present})
    assert partial.sizes["theta"] == 5
    np.testing.assert_array_equal(partial.theta, final.theta)
    there, missing = sorted(present), sorted(set(range(5)) - present)
    for name in partial.data_vars:
        due = final[name].isel(theta=there)
        if kind == "counts":
            due = due.sel(outcome=partial.outcome)
        np.testing.assert_array_equal(partial[name].isel(theta=there), due)
        gone = partial[name].isel(theta=missing)
        assert (gone == {"bits": -1, "counts": 0}[kind]).all() if kind in ("bits", "counts") else np.isnan(gone).all()


GRID = list(itertools.product([0.0, 0.5, 1.0], [3.0, 4.0]))


@pytest.mark.parametrize(
    ("names", "rows", "shape"),
    [
        (["a"], [[1], [2], [3]], (3,)),
        (["a"], [[1], [1], [1]], (3,)),
        (["a", "b"], GRID, (3, 2)),
        (["a", "b"], [(b, a) for a, b in GRID], (3, 2)),
        (["a", "b", "c"], [(*pair, 7) for pair in GRID], (3, 2)),
        (["a", "b"], GRID[::-1], (3, 2)),
        (["a", "b"], [GRID[k] for k in (1, 0, 2, 3, 4, 5)], (6,)),
        (["a", "b"], GRID[:5], (5,)),
        (["a", "b"], [(x, -x) for x in range(4)], (4,)),
        (["a", "b", "c"], list(itertools.product([1, 2], [3, 4, 5], [6, 7])), (2, 3, 2)),
        (["a"], [[1]], ()),
        ([], [[], []], (2,)),
        (["a", "b"], GRID + GRID, (12,)),
    ],
)
def test_rows_in_the_order_of_a_grid_are_that_grid(names, rows, shape):
    sweep = sweep_of(names, rows)
    assert sweep.shape == shape
    assert sweep.size == len(rows)


@given(
    st.lists(st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=4, unique=True), min_size=1, max_size=3).filter(bool)
)
@settings(deadline=None)
def test_any_product_is_found_and_its_coordinates_are_the_values(axes):
    names = [f"p{k}" for k in range(len(axes))]
    rows = list(itertools.product(*axes))
    sweep = from_rows([a_row("counts", k, dict(zip(names, row, strict=True))) for k, row in enumerate(rows)])
    assert sweep_dims(sweep) == tuple(names)
    for name, values in zip(names, axes, strict=True):
        np.testing.assert_array_equal(sweep[name], values)


def test_rows_that_are_not_the_grid_they_are_said_to_be_are_refused():
    axes = (SweepAxis(parameters=("a",), length=2), SweepAxis(parameters=("b",), length=2))
    with pytest.raises(Rejected, match="'b' change along an axis that is not its own"):
        sweep_of(["a", "b"], [(0, 1), (0, 2), (1, 1), (1, 3)], axes)
    with pytest.raises(Rejected, match="2 x 2 points, and its values 3 rows"):
        sweep_of(["a", "b"], [(0, 1), (0, 2), (1, 1)], axes)
    with pytest.raises(Rejected, match="names 'c'"):
        sweep_of(["a"], [(0,)], (SweepAxis(parameters=("c",), length=1),))


def test_zipped_parameters_lie_along_one_dimension_and_vectors_together():
    names = ["φ", "θ[0]", "θ[1]", "θ[2]", "shot", "a/b", ""]
    rows = [[k, *(10 * k + j for j in range(3)), -k, 2.5, 1] for k in range(4)]
    sweep = from_rows([a_row("bits", k, dict(zip(names, map(float, row), strict=True))) for k, row in enumerate(rows)])
    assert sweep.bit.dims == ("point", "shot", "slot")
    assert sweep["φ"].dims == ("point",)
    assert sweep["θ"].dims == ("point", "θ_element")
    assert sweep["θ_element"].values.tolist() == [0, 1, 2]
    assert sweep["shot_"].attrs["parameter"] == "shot"
    assert float(sweep["a_b"]) == 2.5
    again = decode(encode(list(rows_of(sweep))))
    assert again.identical(sweep)
    assert [row.qpi.counts() for row in rows_of(sweep)] == sweep.qpi.counts()


def test_a_thousand_parameters_share_a_coordinate():
    names = [f"p{k}" for k in range(1000)]
    rows = [a_row("bits", k, dict.fromkeys(names, float(k))) for k in range(3)]
    sweep = decode(encode(rows))
    assert len(sweep.variables) < 12
    assert sweep.parameter_value.dims == ("point", "parameter")
    assert list(rows_of(sweep))[2].qpi.info["parameters"] == dict.fromkeys(names, 2.0)


def test_circuits_keep_their_names_and_rows_of_unlike_shapes_stay_alone():
    others = [
        a_row("bits", 0, {}, circuit=1, name="rabi"),
        *(
            a_dataset(
                CircuitInfo(name="odd", circuit=2, row=k, shots=20, memory_slots=2, n_qubits=2), "toy",
                {"v": ("x", np.zeros(k + 1))},
            )
            for k in range(2)
        ),
        a_row("bits", 0, {}, circuit=3, name="circuit-155"),
        a_row("bits", 0, {}, circuit=4, name="a/b"),
    ]  # fmt: skip
    tree = decode(encode([*rabi("bits"), *others]))
    assert list(tree.children) == ["rabi", "rabi_1", "odd", "odd_1", "circuit_4", "a_b"]
    assert tree["rabi"].sizes["theta"] == 5


def test_a_picked_point_answers_as_a_row_does():
    rows = rabi("bits")
    sweep = from_rows(rows)
    assert sweep.isel(theta=3).qpi.counts() == rows[3].qpi.counts()
    assert sweep.sel(theta=2.0).qpi.counts() == rows[4].qpi.counts()
    assert sweep.isel(theta=slice(1, 3)).qpi.counts() == [row.qpi.counts() for row in rows[1:3]]
    assert sweep.qpi.bits().shape == (5, 20, 2)
    assert [experiment.data.counts for experiment in sweep.qpi.to_qiskit().results] == [
        experiment.data.counts for row in rows for experiment in row.qpi.to_qiskit().results
    ]


def test_circuits_of_one_job_lie_along_numbers_of_theirs():
    rows = [a_row("bits", k, {}, name=f"rb-{k}", circuit=k) for k in range(4)]
    tree = decode(
        encode(
            [row.assign_attrs(qpi=row.attrs["qpi"].replace(f'"row": {k}', '"row": null')) for k, row in enumerate(rows)]
        )
    )
    lengths = xr.DataArray([1, 5, 5, 20], attrs={"units": "gates"})
    found = tree.qpi.along(length=lengths)
    assert found.sizes == {"length": 4, "shot": 20, "slot": 2}
    assert found.length.values.tolist() == [1, 5, 5, 20]
    assert found.length.attrs["units"] == "gates"
    for place, row in enumerate(rows):
        np.testing.assert_array_equal(found.bit[place], row.bit)
    assert found.qpi.probability("11").dims == ("length",)
    zipped = tree.qpi.along(length=[1, 2, 3, 4], seed=[5, 6, 5, 6])
    assert zipped.sizes["point"] == 4
    assert zipped.seed.values.tolist() == [5, 6, 5, 6]
    for wrong in ([1, 2], 3):
        with pytest.raises(Rejected, match="4 numbers, one for each circuit"):
            tree.qpi.along(length=wrong)
    with pytest.raises(Rejected, match="unlike shapes"):
        along([rows[0], a_row("iq", 1, {})], {"length": [1, 2]})
