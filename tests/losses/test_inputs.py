"""Arrays of anyone, as they lie: views and never copies, and a clear word where that can't be."""

from __future__ import annotations

import array as stdlib_array
import gc
import mmap

import numpy as np
import pytest
from tests.losses.producers import Producer

from icfast.backends.losses import Format
from icfast.errors import BackendError, OptionError
from icfast.losses.dlpack import device_of
from icfast.losses.inputs import read_floats, read_integers

INT, UINT, FLOAT, BFLOAT, COMPLEX, BOOL = 0, 1, 2, 4, 5, 6


def address(values: np.ndarray) -> int:
    return values.__array_interface__["data"][0]


# numpy and buffers ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "form"),
    [("f4", Format.FP32), ("f8", Format.FP64), ("f2", Format.FP16)],
)
def test_numpy_arrays_are_seen_as_they_lie(dtype, form):
    given = np.arange(24, dtype=dtype).reshape(2, 3, 4)[::-1, 1:]
    found = read_floats(given, "logits")
    assert found.format is form
    assert address(found.values) == address(given)
    assert (found.values.shape, found.values.strides) == (given.shape, given.strides)
    assert found.values.dtype == ("u2" if dtype == "f2" else dtype)
    assert np.array_equal(found.values.view(dtype), given)


def test_bfloat16_is_known_by_its_name():
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="numpy has no bfloat16 without it")
    given = np.array([[1.0, -2.0, 3.0]], ml_dtypes.bfloat16)[:, 1:]
    found = read_floats(given, "logits")
    assert found.format is Format.BF16
    assert found.values.tolist() == [[0xC000, 0x4040]]
    assert address(found.values) == address(given)
    with pytest.raises(OptionError, match="targets are bfloat16"):
        read_integers(given, "targets")


def test_read_only_and_mapped_arrays(tmp_path):
    np.arange(6, dtype="f4").tofile(tmp_path / "logits.bin")
    mapped = np.memmap(tmp_path / "logits.bin", "f4", "r", shape=(2, 3))
    found = read_floats(mapped, "logits").values
    assert address(found) == address(mapped)
    assert not found.flags.writeable
    with (tmp_path / "logits.bin").open("rb") as file:
        memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        assert read_integers(memory, "targets").dtype == np.uint8
        del memory


def test_buffers():
    held = stdlib_array.array("f", [1.0, 2.0])
    found = read_floats(held, "logits").values
    held[1] = 5.0
    assert found.tolist() == [1.0, 5.0]
    assert read_integers(stdlib_array.array("h", [3, -1]), "targets").tolist() == [3, -1]
    assert read_integers(np.int64(7), "targets").shape == ()


# DLPack --------------------------------------------------------------------------------------


@pytest.mark.parametrize("versioned", [False, True])
@pytest.mark.parametrize(
    ("code", "dtype", "form"),
    [
        (FLOAT, "f4", Format.FP32),
        (FLOAT, "f8", Format.FP64),
        (FLOAT, "f2", Format.FP16),
        (BFLOAT, "u2", Format.BF16),
    ],
)
def test_tensors_are_seen_as_they_lie(versioned, code, dtype, form):
    given = np.arange(24, dtype=dtype).reshape(2, 3, 4)[::-1, 1:]
    found = read_floats(Producer(given, code, versioned=versioned), "logits")
    assert found.format is form
    assert address(found.values) == address(given)
    assert (found.values.shape, found.values.strides) == (given.shape, given.strides)
    assert np.array_equal(found.values.view(dtype), given)


@pytest.mark.ci
@pytest.mark.parametrize("versioned", [False, True])
def test_a_tensor_is_given_back_once_when_its_last_view_goes(versioned):
    given = Producer(np.ones((2, 3), "f4"), FLOAT, versioned=versioned)
    found = read_floats(given, "logits").values
    part = found[1:]
    assert "used_dltensor" in repr(given.capsule)
    del found
    gc.collect()
    assert given.deleted == 0
    assert part.tolist() == [[1.0, 1.0, 1.0]]
    del part
    gc.collect()
    assert given.deleted == 1


def test_a_tensor_that_is_refused_is_given_back_too():
    given = Producer(np.ones(3, "c8"), COMPLEX)
    with pytest.raises(OptionError, match="complex64"):
        read_floats(given, "logits")
    gc.collect()
    assert given.deleted == 1


def test_a_tensor_without_a_deleter():
    found = read_floats(Producer(np.ones(3, "f4"), FLOAT, deleter=False), "logits").values
    assert found.tolist() == [1, 1, 1]


def test_the_newest_form_is_asked_for_and_the_oldest_taken():
    new, old = (Producer(np.ones(1, "f4"), FLOAT, versioned=v) for v in (True, False))
    read_floats(new, "logits")
    read_floats(old, "logits")
    assert new.asked == [{"max_version": (1, 0)}]
    assert old.asked == [{"max_version": (1, 0)}, {}]


@pytest.mark.parametrize("flags", [0, 1, 2, 3])
def test_read_only_tensors_have_read_only_views(flags):
    found = read_floats(Producer(np.ones(2, "f4"), FLOAT, flags=flags), "logits").values
    assert found.flags.writeable == (flags in (0, 2))


def test_strides_may_be_missing_and_data_may_have_a_byte_offset():
    given = np.arange(12, dtype="f4").reshape(3, 4)
    found = read_floats(Producer(given, FLOAT, strides=False, byte_offset=64), "logits").values
    assert np.array_equal(found, given)
    assert address(found) == address(given)


def test_an_empty_tensor():
    given = Producer(np.empty((0, 5), "f4"), FLOAT)
    assert read_floats(given, "logits").values.shape == (0, 5)
    gc.collect()
    assert given.deleted == 1


@pytest.mark.parametrize(
    ("code", "dtype"), [(INT, "i8"), (INT, "i4"), (INT, "i2"), (UINT, "u2"), (UINT, "u1")]
)
def test_targets_of_every_integer(code, dtype):
    given = np.array([[3, 1, 2]], dtype)
    found = read_integers(Producer(given, code), "targets")
    assert (found.dtype, found.tolist()) == (np.dtype(dtype), [[3, 1, 2]])


@pytest.mark.parametrize("kind", [1, 3, 11])
def test_pinned_memory_is_the_hosts(kind):
    assert (
        read_floats(Producer(np.ones(2, "f4"), FLOAT, device=(kind, 0)), "logits").values.size == 2
    )


@pytest.mark.parametrize(
    ("device", "name"), [((2, 0), "cuda:0"), ((2, 3), "cuda:3"), ((8, 0), "metal:0")]
)
def test_other_devices_are_named(device, name):
    given = Producer(np.ones(2, "f4"), FLOAT, device=device)
    assert str(device_of(given)) == name
    with pytest.raises(
        BackendError, match=f"logits are on {name}, but this function reads the host"
    ):
        read_floats(given, "logits")
    assert not given.asked


def test_a_device_nobody_knows():
    given = Producer(np.ones(2, "f4"), FLOAT, device=(99, 0))
    with pytest.raises(BackendError, match="logits are on device99:0"):
        read_floats(given, "logits")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"code": FLOAT, "bits": 8}, "elements of float 8 bits"),
        ({"code": BFLOAT, "bits": 8}, "elements of bfloat 8 bits"),
        ({"code": INT, "bits": 4}, "elements of int 4 bits"),
        ({"code": 10, "bits": 8}, "elements of kind 10 of 8 bits"),
        ({"code": FLOAT, "lanes": 4}, "32 bits in 4 lanes"),
        ({"code": FLOAT, "major": 2}, r"expected DLPack 1.x, found version 2\.3"),
    ],
)
def test_tensors_without_a_view(options, said):
    given = Producer(np.ones(4, "f4"), **options)
    with pytest.raises(OptionError, match=f"logits cannot be read: .*{said}"):
        read_floats(given, "logits")
    gc.collect()
    assert given.deleted == 1


def test_a_capsule_is_used_once():
    given = Producer(np.ones(2, "f4"), FLOAT)
    read_floats(given, "logits")

    class Again:
        __dlpack_device__ = given.__dlpack_device__

        def __dlpack__(self, **_):
            return given.capsule

    with pytest.raises(OptionError, match=r"expected a fresh DLPack capsule, .*used_dlt"):
        read_floats(Again(), "logits")


def test_what_a_library_refuses_is_passed_on():
    class Sparse:
        def __dlpack_device__(self):
            return 1, 0

        def __dlpack__(self, **_):
            raise RuntimeError("can't export a sparse tensor")

    with pytest.raises(
        OptionError, match=r"logits cannot be read .*: can't export a sparse tensor"
    ):
        read_floats(Sparse(), "logits")


# What is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.ones((2, 3), "i4"), "logits are int32; expected float32, bfloat16"),
        (np.ones((2, 3), "c8"), "logits are complex64"),
        (np.ones((2, 3), "?"), "logits are bool"),
        (np.ones((2, 3), np.longdouble), "logits are (longdouble|float128|float96|float64)"),
        (np.ones((2, 3), ">f4"), "logits are float32 byte-swapped"),
        (np.array(["a"]), "logits are str"),
        (np.float32(1), "have no axis"),
        ([[1.0, 2.0]], "logits are list; expected a NumPy array"),
        (None, "logits are NoneType"),
        (np.ones((2, 6), "f4")[:, ::2], r"last axis .*stride is 8 bytes, .*Pass \.contiguous\(\)"),
        (np.ones((2, 6), "f4")[:, ::-1], "stride is -4 bytes"),
        (np.ones((2, 6), "f4").T, "stride is 24 bytes"),
        (np.broadcast_to(np.ones((2, 1), "f4"), (2, 6)), "stride is 0 bytes"),
        (np.ones(25, "u1")[1:].view("f4").reshape(2, 3), "are not aligned"),
        (np.ma.masked_array(np.ones((2, 3)), mask=True), "masked array. Fill it"),
    ],
)
def test_logits_that_are_refused(given, said):
    with pytest.raises(OptionError, match=said):
        read_floats(given, "logits")


def test_rows_between_elements():
    records = np.zeros(3, [("row", "f4", 2), ("odd", "u2")])
    with pytest.raises(OptionError, match=r"strides are \(10, 4\), their elements have 4 bytes"):
        read_floats(records["row"], "logits")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.ones(3, "?"), "targets are bool; expected ids of an integer dtype"),
        (np.ones(3, "f4"), "targets are float32"),
        (np.ones(3, "O"), "targets are object"),
        (np.ones(3, "m8[s]"), r"targets are timedelta64\[s\]"),
        ([1, 2], "targets are list"),
        (3, "targets are int"),
        ("abc", "targets are str"),
    ],
)
def test_targets_that_are_refused(given, said):
    with pytest.raises(OptionError, match=said):
        read_integers(given, "targets")


def test_one_column_has_no_stride():
    given = np.ones((4, 6), "f4")[:, ::6]
    assert read_floats(given, "logits").values.shape == (4, 1)


# Others --------------------------------------------------------------------------------------


def test_arrow_arrays():
    pyarrow = pytest.importorskip("pyarrow")
    given = pyarrow.array([5, 6, 7], pyarrow.int32())
    found = read_integers(given, "targets")
    assert (found.dtype, found.tolist()) == (np.int32, [5, 6, 7])
    with pytest.raises(OptionError, match="targets cannot be read"):
        read_integers(pyarrow.array([5, None]), "targets")


class TestTorch:
    @pytest.fixture
    def torch(self):
        return pytest.importorskip("torch", reason="tensors of torch need torch")

    @pytest.mark.parametrize(
        ("dtype", "form"),
        [
            ("float32", Format.FP32),
            ("float64", Format.FP64),
            ("float16", Format.FP16),
            ("bfloat16", Format.BF16),
        ],
    )
    def test_tensors_are_seen_as_they_lie(self, torch, dtype, form):
        given = torch.arange(24).to(getattr(torch, dtype)).reshape(2, 3, 4)[:, 1:]
        found = read_floats(given, "logits")
        assert found.format is form
        assert address(found.values) == given.data_ptr()
        assert found.values.shape == (2, 2, 4)
        bits = torch.from_numpy(found.values.copy()).view(getattr(torch, dtype))
        assert torch.equal(bits, given)

    def test_a_view_keeps_the_tensor(self, torch):
        found = read_floats(torch.full((1000, 1000), 3.0), "logits").values
        gc.collect()
        assert (found == 3).all()

    @pytest.mark.parametrize(
        ("make", "said"),
        [
            (
                lambda torch: torch.ones(3, requires_grad=True),
                r"losses without gradients. Pass \.detach\(\)",
            ),
            (lambda torch: torch.ones(3, 4).T, r"Pass \.contiguous\(\)"),
            (lambda torch: torch.ones(3, dtype=torch.int64), "logits are int64"),
            (lambda torch: torch.ones(3, dtype=torch.bool), "logits are bool"),
            (lambda torch: torch.ones(3, dtype=torch.complex64), "logits are complex64"),
            (lambda torch: torch.ones(3).to(torch.float8_e4m3fn), "logits cannot be read"),
            (lambda torch: torch.ones(3, 3).to_sparse(), "logits cannot be read"),
            (lambda torch: torch.ones(3, device="meta"), "logits cannot be read"),
        ],
    )
    def test_tensors_that_are_refused(self, torch, make, said):
        with pytest.raises(OptionError, match=said):
            read_floats(make(torch), "logits")
