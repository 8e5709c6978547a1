"""Table of entropy estimators by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from icfast.laws.alphabet_estimators import (
    james_stein,
    jeffreys,
    laplace,
    minimax,
    nsb,
    perks,
)
from icfast.laws.estimators import (
    chao_shen,
    cwj,
    grassberger,
    jackknife,
    miller_madow,
    ml,
    schurmann,
    zhang,
)


@dataclass(frozen=True)
class Estimator:
    """One row of ESTIMATORS.

    Attributes:
        nats: function from a non-empty spectrum to nats per type. If needs_alphabet is set, its
            second argument is the alphabet size, unseen cells included.
        needs_alphabet: whether the function takes the alphabet size.
    """

    nats: Callable[..., float]
    needs_alphabet: bool = False


#: Estimators that `entropy_bits` accepts. A new estimator needs one line here.
ESTIMATORS: dict[str, Estimator] = {
    "ml": Estimator(ml),
    "miller_madow": Estimator(miller_madow),
    "chao_shen": Estimator(chao_shen),
    "grassberger": Estimator(grassberger),
    "zhang": Estimator(zhang),
    "cwj": Estimator(cwj),
    "jackknife": Estimator(jackknife),
    "schurmann": Estimator(schurmann),
    "james_stein": Estimator(james_stein, needs_alphabet=True),
    "jeffreys": Estimator(jeffreys, needs_alphabet=True),
    "laplace": Estimator(laplace, needs_alphabet=True),
    "perks": Estimator(perks, needs_alphabet=True),
    "minimax": Estimator(minimax, needs_alphabet=True),
    "nsb": Estimator(nsb, needs_alphabet=True),
}
