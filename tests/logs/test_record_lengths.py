"""Lengths that TensorBoard records state are compared with the file before memory is allocated."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import pytest

from icfast.errors import LogError
from icfast.logs.open import read_training_log

pytest.importorskip("tensorboard", reason="no tensorboard: pip install 'icfast[tensorboard]'")


def test_a_length_beyond_the_file_is_never_allocated(tmp_path: Path) -> None:
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

    length = struct.pack("<Q", 1 << 40)  # with the right checksum
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(length + struct.pack("<I", masked_crc32c(length)) + bytes(40))
    tracemalloc.start()
    try:
        with pytest.raises(LogError, match="no loss"):  # cut short, so it has no records
            read_training_log(path, tokens_per_step=1)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()
