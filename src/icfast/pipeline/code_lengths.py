"""A, B and C of count codes, per order: what learning the training documents costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from icfast.laws.code_length import CodeLengths, kt_code_lengths, minimum_length_order
from icfast.laws.pitman_yor import pitman_yor_code_lengths
from icfast.sums.fan_out import FanOut
from icfast.sums.spectrum import Spectra

Record = dict[str, Any]

_KT = "a token seen c times before costs -log2 (c + 1/2)/(n + V/2) behind a history seen n times"
_PITMAN_YOR = (
    "a token seen c times before costs -log2 (c - d)/(th + n), the K+1st distinct one "
    "-log2 (th + K d)/(th + n) + log2 (V - K); and B log2 of 50 pairs (d, th), of which the best"
)


def code_lengths_record(spectra: Spectra, fan_out: FanOut, vocab_size: int) -> Record:
    """KT and Pitman-Yor code lengths of the same tokens, each B with the C of its own order.

    C is the same for both: the plug-in code of an order is the last model of either.

    Args:
        spectra: of the training documents: only these have a fan-out, by the model fitted on them.
        fan_out: of the same.
        vocab_size: V, the alphabet of the baseline and of both codes.
    """
    orders = range(1, spectra.order + 1)
    kt = [kt_code_lengths(spectra, n, vocab_size) for n in orders]
    codes = [pitman_yor_code_lengths(spectra, fan_out, n, vocab_size) for n in orders]
    chosen = [
        {name: getattr(code, name) for name in ("discount", "strength", "parameter_bits")}
        for code in codes
    ]
    families = [
        _family("KT", _KT, kt, [{} for _ in orders]),
        _family("Pitman-Yor", _PITMAN_YOR, [code.lengths for code in codes], chosen),
    ]
    best = min(
        ({"family": family["family"], **row} for family in families for row in family["orders"]),
        key=lambda row: row["online_bits"],
    )
    return {
        "documents": "training",
        "tokens": spectra.tokens,
        "alphabet_size": vocab_size,
        "convention": "bos_padded",
        "families": families,
        "best": {name: best[name] for name in ("family", "order", "online_bits", "absorbed_bits")},
    }


def _family(
    name: str, formula: str, lengths: Sequence[CodeLengths], parameters: Sequence[Record]
) -> Record:
    return {
        "family": name,
        "formula": formula,
        "orders": [
            {"order": n, **chosen, **asdict(entry)}
            for n, (entry, chosen) in enumerate(zip(lengths, parameters, strict=True), start=1)
        ],
        "best_order": minimum_length_order(lengths),
    }
