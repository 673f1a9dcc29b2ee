"""The torch engine: its interface and its errors."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from restoration.errors import EngineUnavailable, ModelError, OutOfMemory, WeightsMismatch
from restoration.generators.engines import open_engine
from restoration.generators.engines.engine import Engine
from restoration.generators.engines.selection import resolve_device
from restoration.generators.engines.torch_engine import TorchEngine
from restoration.generators.models import Library, ModelCard, model_card

needs_no_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there")


class Failing(torch.nn.Module):
    """A network whose computation fails in a chosen way."""

    def __init__(self, failure: Exception) -> None:
        super().__init__()
        self.failure = failure

    def forward(self, _: torch.Tensor) -> torch.Tensor:
        raise self.failure


@pytest.fixture
def card(shelf: Path) -> ModelCard:
    return model_card("trial", Library((shelf,)))


@pytest.fixture
def engine(card: ModelCard) -> Engine:
    return open_engine(card, "cpu", engine="torch")


def test_the_name_tells_engine_device_and_model(engine: Engine) -> None:
    assert engine.name == "torch/cpu/trial"


def test_gray_pictures_come_back_as_chroma(engine: Engine) -> None:
    chroma = engine.predict(_gray(3, 64, 96))

    assert chroma.shape == (3, 2, 64, 96)
    assert chroma.dtype == np.float32
    assert np.abs(chroma).max() <= 0.5


def test_the_same_picture_gives_the_same_bytes_twice(engine: Engine, card: ModelCard) -> None:
    gray = _gray(2, 128, 96)

    first = engine.predict(gray).tobytes()

    assert engine.predict(gray).tobytes() == first
    assert open_engine(card, "cpu", engine="torch").predict(gray).tobytes() == first


def test_the_input_is_left_as_it_was(engine: Engine) -> None:
    gray = _gray(1, 64, 64)
    before = gray.copy()

    engine.predict(gray)

    assert np.array_equal(gray, before)


def test_a_view_of_a_larger_picture_is_taken(engine: Engine) -> None:
    gray = _gray(1, 128, 128)

    view = engine.predict(gray[:, 32:96, ::2])

    assert np.array_equal(view, engine.predict(gray[:, 32:96, ::2].copy()))


@settings(max_examples=12, deadline=None)
@given(height=st.integers(0, 100), width=st.integers(0, 100))
def test_only_multiples_of_the_card_s_are_taken(height: int, width: int) -> None:
    fitting = min(height, width) > 0 and height % 32 == 0 and width % 32 == 0
    engine = TorchEngine(_card(), torch.nn.Conv2d(1, 2, 1), torch.device("cpu"))
    gray = np.zeros((1, height, width), dtype=np.float32)
    if fitting:
        assert engine.predict(gray).shape == (1, 2, height, width)
    else:
        with pytest.raises(ValueError, match="multiples of 32"):
            engine.predict(gray)


@pytest.mark.parametrize(
    "gray", [np.zeros((32, 32), np.float32), np.zeros((1, 32, 32)), np.zeros((1, 32, 32), np.uint8)]
)
def test_another_shape_or_type_is_refused(engine: Engine, gray: np.ndarray) -> None:
    with pytest.raises(ValueError, match="float32"):
        engine.predict(gray)


@needs_no_cuda
def test_cuda_asked_for_and_missing_is_told_with_a_remedy(card: ModelCard) -> None:
    with pytest.raises(EngineUnavailable) as caught:
        open_engine(card, device="cuda")

    assert "CUDA" in caught.value.reason
    assert "cpu" in caught.value.remedy


@needs_no_cuda
def test_auto_takes_the_cpu_where_there_is_no_cuda(card: ModelCard) -> None:
    assert open_engine(card, engine="torch").name == "torch/cpu/trial"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_agrees_with_the_cpu_and_with_itself(card: ModelCard, engine: Engine) -> None:
    cuda = open_engine(card, device="cuda")
    assert cuda.name == "torch/cuda-float16/trial"

    for shape in ((2, 128, 128), (1, 256, 256), (7, 256, 256)):
        gray = _gray(*shape)
        assert cuda.predict(gray).tobytes() == cuda.predict(gray).tobytes()
        assert np.allclose(cuda.predict(gray), engine.predict(gray), atol=1e-3)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_replayed_graph_does_not_overwrite_its_results(card: ModelCard) -> None:
    cuda = open_engine(card, device="cuda")
    first = cuda.predict(_gray(2, 256, 256))
    kept = first.copy()

    cuda.predict(1 - _gray(2, 256, 256))

    assert np.array_equal(first, kept)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_windows_that_do_not_fit_go_in_smaller_batches(card: ModelCard) -> None:
    cuda = open_engine(card, device="cuda")
    cuda.predict(_gray(1, 256, 256))  # what the libraries keep for themselves is taken now
    most = torch.cuda.memory_reserved() + 2**27
    torch.cuda.set_per_process_memory_fraction(most / torch.cuda.get_device_properties(0).total_memory)
    try:
        made = cuda.predict(_gray(32, 256, 256))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)

    assert made.shape == (32, 2, 256, 256)
    assert cuda.batches.pixels < 32 * 256**2


def test_another_device_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="auto, cpu, cuda"):
        resolve_device("tpu")


def test_changed_weights_are_not_run(card: ModelCard, shelf: Path) -> None:
    (shelf / card.file).write_bytes(b"other weights")

    with pytest.raises(WeightsMismatch):
        open_engine(card, "cpu", engine="torch")


def test_weights_of_another_architecture_are_not_run(card: ModelCard) -> None:
    with pytest.raises(ModelError, match="do not fit"):
        open_engine(dataclasses.replace(card, architecture="seed-unet"), "cpu", engine="torch")


def test_an_architecture_of_the_future_is_told(card: ModelCard) -> None:
    with pytest.raises(ModelError, match="unknown architecture"):
        open_engine(dataclasses.replace(card, architecture="to-come"), "cpu", engine="torch")


@pytest.mark.parametrize(
    "failure",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        MemoryError(),
    ],
)
def test_failed_allocations_are_recognized(failure: Exception) -> None:
    engine = TorchEngine(_card(), Failing(failure), torch.device("cpu"))

    with pytest.raises(OutOfMemory):
        engine.predict(_gray(1, 32, 32))


@pytest.mark.parametrize(
    "failure", [RuntimeError("CUDA error: an illegal memory access was encountered"), RuntimeError("shape")]
)
def test_other_failures_are_not_out_of_memory(failure: Exception) -> None:
    engine = TorchEngine(_card(), Failing(failure), torch.device("cpu"))

    with pytest.raises(RuntimeError) as caught:
        engine.predict(_gray(1, 32, 32))

    assert caught.value is failure


def test_a_real_failed_allocation_is_out_of_memory() -> None:
    class Greedy(torch.nn.Module):
        def forward(self, _: torch.Tensor) -> torch.Tensor:
            return torch.empty(2**46, dtype=torch.float32)

    with pytest.raises(OutOfMemory):
        TorchEngine(_card(), Greedy(), torch.device("cpu")).predict(_gray(1, 32, 32))


def _gray(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).random(shape, dtype=np.float32)


def _card() -> ModelCard:
    return ModelCard(
        name="trial",
        summary="",
        architecture="lite0-unet",
        in_channels=1,
        out_channels=2,
        multiple=32,
        working_side=256,
        statistics="fixed",
        license="Apache-2.0",
        file="none",
        weights="0" * 64,
        bytes=0,
    )
