"""The CUDA extension: arguments that it refuses without a device."""

from __future__ import annotations

import pytest

from icfast.backends.losses import LINEAR_TILE, Format, Softmax, Tile


@pytest.fixture
def cuda():
    return pytest.importorskip("icfast.backends._cuda", reason="this build has no CUDA part")


def test_sizes_that_do_not_fit_never_reach_the_device(cuda):
    plain = Softmax(3, 0.0, 1.0, -100)
    out, queue = (8, 8, 0, 0, 0), (0, 0)
    with pytest.raises(ValueError, match="distribution has 3 columns, the logits 2"):
        cuda.cross_entropy((8, 0, 1, 2, 2), (8, 6), plain, out, queue)
    with pytest.raises(ValueError, match="logits have an invalid format or shape"):
        cuda.cross_entropy((8, 4, 1, 3, 3), (8, 6), plain, out, queue)
    with pytest.raises(ValueError, match="logits are not aligned to their element size"):
        cuda.cross_entropy((2, 0, 1, 3, 3), (8, 6), plain, out, queue)
    with pytest.raises(ValueError, match="targets have an invalid type"):
        cuda.cross_entropy((8, 0, 1, 3, 3), (8, 8), plain, out, queue)
    with pytest.raises(ValueError, match="losses and kinds have no address"):
        cuda.cross_entropy((8, 0, 1, 3, 3), (8, 6), plain, (8, 0, 0, 0, 0), queue)
    with pytest.raises(ValueError, match="number of rows is negative"):
        cuda.add_losses(8, 8, 8, -1, (8, 8, 8, 8, 1), queue)


def test_operands_that_do_not_fit_never_reach_the_device(cuda):
    def call(hidden=(8, 1, 5, 4, 4), weight=(8, 1, 3, 4, 4), bias=(8, 0, 1, 0, 0), **more):
        softmax = more.get("softmax", Softmax(3, 0.0, 1.0, -100))
        return cuda.linear_scratch_bytes(hidden, weight, bias, softmax, more.get("tile", (2, 8)))

    assert call() > 2 * 64 * 4
    for said, changed in {
        "hidden states have 4 columns, weights 5": {"weight": (8, 1, 3, 5, 5)},
        "float64 operands are not supported": {"hidden": (8, 3, 5, 4, 4)},
        "distribution has 4 columns": {"softmax": Softmax(4, 0.0, 1.0, -100)},
        "distribution has no columns": {"softmax": Softmax(0, 0.0, 1.0, -100)},
        "bias must have one row of 3 columns": {"bias": (8, 0, 1, 2, 2)},
        "a tile must have at least one row": {"tile": (0, 8)},
    }.items():
        with pytest.raises(ValueError, match=said):
            call(**changed)


def test_scratch_does_not_grow_with_rows_and_keeps_its_budget(cuda):
    def scratch(rows, width, columns, form):
        operands = (8, form, rows, width, width), (16, form, columns, width, width), (8, 0, 1, 0, 0)
        return cuda.linear_scratch_bytes(*operands, Softmax(columns, 0.0, 1.0, -100), LINEAR_TILE)

    for form in (Format.FP32, Format.BF16, Format.FP16):
        for width in (4096, 16384):
            for columns in (128256, 131072, 262144):
                few = scratch(1, width, columns, form)
                assert few == scratch(10**9, width, columns, form) <= 256 << 20


def test_too_little_scratch_is_refused(cuda):
    operands = (8, 1, 5, 4, 4), (16, 1, 3, 4, 4), (8, 0, 1, 0, 0)
    softmax, tile = Softmax(3, 0.0, 1.0, -100), Tile(2, 8)
    size = cuda.linear_scratch_bytes(*operands, softmax, tile)
    status = cuda.linear_cross_entropy(
        *operands, (8, 6), softmax, tile, (0, size - 1), (8, 8, 0, 0, 0), (0, 0)
    )
    assert status == (3, 0, size)


def test_without_a_library_products_say_so(cuda):
    if not cuda.load_products([]):
        pytest.skip("there is one")
    tried = cuda.load_products(["/nowhere"])
    assert "/nowhere/libcublasLt.so.13: cannot open" in tried
    assert "\n  libcublasLt.so.12: cannot open" in tried
    operands = (8, 1, 5, 4, 4), (16, 1, 3, 4, 4), (8, 0, 1, 0, 0)
    softmax, tile = Softmax(3, 0.0, 1.0, -100), Tile(2, 8)
    code, _, value = cuda.linear_cross_entropy(
        *operands, (8, 6), softmax, tile, (0, 1 << 30), (8, 8, 0, 0, 0), (0, 0)
    )
    assert (code, cuda.name_of_error(value)) == (7, "cuBLASLt is not loaded")
    assert cuda.linear_algorithm(*operands, softmax, tile, (0, 0)) == "cuBLASLt is not loaded"


def test_without_a_device_a_call_reports_it(cuda):
    if not (reason := cuda.device_error()):
        pytest.skip("there is one")
    out, queue = (8, 8, 0, 0, 0), (0, 0)
    for matrix in ((8, 0, 1, 3, 3), (8, 1, 1, 3, 3), (8, 3, 1, 3, 3)):
        code, _, value = cuda.cross_entropy(matrix, (8, 6), Softmax(3, 0.0, 1.0, -100), out, queue)
        assert (code, cuda.name_of_error(value)) == (7, reason)
    code, _, value = cuda.add_losses(8, 8, 8, 1, (8, 8, 8, 8, 1), queue)
    assert (code, cuda.name_of_error(value)) == (7, reason)
