from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

import pytest

from qpi_executors.instruments.files import LIBRARIES, load
from qpi_executors.instruments.files.text import MAX_BYTES, parse
from qpi_jupyter.core import Rejected
from tests.support import instrument_files as given
from tests.support.instrument_files import Change, chip, cluster, element, same, write


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("family", given.DEVICES)
def test_a_device_file_of_each_family_says_the_same(tmp_path: Path, family: str, library: str) -> None:
    setup = load([write(tmp_path, *given.DEVICES[family]), cluster(tmp_path)], library=library, dummy=False)
    same(setup.device, given.device())
    assert setup.device.name == ("device" if family == "qpi.yml" else "two-transmons")
    assert setup.warnings == ()


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("family", given.HARDWARE)
def test_a_hardware_file_of_each_family_wires_the_same(tmp_path: Path, family: str, library: str) -> None:
    expected = dict(given.hardware(library))
    setup = load([chip(tmp_path), write(tmp_path, *given.HARDWARE[family])], library=library, dummy=False)
    found = dict(setup.hardware)
    wires = {tuple(wire) for wire in found.pop("connectivity")["graph"]}
    wanted = {tuple(wire) for wire in expected.pop("connectivity")["graph"]}
    if family == "before 0.1":  # it has no inputs: the libraries connect them by themselves
        wanted = {wire for wire in wanted if "_input_" not in wire[0]}
    if family in ("before 0.1", "no version"):
        del expected["version"]
    expected["hardware_options"]["modulation_frequencies"]["q3:res-q3.ro"].pop("interm_freq")
    assert wires == wanted
    assert found == expected


def test_the_hardware_may_stand_in_the_device_file(tmp_path: Path) -> None:
    file = write(tmp_path, "device.json", given.qblox_json(given.hardware()))
    setup = load([file, file], library="qblox", dummy=False)
    assert setup.hardware["connectivity"]["graph"] == given.hardware()["connectivity"]["graph"]
    same(setup.device, given.device())


def test_a_calibrated_transmon_has_its_t1_and_loses_what_only_its_routines_use(tmp_path: Path) -> None:
    text = given.qpi_yaml().replace(
        "quantify_scheduler.device_under_test.transmon_element.BasicTransmonElement",
        "qpi_driver.executors.qblox.elements.calibrated_transmon.CalibratedTransmon",
    )
    more = "  coherence:\n    t1: 51e-6\n  r12:\n    ef_amp180: 0.11\n  fine:\n    amp90: 0\n  rxy:"
    setup = load(
        [write(tmp_path, "device.yml", text.replace("  rxy:", more)), cluster(tmp_path)], library="qblox", dummy=True
    )
    assert {one.t1_s for one in setup.device.qubits.values()} == {51e-6}
    assert [said for said in setup.assumed if "left out" in said] == [
        f"device.yml: {name}.r12 is left out: nothing here uses it" for name in ("q3", "q7")
    ]


DEVICE_FAULTS: list[tuple[str, Change, str, str]] = [
    ("missing", lambda t: element(t)["rxy"].pop("amp180"), "data.elements.q3.data.rxy.amp180", "is missing"),
    (
        "NaN",
        lambda t: element(t)["clock_freqs"].update(f01=float("nan")),
        "data.elements.q3.data.clock_freqs.f01",
        "is missing",
    ),
    (
        "GHz",
        lambda t: element(t)["clock_freqs"].update(f01=4.42),
        "data.elements.q3.data.clock_freqs.f01",
        "in Hz, not 4.42",
    ),
    ("ns", lambda t: element(t)["rxy"].update(duration=24), "data.elements.q3.data.rxy.duration", "in s, not 24"),
    ("us", lambda t: element(t)["reset"].update(duration=180), "data.elements.q3.data.reset.duration", "in s, not 180"),
    ("text", lambda t: element(t)["rxy"].update(amp180="0.17 V"), "data.elements.q3.data.rxy.amp180", "not '0.17 V'"),
    ("bool", lambda t: element(t)["rxy"].update(amp180=True), "data.elements.q3.data.rxy.amp180", "not True"),
    (
        "infinite",
        lambda t: element(t)["measure"].update(acq_threshold=1e999),
        "data.elements.q3.data.measure.acq_threshold",
        "is not a finite number",
    ),
    (
        "huge",
        lambda t: element(t)["measure"].update(acq_threshold=10**40),
        "data.elements.q3.data.measure.acq_threshold",
        "is too large a number",
    ),
    ("typo", lambda t: element(t)["rxy"].update(motzio=0), "data.elements.q3.data.rxy.motzio", "did you mean motzoi?"),
    ("section", lambda t: element(t).update(rabi={}), "data.elements.q3.data.rabi", "is not a known key"),
    (
        "class",
        lambda t: t["data"]["elements"]["q3"].update(deserialization_type="os.system"),
        "data.elements.q3.deserialization_type",
        "'os.system'",
    ),
    (
        "other class",
        lambda t: t["data"]["elements"]["q3"].update(deserialization_type="quantify_scheduler.CompositeSquareEdge"),
        "data.elements.q3.deserialization_type",
        "not a known class of elements",
    ),
    (
        "name",
        lambda t: t["data"]["elements"].update({"q_3": t["data"]["elements"].pop("q3")}),
        "data.elements.q_3.data.name",
        "stands under 'q_3'",
    ),
    ("no qubits", lambda t: t["data"].update(elements={}), "data.elements", "there is no qubit"),
    (
        "stray edge",
        lambda t: t["data"]["edges"]["q3_q7"]["data"].update(child_element_name="q9", cz={}),
        "data.edges.q3_q7.data",
        "names 'q9' as its child",
    ),
    ("list", lambda t: t["data"].update(elements=[]), "data.elements", "must be keys and values, not []"),
]


@pytest.mark.parametrize(
    ("change", "key", "words"), [row[1:] for row in DEVICE_FAULTS], ids=[row[0] for row in DEVICE_FAULTS]
)
def test_what_is_wrong_in_a_device_file_is_refused_by_its_key(
    tmp_path: Path, change: Change, key: str, words: str
) -> None:
    with pytest.raises(Rejected) as refused:
        load([chip(tmp_path, change), cluster(tmp_path)], library="qblox", dummy=True)
    assert refused.value.data["field"] == key
    assert refused.value.message.startswith(f"device.json: {key} ")
    assert words in refused.value.message


def _described(tree: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = tree["hardware_description"]["cluster1"]
    return found


HARDWARE_FAULTS: list[tuple[str, Change, str, str]] = [
    (
        "other backend",
        lambda t: t.update(config_type="quantify_scheduler.backends.zhinst_backend.ZIHardwareCompilationConfig"),
        "config_type",
        "only configurations for Qblox clusters",
    ),
    ("version", lambda t: t.update(version="0.3"), "version", "must be 0.1 or 0.2"),
    ("part", lambda t: t.pop("connectivity"), "connectivity", "is missing"),
    (
        "module",
        lambda t: _described(t)["modules"]["2"].update(instrument_type="QXM"),
        "hardware_description.cluster1.modules.2.instrument_type",
        "not 'QXM'",
    ),
    (
        "slot",
        lambda t: _described(t)["modules"].update({"0": {}}),
        "hardware_description.cluster1.modules.0",
        "not a slot",
    ),
    (
        "unwired",
        lambda t: _described(t)["modules"].pop("5"),
        "connectivity.graph",
        "'cluster1.module5.real_output_0': hardware_description has no such module",
    ),
    (
        "channel",
        lambda t: t["connectivity"]["graph"].append(["cluster1.module2.real_output_0", "q7:fl"]),
        "connectivity.graph",
        "a QCM_RF has no such channel",
    ),
    ("pair", lambda t: t["connectivity"]["graph"].append(["q3:mw"]), "connectivity.graph.8", "must be a pair"),
    (
        "option",
        lambda t: t["hardware_options"].update(output_attenuation={}),
        "hardware_options.output_attenuation",
        "did you mean output_att?",
    ),
    (
        "attenuation",
        lambda t: t["hardware_options"]["output_att"].update({"q3:mw-q3.01": "6 dB"}),
        "hardware_options.output_att.q3:mw-q3.01",
        "in dB, not '6 dB'",
    ),
    (
        "GHz",
        lambda t: t["hardware_options"]["modulation_frequencies"].update({"q3:mw-q3.01": {"interm_freq": 5e9}}),
        "hardware_options.modulation_frequencies.q3:mw-q3.01.interm_freq",
        "in Hz, not 5000000000.0",
    ),
    (
        "code",
        lambda t: t["hardware_options"].update(sequencer_options={"q3:mw-q3.01": {"qasm_hook_func": "os.system"}}),
        "hardware_options.sequencer_options.q3:mw-q3.01.qasm_hook_func",
        "names code",
    ),
    (
        "filter",
        lambda t: t["hardware_options"].update(
            distortion_corrections={"q3:fl-cl0.baseband": {"filter_func": "os.system"}}
        ),
        "hardware_options.distortion_corrections.q3:fl-cl0.baseband.filter_func",
        "not 'os.system'",
    ),
]


@pytest.mark.parametrize(
    ("change", "key", "words"), [row[1:] for row in HARDWARE_FAULTS], ids=[row[0] for row in HARDWARE_FAULTS]
)
def test_what_is_wrong_in_a_hardware_file_is_refused_by_its_key(
    tmp_path: Path, change: Change, key: str, words: str
) -> None:
    with pytest.raises(Rejected) as refused:
        load([chip(tmp_path), cluster(tmp_path, change)], library="qblox", dummy=True)
    assert refused.value.data["field"] == key
    assert refused.value.message.startswith(f"hardware.json: {key} ")
    assert words in refused.value.message


HOSTILE = {
    "bomb.yml": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
    "merges.yml": "a: &a {k: 1}\n"
    + "".join(f"{b}: &{b} {{<<: [{','.join([f'*{a}'] * 9)}]}}\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
    "itself.yml": "a: &a [*a]\n",
    "deep.json": "[" * 100_000,
    "deep.yml": "[" * 5_000,
    "deeper.json": '{"a":' * 100 + "1" + "}" * 100,
    "deep.toml": "a = " + "[" * 5_000,
    "twice.json": '{"q3": 1, "q3": 2}',
    "twice.yml": "q3: 1\nq3: 2\n",
    "twice.toml": "a = 1\na = 2\n",
    "python.yml": "a: !!python/object/apply:os.system [id]\n",
    "tag.yml": "!Elsewhere\na: 1\n",
    "two.yml": "a: 1\n---\nb: 2\n",
    "keys.yml": "? [1, 2]\n: 3\n",
    "digits.json": '{"a": ' + "9" * 10_000 + "}",
    "binary.json": "\x00\x01",
    "empty.json": "",
    "list.json": "[]",
    "strange.json": '{"hello": {"world": 1}}',
    "large.json": '"' + "x" * MAX_BYTES + '"',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_plainly(tmp_path: Path, name: str) -> None:
    with pytest.raises(Rejected) as refused:
        load([write(tmp_path, name, HOSTILE[name])], library="qblox", dummy=True)
    assert refused.value.code == "bad_config"
    assert refused.value.message.startswith(name)
    assert len(refused.value.message) < 500


def test_files_that_cannot_be_read_say_so(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="does not exist"):
        load([tmp_path / "none.json"], library="qblox", dummy=True)
    with pytest.raises(Rejected, match="is not a file"):
        load([tmp_path], library="qblox", dummy=True)
    latin = tmp_path / "latin.json"
    latin.write_bytes('{"a": "é"}'.encode("latin-1"))
    with pytest.raises(Rejected, match="it is not UTF-8 text"):
        load([latin], library="qblox", dummy=True)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("passwords", "root:$6$SECRET:19000:0:99999:7:::\ndaemon:*:1:2\n"), ("key.pem", "-----BEGIN-----\nSECRET\n"),
        ("token", "SECRET"), ("token.json", "SECRET"), ("words.json", '"SECRET"'), ("list.json", '["SECRET"]'),
        ("settings", "A=SECRET\nB: SECRET\n"), ("short.yaml", "key: [SECRET, {"), ("settings.toml", "SECRET\n"),
    ],
)  # fmt: skip
def test_nothing_of_a_file_that_is_none_of_a_lab_is_shown(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(Rejected) as refused:
        load([write(tmp_path, name, text)], library="qblox", dummy=True)
    assert "SECRET" not in str(refused.value)
    assert name in str(refused.value)


def test_two_of_a_kind_or_none_are_refused(tmp_path: Path) -> None:
    second = write(tmp_path, "other.yml", given.qpi_yaml())
    with pytest.raises(Rejected, match=r"other\.yml is a second device, beside device\.json"):
        load([chip(tmp_path), second, cluster(tmp_path)], library="qblox", dummy=True)
    with pytest.raises(Rejected, match="a device file is missing"):
        load([cluster(tmp_path)], library="qblox", dummy=True)
    with pytest.raises(Rejected, match="a hardware configuration is missing"):
        load([second], library="qblox", dummy=True)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda t: t["qubits"]["q3"]["drive"].update(amp180="x"), "qubits.q3.drive.amp180"),
        (lambda t: t["qubits"]["q3"]["drive"].update(beta=0), "qubits.q3.drive.beta"),
        (lambda t: t["qubits"]["q3"].update(drive={}), "qubits.q3.drive.amp180"),
        (lambda t: t["qubits"]["q3"].update(f01_hz=4.42), "qubits.q3.f01_hz"),
        (lambda t: t["qubits"]["q3"].update(t1_s=1e-5, t2_s=3e-5), "qubits.q3.t2_s"),
        (lambda t: t["qubits"]["q7"]["readout"].update(centres=[[0, 1]]), "qubits.q7.readout.centres"),
        (lambda t: t["edges"].update(q3_q9=t["edges"].pop("q3_q7")), "edges.q3_q9"),
        (lambda t: t["edges"]["q3_q7"].pop("amplitude"), "edges.q3_q7.amplitude"),
    ],
)
def test_own_device_files_are_refused_by_their_keys(tmp_path: Path, change: Change, key: str) -> None:
    tree = deepcopy(given.own_json())
    change(tree)
    with pytest.raises(Rejected) as refused:
        load([write(tmp_path, "own.json", tree), cluster(tmp_path)], library="qblox", dummy=True)
    assert refused.value.data["field"] == key


def _places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    keys = tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        yield (*path, key)
        yield from _places(tree[key], (*path, key))


ODD: tuple[Any, ...] = (
    None, True, "", "x", "q3", 0, -1, 1e9, float("nan"), [], {}, [1], {"a": 1}, ".", ":", "Cluster", 10**30,
    "cluster1.module5.real_output_0",
)  # fmt: skip


def test_whatever_is_changed_in_a_file_it_is_read_or_refused_by_name(tmp_path: Path) -> None:
    random = Random(14)
    seed = {**tomllib.loads(given.TERGITE_SEED), **tomllib.loads(given.TERGITE_BACKEND)}
    qpi = parse(given.qpi_yaml(), "device.yml", ".yml").value
    devices = (given.quantify_json(), given.qblox_json(), given.own_json(), qpi, seed)
    clusters = (given.hardware(graph="lists"), given.hardware("quantify", graph="node-link"), given.old_hardware())
    read, refused = 0, []
    for _ in range(250):
        pair = [deepcopy(random.choice(devices)), deepcopy(random.choice(clusters))]
        changed = random.choice(pair)
        *way, last = random.choice(list(_places(changed)))
        place: Any = changed
        for key in way:
            place = place[key]
        if random.random() < 0.3:
            del place[last]
        else:
            place[last] = deepcopy(random.choice(ODD))
        files = [write(tmp_path, name, tree) for name, tree in zip(("device.json", "cluster.json"), pair, strict=True)]
        try:
            load(files, library=random.choice(LIBRARIES), dummy=True)
            read += 1
        except Rejected as error:
            refused.append(error.message)
    assert read > 20
    assert len(refused) > 80
    assert [message for message in refused if not message.startswith(("device.json", "cluster.json"))] == []


def test_files_are_read_without_any_scheduler(tmp_path: Path) -> None:
    device, hardware = write(tmp_path, *given.DEVICES["quantify.yaml"]), cluster(tmp_path)
    code = f"""
import sys
absent = ("qblox_scheduler", "quantify_scheduler", "quantify_core", "qblox_instruments", "qcodes")
sys.modules.update(dict.fromkeys(absent))
from pathlib import Path
from qpi_executors.instruments.files import convert, load
files = [Path({str(device)!r}), Path({str(hardware)!r})]
print(*load(files, library="quantify", dummy=False).device.names, *convert(files, "qblox").files)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (said.stdout, said.returncode) == ("q3 q7 device.json hardware.json\n", 0), said.stderr
