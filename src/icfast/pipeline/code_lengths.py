"""Code lengths A, B and C of adaptive codes, by order: what learning the documents costs."""

from __future__ import annotations

from collections.abc import Sequence

from icfast.laws.code_length import CodeLengths, kt_code_lengths, minimum_length_order
from icfast.laws.pitman_yor import pitman_yor_code_lengths
from icfast.pipeline.records.code_lengths import BestCode, CodeFamily, CodeOrder, LearnedCodes
from icfast.sums.fan_out import FanOut
from icfast.sums.spectrum import Spectra

_KT = "a token seen c times after a history seen n times costs -log2 (c + 1/2)/(n + V/2) bits"
_PITMAN_YOR = (
    "a token seen c times costs -log2 (c - d)/(th + n) bits, the K+1st distinct one "
    "-log2 (th + K d)/(th + n) + log2 (V - K); B includes log2 50 bits that name the best of 50 "
    "pairs (d, th)"
)


def learned_codes(spectra: Spectra, fan_out: FanOut, vocab_size: int) -> LearnedCodes:
    """Compute KT and Pitman-Yor code lengths of the same tokens.

    C is the same for both families: the plug-in code of an order is the last model of either.

    Args:
        spectra: spectra of the training documents.
        fan_out: fan-out of the same documents, from the model fitted to them.
        vocab_size: V, alphabet size of the baseline and of both codes.
    """
    orders = range(1, spectra.order + 1)
    kt = [kt_code_lengths(spectra, n, vocab_size) for n in orders]
    codes = [pitman_yor_code_lengths(spectra, fan_out, n, vocab_size) for n in orders]
    families = (
        _family("KT", _KT, [CodeOrder(order=n, lengths=a) for n, a in enumerate(kt, 1)], kt),
        _family(
            "Pitman-Yor",
            _PITMAN_YOR,
            [
                CodeOrder(
                    order=n,
                    discount=code.discount,
                    strength=code.strength,
                    parameter_bits=code.parameter_bits,
                    lengths=code.lengths,
                )
                for n, code in enumerate(codes, 1)
            ],
            [code.lengths for code in codes],
        ),
    )
    return LearnedCodes(
        documents="training",
        tokens=spectra.tokens,
        alphabet_size=vocab_size,
        convention="bos_padded",
        families=families,
        best=_best(families),
    )


def _family(
    name: str, formula: str, orders: Sequence[CodeOrder], lengths: Sequence[CodeLengths]
) -> CodeFamily:
    return CodeFamily(name, formula, tuple(orders), minimum_length_order(lengths))


def _best(families: Sequence[CodeFamily]) -> BestCode:
    """Return the code with the shortest B; the first one if several are as short."""
    family, row = min(
        ((family, row) for family in families for row in family.orders),
        key=lambda found: found[1].lengths.online_bits,
    )
    return BestCode(family.family, row.order, row.lengths.online_bits, row.lengths.absorbed_bits)
