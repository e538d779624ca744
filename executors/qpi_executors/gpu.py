"""``gpu`` (also ``custatevec``): Qiskit Aer on a GPU, with NVIDIA's cuStateVec."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta, Struct
from qiskit_aer import AerSimulator

from qpi_jupyter.core import MAX_SHOTS, Estimate, Manifest, Preview, Program, ProgramFormat, fakes

from .aer import AerExecutor
from .base import Executor
from .primitives.on_executor import Primitives
from .programs import Run
from .simulator import Cost

if TYPE_CHECKING:
    import xarray as xr

_NAME = "gpu"
_WAYS = fakes.ways_of(_NAME)
"""What IBM's fake backends are called that run here: ``fake_manila@gpu``."""
_MAX_SHOTS = 1_000_000
_PUBS = Primitives.formats
_HOST_BYTES = 1 << 30
"""What a run takes beside the GPU's own memory, of which Aer itself says when it does not do."""


class GpuExecutor(AerExecutor):
    """Aer on a GPU, ideal and all-to-all unless an option says otherwise; also IBM's fake backends (fake_manila@gpu).

    Whether there is a GPU, and whether Aer has cuStateVec for it, a trial run tells when it is opened. Seeded counts
    are Aer's own on that device, which need not be those of a CPU.
    """

    class Options(AerExecutor.Options, frozen=True, kw_only=True):
        method: Annotated[
            Literal["statevector", "density_matrix", "tensor_network"], Meta(description="Aer's simulation method")
        ] = "statevector"
        max_shots: Annotated[int, Meta(ge=1, le=MAX_SHOTS, description="the most shots of a circuit")] = _MAX_SHOTS
        device: Annotated[int, Meta(ge=0, le=1023, description="which GPU, by its number")] = 0

    no_device: ClassVar[str] = (
        "There is no GPU here that Qiskit Aer can use ({problem}). It takes an NVIDIA GPU with its driver, and "
        "pip install 'qpi-jupyter[gpu]' instead of the extra aer, which brings the same module: uninstall qiskit-aer."
    )
    formats: ClassVar[tuple[ProgramFormat, ...]] = (*AerExecutor.formats, *_PUBS)

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self._fakes: Executor | None = None
        self._custatevec: bool | None = None

    def place(self, simulator: AerSimulator) -> None:
        """Have it run on the GPU."""
        simulator.set_options(device="GPU", cuStateVec_enable=True)
        simulator.options.update_options(target_gpus=[self.options.device])  # Aer reads it, but does not list it

    def capabilities(self) -> Manifest:
        """As `AerExecutor.capabilities`."""
        return replace(
            super().capabilities(), executor=_NAME, max_shots=self.options.max_shots,
            description=f"Qiskit Aer on a GPU, {self.options.method}.",
        )  # fmt: skip

    def tried(self, metadata: dict[str, Any]) -> str:
        """What the trial run was computed by; as `AerExecutor.tried`."""
        if metadata.get("device") != "GPU":
            return f"it ran on the {metadata.get('device')}"
        self._custatevec = bool(metadata.get("cuStateVec_enable"))
        return ""

    def provenance(self, program: Program) -> dict[str, Any]:
        """As `AerExecutor.provenance`, with the GPU and whether cuStateVec was used."""
        inner = self._inner(program)  # a primitive asks this executor in its turn
        facts = super().provenance(program)
        if inner is not None and inner is self._fakes:
            facts = inner.provenance(program)
        how = "cuStateVec" if self._custatevec else "without cuStateVec"
        return {**facts, "device": f"GPU {self.options.device} ({how})"}

    def validate(self, program: Program) -> None:
        """As `Executor.validate`; pubs, too."""
        inner = self._inner(program)
        if inner is None:
            super().validate(program)
        else:
            inner.validate(program)

    def estimate(self, program: Program) -> Estimate:
        """As `Executor.estimate`; pubs, too."""
        inner = self._inner(program)
        return super().estimate(program) if inner is None else inner.estimate(program)

    def preview(self, program: Program) -> Preview:
        """As `Executor.preview`; of pubs there is none."""
        inner = self._inner(program)
        return super().preview(program) if inner is None else inner.preview(program)

    def run(
        self, program: Program, *, progress: Callable[[float], None], cancelled: Callable[[], bool]
    ) -> list[xr.Dataset]:
        """As `Executor.run`; pubs, too."""
        inner = self._inner(program)
        run = super().run if inner is None else inner.run
        return run(program, progress=progress, cancelled=cancelled)

    def cost(self, run: Run) -> Cost:
        """As `AerExecutor.cost`; the state lies in the GPU's memory."""
        return replace(super().cost(run), memory_bytes=_HOST_BYTES)

    def _inner(self, program: Program) -> Executor | None:
        """What runs a program of pubs; None for circuits."""
        if program.format not in {form.name for form in _PUBS}:
            return None
        if _backend(program.sources[0]).partition("@")[2] not in _WAYS:
            return Primitives(self)
        if self._fakes is None:
            self._fakes = _fakes(self.place)
        return self._fakes


class _Asked(Struct):
    """What of a source has to be known here; the rest is for whoever runs it to read."""

    backend: str = ""


def _backend(source: bytes) -> str:
    """The backend that pubs are for; nothing where that cannot be read, which others refuse."""
    try:
        return msgspec.json.decode(source, type=_Asked).backend
    except msgspec.MsgspecError:
        return ""


def _fakes(place: Callable[[AerSimulator], None]) -> Executor:
    """IBM's fake backends on this GPU.

    Raises
    ------
    Rejected
        IBM's client, which brings them, is not installed.
    """
    from qpi_jupyter.core import Rejected

    try:
        from .primitives.fake_backends import FakeBackends
    except ImportError as error:
        raise Rejected(
            "IBM's fake backends are not installed beside this GPU: pip install 'qpi-jupyter[runtime]' there.",
            code="no_fake_backends",
        ) from error

    class OnGpu(FakeBackends):
        ways = _WAYS

        def simulator(self, **options: Any) -> AerSimulator:
            made = super().simulator(**{**options, "method": "statevector"})
            place(made)
            return made

    return OnGpu()
