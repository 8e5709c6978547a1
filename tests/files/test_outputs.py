"""The rule for outputs: nothing is replaced by accident."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from icfast.errors import OptionError, OutputError
from icfast.files import Output, check_outputs, new_file, new_files


def ours(path: Path) -> bool:
    return path.read_bytes().startswith(b"ICF")


def model(path: Path) -> Output:
    return Output(path, "a model", ours)


def table(path: Path) -> Output:
    return Output(path, "a count table", lambda folder: (folder / "table.json").exists(), (), True)


def test_an_existing_output_is_refused_before_the_work(tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(b"ICF old")
    with pytest.raises(OptionError, match=r"m exists already\. .* --overwrite to replace a model"):
        new_file(model(path)).__enter__()
    with new_file(model(path), overwrite=True) as temporary:
        temporary.write_bytes(b"ICF new")
        assert path.read_bytes() == b"ICF old"
    assert path.read_bytes() == b"ICF new"


def test_what_icfast_did_not_write_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(b"mine")
    with pytest.raises(OutputError, match="does not recognise it as a model that icfast wrote"):
        check_outputs([model(path)], overwrite=True)
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "notes").touch()
    with pytest.raises(OutputError, match="does not recognise it as a count table"):
        check_outputs([table(tmp_path / "t")], overwrite=True)
    with pytest.raises(OptionError, match="is a folder"):
        check_outputs([model(tmp_path / "t")], overwrite=True)
    with pytest.raises(OptionError, match="it is a file, but a count table is a folder"):
        check_outputs([table(path)], overwrite=True)
    assert path.read_bytes() == b"mine"


def test_what_appears_during_the_work_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "m"
    with pytest.raises(OptionError, match="exists already"), new_file(model(path)):
        path.write_bytes(b"ICF of another run")
    with pytest.raises(OutputError, match="recognise"), new_file(model(path), overwrite=True):
        path.write_bytes(b"mine")
    assert [p.name for p in tmp_path.iterdir()] == ["m"]
    assert path.read_bytes() == b"mine"


@pytest.mark.parametrize("spelling", ["x", "./x", "sub/../x", "link", "hard", "folder-link/x"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_an_output_over_input_is_refused(tmp_path: Path, spelling: str, overwrite: bool) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "x").write_bytes(b"ICF")
    (tmp_path / "link").symlink_to("x")
    os.link(tmp_path / "x", tmp_path / "hard")
    (tmp_path / "folder-link").symlink_to(tmp_path, target_is_directory=True)
    path = Path(f"{tmp_path}/{spelling}")
    for output, source in ((path, tmp_path / "x"), (tmp_path / "x", path)):
        with pytest.raises(OutputError, match=r"is an output .* the command reads") as error:
            check_outputs([model(output)], [source], overwrite)
        assert str(output) in str(error.value)
        assert str(source) in str(error.value)


def test_an_output_in_an_input_folder_and_around_an_input(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "table.json").touch()
    with pytest.raises(OutputError, match="the command reads"):
        check_outputs([table(tmp_path / "t" / "new")], [tmp_path / "t"])
    with pytest.raises(OutputError, match="the command reads"):
        check_outputs([table(tmp_path / "t")], [tmp_path / "t" / "table.json"], True)
    check_outputs([table(tmp_path / "t2")], [tmp_path / "t"])


def test_two_outputs_at_one_place(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("y")
    for one, other in (("y", "y"), ("y", "./y"), ("y", "link"), ("y", "y/z")):
        outputs = [model(tmp_path / one), model(Path(f"{tmp_path}/{other}"))]
        with pytest.raises(OutputError, match="and one would be lost"):
            check_outputs(outputs)


def test_an_output_that_is_a_pipe_among_fifos(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to("/dev/null")
    (tmp_path / "loop").symlink_to("loop")
    for name, kind in (("pipe", "a pipe"), ("null", "a device")):
        for overwrite in (False, True):
            with pytest.raises(OutputError, match=f"not a regular file but {kind}"):
                check_outputs([model(tmp_path / name)], overwrite=overwrite)
    with pytest.raises(OptionError, match="form a loop"):
        check_outputs([model(tmp_path / "loop")])
    assert (tmp_path / "pipe").is_fifo()


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "m").symlink_to("disk/m")
    for content in (b"ICF 1", b"ICF 2"):
        with new_file(model(tmp_path / "m"), overwrite=True) as temporary:
            temporary.write_bytes(content)
        assert (tmp_path / "m").is_symlink()
        assert (tmp_path / "disk" / "m").read_bytes() == content


@pytest.mark.parametrize("suffix", [".csv", ".JSON", ".parquet", ".gz", ".html"])
def test_a_suffix_of_another_format_is_refused(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(OptionError, match=r"would hold a model, but its suffix .* names"):
        check_outputs([model(tmp_path / f"x{suffix}")])
    check_outputs([Output(tmp_path / f"x{suffix}", "it", ours, (suffix.lower(),))])
    check_outputs([model(tmp_path / name) for name in ("a", "a.icfast", "a.model", "a.v2")])


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    with new_file(model(tmp_path / ("x" * 255))) as temporary:
        temporary.write_bytes(b"ICF")
    with pytest.raises(OptionError, match="its name is too long"):
        check_outputs([model(tmp_path / ("x" * 256))])


def test_a_file_that_the_body_removes_is_removed_from_the_set(tmp_path: Path) -> None:
    outputs = [model(tmp_path / "a"), model(tmp_path / "b")]
    for output in outputs:
        output.path.write_bytes(b"ICF old")
    with new_files(outputs, overwrite=True) as (first, second):
        first.unlink()
        second.write_bytes(b"ICF new")
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
