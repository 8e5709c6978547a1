"""Pure functions from sums to numbers: entropies, code lengths, IC-1 and IC-2.

Each states its formula, source and units, takes arguments named by unit, and returns a number or
a frozen result. Nothing here reads files, rounds, or knows of corpora, kernels and models.
"""

from icfast.laws.capacity import Capacity, capacity, capacity_per_token
from icfast.laws.code_length import (
    CodeLengths,
    best_description_bits,
    code_lengths,
    dirichlet_code_bits,
    kt_code_bits,
    kt_code_lengths,
    plug_in_code_bits,
)
from icfast.laws.entropy import (
    DEFAULT_ESTIMATORS,
    OrderEntropy,
    bos_padded_bits_per_token,
    coverage_chao_jost,
    coverage_good,
    difference_bits_per_token,
    entropy_bits,
    gate,
    order_entropy,
    plug_in_bits_per_token,
    prefix_marginal_bits_per_token,
)
from icfast.laws.estimator_table import ESTIMATORS, Estimator
from icfast.laws.initial_loss import expected_initial_loss_nats
from icfast.laws.kaplan import KaplanEta, bits_per_token_at, kaplan_etas
from icfast.laws.known_capacities import (
    KNOWLEDGE_BITS_PER_PARAM,
    MEMORISED_BITS_PER_PARAM,
    CapacityComparison,
    compared_capacities,
)
from icfast.laws.landauer import Energy, energy, erasable_bits, flop_estimate
from icfast.laws.matches import (
    MatchEntropy,
    MatchWindow,
    match_estimates,
    mean_length_bits_per_token,
    mean_ratio_bits_per_token,
    two_sided_bits_per_token,
)
from icfast.laws.pitman_yor import (
    PitmanYorCode,
    minimum_length_order,
    pitman_yor_code_bits,
    pitman_yor_code_lengths,
)
from icfast.laws.quantisation import Quantisation, quantise
from icfast.laws.sizing import CHINCHILLA_TOKENS_PER_PARAM, Size, size
from icfast.measure.joules import JoulesSource, SpentJoules

__all__ = [
    "CHINCHILLA_TOKENS_PER_PARAM",
    "DEFAULT_ESTIMATORS",
    "ESTIMATORS",
    "KNOWLEDGE_BITS_PER_PARAM",
    "MEMORISED_BITS_PER_PARAM",
    "Capacity",
    "CapacityComparison",
    "CodeLengths",
    "Energy",
    "Estimator",
    "JoulesSource",
    "KaplanEta",
    "MatchEntropy",
    "MatchWindow",
    "OrderEntropy",
    "PitmanYorCode",
    "Quantisation",
    "Size",
    "SpentJoules",
    "best_description_bits",
    "bits_per_token_at",
    "bos_padded_bits_per_token",
    "capacity",
    "capacity_per_token",
    "code_lengths",
    "compared_capacities",
    "coverage_chao_jost",
    "coverage_good",
    "difference_bits_per_token",
    "dirichlet_code_bits",
    "energy",
    "entropy_bits",
    "erasable_bits",
    "expected_initial_loss_nats",
    "flop_estimate",
    "gate",
    "kaplan_etas",
    "kt_code_bits",
    "kt_code_lengths",
    "match_estimates",
    "mean_length_bits_per_token",
    "mean_ratio_bits_per_token",
    "minimum_length_order",
    "order_entropy",
    "pitman_yor_code_bits",
    "pitman_yor_code_lengths",
    "plug_in_bits_per_token",
    "plug_in_code_bits",
    "prefix_marginal_bits_per_token",
    "quantise",
    "size",
    "two_sided_bits_per_token",
]
