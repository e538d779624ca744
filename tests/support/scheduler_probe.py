"""A process that loads converted files in a scheduler and compiles a Bell pair: ``python -m ... LIBRARY FOLDER...``.

It prints, as JSON by folder, the length of the compiled schedule in seconds and how many modules it programs.
With ``old`` it prints what we and quantify-scheduler make of its examples of old hardware files, in turns.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

PARENT, CHILD = "q3", "q7"


def main(library: str, *folders: str) -> None:
    """Compile in each folder, which has ``device.json`` and ``hardware.json``."""
    warnings.simplefilter("ignore")  # the schedulers' own
    if library == "old":
        print(json.dumps(_old(Path(folders[0]))))
        return
    compiled = {"quantify": _quantify, "qblox": _qblox}[library]
    print(json.dumps({folder: _figures(compiled(Path(folder))) for folder in folders}))


def _quantify(folder: Path) -> Any:
    from qcodes.instrument import Instrument
    from quantify_scheduler import QuantumDevice, Schedule, SerialCompiler
    from quantify_scheduler.backends.qblox_backend import QbloxHardwareCompilationConfig
    from quantify_scheduler.operations.gate_library import CZ, X90, Measure, Reset
    from quantify_scheduler.operations.pulse_library import IdlePulse

    Instrument.close_all()
    device = QuantumDevice.from_json_file(str(folder / "device.json"))
    config = QbloxHardwareCompilationConfig.model_validate(json.loads((folder / "hardware.json").read_text()))
    device.hardware_config(config)
    schedule = Schedule("bell")
    for operation in (Reset(PARENT, CHILD), X90(PARENT), X90(CHILD), CZ(PARENT, CHILD), X90(CHILD)):
        schedule.add(operation)
    schedule.add(Measure(PARENT, CHILD, acq_protocol="SSBIntegrationComplex"))
    schedule.add(IdlePulse(4e-9))
    return SerialCompiler("compiler").compile(schedule, config=device.generate_compilation_config())


def _qblox(folder: Path) -> Any:
    from qblox_scheduler import CZ, X90, IdlePulse, Measure, QuantumDevice, Reset, Schedule
    from qblox_scheduler.backends.graph_compilation import SerialCompiler
    from qblox_scheduler.backends.qblox_backend import QbloxHardwareCompilationConfig

    import qpi_executors.instruments.qblox.elements  # noqa: F401  registers the classes

    device = QuantumDevice.from_json_file(folder / "device.json")
    config = QbloxHardwareCompilationConfig.model_validate(json.loads((folder / "hardware.json").read_text()))
    device.hardware_config = config
    schedule = Schedule("bell")
    for operation in (Reset(PARENT, CHILD), X90(PARENT), X90(CHILD), CZ(PARENT, CHILD), X90(CHILD)):
        schedule.add(operation)
    for name in (PARENT, CHILD):
        schedule.add(Measure(name, acq_protocol="IQIntegration"))
    schedule.add(IdlePulse(4e-9))
    return SerialCompiler("compiler").compile(schedule, config=device.generate_compilation_config())


def _old(folder: Path) -> list[list[Any]]:
    from quantify_scheduler.backends.qblox import hardware_config_nv_center_old_style as nv_centre
    from quantify_scheduler.backends.qblox import hardware_config_transmon_old_style as transmon
    from quantify_scheduler.backends.qblox_backend import QbloxHardwareCompilationConfig

    from qpi_executors.instruments.files import convert

    found = []
    for example in (transmon, nv_centre):
        path = folder / "old.json"
        path.write_text(json.dumps(example.hardware_config))
        ours = json.loads(convert([path], "quantify").files["hardware.json"])
        made = [QbloxHardwareCompilationConfig.model_validate(tree) for tree in (ours, json.loads(path.read_text()))]
        dumps = [one.model_dump(mode="json") for one in made]
        for dump in dumps:
            dump["connectivity"]["graph"] = sorted(map(sorted, dump["connectivity"]["graph"]))
        found.append(dumps)
    return found


def _figures(compiled: Any) -> list[float]:
    modules = [key for key in compiled.compiled_instructions["cluster1"] if "module" in key]
    return [round(compiled.duration, 12), len(modules)]


if __name__ == "__main__":
    main(*sys.argv[1:])
