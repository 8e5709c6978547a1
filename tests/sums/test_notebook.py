"""Sums as a notebook and a prompt show them."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
from tests.sums.test_loss import scores

from icfast.sums.by_position import PositionSums
from icfast.sums.fan_out import FanOut
from icfast.sums.loss import LossSum
from icfast.sums.matches import MatchLengths
from icfast.sums.spectrum import Spectra, Spectrum


def cells(html: str) -> list[list[str]]:
    """Rows of all tables, as text."""
    tables = ElementTree.fromstring(f"<div>{html}</div>")
    return [[cell.text or "" for cell in row] for row in tables.iter("tr")]


def test_a_spectrum() -> None:
    spectrum = Spectrum.from_counts([1, 1, 2, 5000])
    assert repr(spectrum) == "Spectrum(4 types, 5,004 windows)"
    assert cells(spectrum._repr_html_()) == [
        ["windows N", "5,004"],
        ["types K", "4"],
        ["types seen once", "2"],
        ["types seen twice", "1"],
    ]
    assert repr(Spectrum()) == "Spectrum(0 types, 0 windows)"


def test_spectra_have_a_row_per_order() -> None:
    complete = (Spectrum.from_counts([3, 1]), Spectrum.from_counts([1, 1]))
    spectra = Spectra(2, 4, 2, complete, (), (), (), ())
    assert repr(spectra) == "Spectra(orders 1..2, 4 tokens, 2 documents)"
    rows = cells(spectra._repr_html_())
    assert rows[1:] == [["1", "4", "2", "1", "0"], ["2", "2", "2", "2", "0"]]
    unigrams = repr(FanOut.of_unigrams(spectra))
    assert unigrams.startswith("FanOut(order=1, empty=Spectrum(1 types, 2 windows)")


def test_a_sum_of_losses_tells_what_is_not_in_it() -> None:
    assert repr(LossSum(3 << 31, 1000, 0, 0, 2)) == (
        "LossSum(1.5000 nats, 1,000 predicted tokens, 2 documents)"
    )
    loss = LossSum(3 << 31, 1000, 4, 2, 2, 4000, nan=1)
    assert repr(loss).endswith("2 documents, infinite=2, nan=1)")
    rows = dict(cells(loss._repr_html_()))
    assert (rows["loss in nats"], rows["loss in bits"]) == ("1.5000", "2.1640")
    assert (rows["text bytes"], rows["words"], rows["unknown ids"]) == ("4,000", "–", "4")
    assert (rows["not in the sum: infinite"], rows["not in the sum: huge"]) == ("2", "0")


def test_scores_list_their_first_documents() -> None:
    few = scores()
    assert repr(few) == "DocumentScores(3 documents, 6 predicted tokens)"
    assert len(few) == 3
    rows = cells(few._repr_html_())
    assert rows[1] == ["a.bin", "0", "3", "1.0000"]
    assert rows[3] == ["b.bin", "0", "2", "inf"]
    assert ["predicted tokens", "6"] in rows
    arrays = {name: value for name, value in vars(few).items() if isinstance(value, np.ndarray)}
    many = {name: np.repeat(value, 400) for name, value in arrays.items()}
    assert cells(scores(**many)._repr_html_())[11] == ["1,190 more", "", "", ""]


def test_arrays_are_counted_and_not_printed() -> None:
    lengths = MatchLengths(np.zeros(1500, np.int32), np.zeros(1500, np.int32), 0)
    assert repr(lengths) == "MatchLengths(1,500 tokens)"
    assert repr(PositionSums.zeros(3)) == "PositionSums(3 bins, 0 tokens)"
