"""Selection of engine and device, by default and on conflicting requests."""

import importlib.metadata
import subprocess
import sys

import pytest
import torch

from restoration.errors import EngineUnavailable
from restoration.generators.engines import describe_engine
from restoration.generators.engines.selection import EngineChoice, cuda_devices, select_engine

needs_no_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there")


@needs_no_cuda
@pytest.mark.parametrize(
    ("engine", "device", "chosen"),
    [
        ("auto", "auto", EngineChoice("openvino", "cpu")),
        ("auto", "cpu", EngineChoice("openvino", "cpu")),
        ("openvino", "auto", EngineChoice("openvino", "cpu")),
        ("openvino", "cpu", EngineChoice("openvino", "cpu")),
        ("torch", "auto", EngineChoice("torch", "cpu")),
        ("torch", "cpu", EngineChoice("torch", "cpu")),
    ],
)
def test_without_cuda_openvino_computes_unless_torch_is_named(
    engine: str, device: str, chosen: EngineChoice
) -> None:
    assert select_engine(engine, device) == chosen


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_with_cuda_torch_computes() -> None:
    assert cuda_devices() == torch.cuda.device_count()
    assert select_engine() == EngineChoice("torch", "cuda")
    assert select_engine("auto", "cpu") == EngineChoice("openvino", "cpu")


@needs_no_cuda
@pytest.mark.parametrize("engine", ["auto", "torch"])
def test_cuda_requested_and_missing_never_falls_back_to_the_cpu(engine: str) -> None:
    with pytest.raises(EngineUnavailable, match="CUDA"):
        select_engine(engine, "cuda")


def test_openvino_on_cuda_is_refused() -> None:
    with pytest.raises(EngineUnavailable) as caught:
        select_engine("openvino", "cuda")

    assert "OpenVINO" in caught.value.reason
    assert "torch" in caught.value.remedy


def test_other_words_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="auto, torch, openvino"):
        select_engine("onnx", "cpu")
    with pytest.raises(ValueError, match="auto, cpu, cuda"):
        select_engine("auto", "tpu")


@needs_no_cuda
def test_the_driver_counts_no_device_where_there_is_none() -> None:
    assert cuda_devices() == 0


def test_engine_device_and_versions_are_told_in_a_line() -> None:
    assert describe_engine("torch", "cpu").startswith("torch/cpu: ")
    assert torch.__version__ in describe_engine("torch", "cpu")
    assert describe_engine("openvino").startswith("openvino/cpu: ")
    assert importlib.metadata.version("openvino") in describe_engine("openvino")


def test_importing_engines_loads_neither_torch_nor_openvino() -> None:
    code = (
        "import sys, restoration.generators.engines, restoration.generators.models;"
        "sys.exit(bool({'torch', 'openvino'} & sys.modules.keys()))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("cause", "raised"), [(KeyboardInterrupt(), KeyboardInterrupt), (ValueError(), EngineUnavailable)]
)
def test_ctrl_c_while_openvino_loads_is_an_interrupt(
    monkeypatch: pytest.MonkeyPatch, cause: BaseException, raised: type[BaseException]
) -> None:
    class Interrupted:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "openvino":
                raise ImportError("initialization failed") from cause

    monkeypatch.delitem(sys.modules, "openvino")
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])

    with pytest.raises(raised):
        describe_engine("openvino")
