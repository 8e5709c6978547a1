"""A pipe in place of an input is refused at once, wherever a file is opened by name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import icfast
from icfast.corpus.tokenizers.encoder import open_encoder
from icfast.energy.sources import codecarbon_joules
from icfast.errors import IcfastError
from icfast.kneser_ney.compact import load_model
from icfast.logs.open import read_training_log
from icfast.logs.points import read_scaling_points
from icfast.neural import load_model as load_neural_model
from icfast.ngrams.table import CountTable
from icfast.pipeline.provenance import input_file

READERS: dict[str, Callable[[Path], Any]] = {
    "shard": lambda path: icfast.open(path, dtype="u2"),
    "shard of a named format": lambda path: icfast.open(path, format="llmc"),
    "model": load_model,
    "gguf": lambda path: load_neural_model(f"gguf:{path}"),
    "vocabulary in gguf": lambda path: open_encoder(f"gguf:{path}", None),
    "tokenizer": lambda path: open_encoder(path, None),
    "log": read_training_log,
    "log of a named format": lambda path: read_training_log(path, format="tensorboard"),
    "table of runs": read_scaling_points,
    "energy": codecarbon_joules,
    "input of a result": input_file,
}


@pytest.mark.parametrize("name", READERS)
def test_fifos(tmp_path: Path, name: str) -> None:
    """A test that hangs here opens the pipe and waits for a writer."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(IcfastError, match="pipe is not a regular file"):
        READERS[name](pipe)


@pytest.mark.parametrize("name", READERS)
def test_devices(name: str) -> None:
    with pytest.raises(IcfastError, match="/dev/zero is not a regular file"):
        READERS[name](Path("/dev/zero"))


def test_inspect_lists_a_pipe_as_a_problem(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (report,) = icfast.inspect(tmp_path / "pipe", dtype="u2").shards
    assert "pipe is not a regular file" in " ".join(report.problems)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    np.tile([1, 2, 0], 9).astype("<u2").tofile(folder / "c.bin")
    corpus = icfast.open(folder / "c.bin", dtype="u2", eos_id=0, vocab_size=3)
    icfast.count(corpus, folder / "table", 2)
    (folder / "a.txt").write_text("some text")
    icfast.tokenize(folder / "a.txt", folder / "a.ds")
    return folder


def replaced(made: Path, to: Path, name: str) -> Path:
    """Return a copy of a folder in which one file is a pipe."""
    shutil.copytree(made, to)
    (to / name).unlink()
    os.mkfifo(to / name)
    return to


@pytest.mark.parametrize(
    "name", ["table.json", "ids.npy", "ends.run", "windows.run", "spectra.npz"]
)
def test_a_pipe_in_a_table(made: Path, tmp_path: Path, name: str) -> None:
    folder = replaced(made / "table", tmp_path / "table", name)
    with pytest.raises(IcfastError, match=f"{name} is not a regular file but a pipe"):
        CountTable.load(folder).spectra()


@pytest.mark.parametrize("name", ["a.ds.index", "a.ds.bytes", "a.ds.json"])
def test_a_pipe_as_a_sidecar(made: Path, tmp_path: Path, name: str) -> None:
    folder = replaced(made, tmp_path / "made", name)
    with pytest.raises(IcfastError, match=f"{name} is not a regular file but a pipe"):
        icfast.open(folder / "a.ds")


def test_a_pipe_among_the_files_next_to_a_gguf_file(tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf", reason="no gguf here: pip install 'icfast[neural]'")
    pytest.importorskip("accelerate", reason="no accelerate here: pip install 'icfast[neural]'")
    writer = gguf.GGUFWriter(tmp_path / "x.gguf", "llama")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(IcfastError, match=r"config.json is not a regular file but a pipe"):
        load_neural_model(f"gguf:{tmp_path / 'x.gguf'}")


def test_a_pipe_is_no_text(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.txt")
    with pytest.raises(IcfastError, match=r"a\.txt is not a regular file"):
        icfast.tokenize(tmp_path / "a.txt", tmp_path / "a.ds")


def test_the_input_of_a_shell_is_read_if_it_is_a_file(made: Path) -> None:
    """`icfast ... /dev/stdin <c.bin` has a regular file as its input; a pipe is refused."""
    descriptor = os.open(made / "c.bin", os.O_RDONLY)
    try:
        assert icfast.open(f"/dev/fd/{descriptor}", dtype="u2", eos_id=0).documents == 9
    finally:
        os.close(descriptor)
    reading, writing = os.pipe()
    try:
        with pytest.raises(IcfastError, match=f"/dev/fd/{reading} is not a regular file"):
            icfast.open(f"/dev/fd/{reading}", dtype="u2", eos_id=0)
    finally:
        os.close(reading)
        os.close(writing)


def test_a_log_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "log.csv").touch()
    os.truncate(tmp_path / "log.csv", 1 << 40)
    with pytest.raises(IcfastError, match="is too large: it has"):
        read_training_log(tmp_path / "log.csv")
