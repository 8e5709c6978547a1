"""Pure functions from sums to numbers: entropies, code lengths, IC-1, IC-2 and their corollaries.

Each function states its formula, source and units, takes arguments named by unit, and returns a
number or a frozen result. No function here reads files or rounds, and none depends on corpora,
kernels or models.
"""

from icfast.energy.joules import JoulesSource, SpentJoules
from icfast.laws.annealing import AnnealedPoint, Annealing, annealing, learning_rate_areas
from icfast.laws.bootstrap import Interval
from icfast.laws.capacity import Capacity, capacity, capacity_per_token
from icfast.laws.code_length import (
    CodeLengths,
    best_description_bits,
    code_lengths,
    dirichlet_code_bits,
    kt_code_bits,
    kt_code_lengths,
    minimum_length_order,
    plug_in_code_bits,
)
from icfast.laws.constancy import Constancy, PositionLoss, entropy_rate_constancy
from icfast.laws.divergence import (
    jensen_shannon_bits,
    renyi_entropy_bits,
    sampling_floor_bits,
    shard_divergence_bits,
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
from icfast.laws.entropy_rate import (
    EntropyRate,
    excess_entropy_bits,
    extrapolated_entropy_rate,
)
from icfast.laws.estimator_table import ESTIMATORS, Estimator
from icfast.laws.heaps import HeapsLaw, fit_heaps, observed_types, shuffled_types
from icfast.laws.initial_loss import expected_initial_loss_nats
from icfast.laws.kaplan import (
    KaplanEta,
    kaplan_bits_per_token,
    kaplan_etas,
    kaplan_loss_nats_from_model_bits,
    kaplan_loss_nats_from_tokens,
)
from icfast.laws.known_capacities import (
    KNOWLEDGE_BITS_PER_PARAM,
    MEMORISED_BITS_PER_PARAM,
    CapacityComparison,
    compared_capacities,
)
from icfast.laws.landauer import Energy, energy, erasable_bits, flop_estimate
from icfast.laws.loss_curve import effective_tokens, power_law_absorbed_nats
from icfast.laws.matches import (
    MatchEntropy,
    MatchWindow,
    match_estimates,
    mean_length_bits_per_token,
    mean_ratio_bits_per_token,
    two_sided_bits_per_token,
)
from icfast.laws.online_code import LossStep, OnlineCode, online_code
from icfast.laws.pitman_yor import (
    PitmanYorCode,
    pitman_yor_code_bits,
    pitman_yor_code_lengths,
)
from icfast.laws.quality import LearnableOrder, Quality, quality
from icfast.laws.quantisation import Quantisation, quantise
from icfast.laws.saturation import FittedPoint, Saturation, saturation
from icfast.laws.scaling import ScalingFit, chinchilla_fit, kaplan_fit
from icfast.laws.sizing import CHINCHILLA_TOKENS_PER_PARAM, Size, size
from icfast.laws.training_facts import RunFacts
from icfast.laws.training_result import EvaluationPoint, TrainingRun, TrajectoryPoint
from icfast.laws.training_run import training_run
from icfast.laws.zipf import ZipfTail, hapax_share, zipf_tail

__all__ = [
    "CHINCHILLA_TOKENS_PER_PARAM",
    "DEFAULT_ESTIMATORS",
    "ESTIMATORS",
    "KNOWLEDGE_BITS_PER_PARAM",
    "MEMORISED_BITS_PER_PARAM",
    "AnnealedPoint",
    "Annealing",
    "Capacity",
    "CapacityComparison",
    "CodeLengths",
    "Constancy",
    "Energy",
    "EntropyRate",
    "Estimator",
    "EvaluationPoint",
    "FittedPoint",
    "HeapsLaw",
    "Interval",
    "JoulesSource",
    "KaplanEta",
    "LearnableOrder",
    "LossStep",
    "MatchEntropy",
    "MatchWindow",
    "OnlineCode",
    "OrderEntropy",
    "PitmanYorCode",
    "PositionLoss",
    "Quality",
    "Quantisation",
    "RunFacts",
    "Saturation",
    "ScalingFit",
    "Size",
    "SpentJoules",
    "TrainingRun",
    "TrajectoryPoint",
    "ZipfTail",
    "annealing",
    "best_description_bits",
    "bos_padded_bits_per_token",
    "capacity",
    "capacity_per_token",
    "chinchilla_fit",
    "code_lengths",
    "compared_capacities",
    "coverage_chao_jost",
    "coverage_good",
    "difference_bits_per_token",
    "dirichlet_code_bits",
    "effective_tokens",
    "energy",
    "entropy_bits",
    "entropy_rate_constancy",
    "erasable_bits",
    "excess_entropy_bits",
    "expected_initial_loss_nats",
    "extrapolated_entropy_rate",
    "fit_heaps",
    "flop_estimate",
    "gate",
    "hapax_share",
    "jensen_shannon_bits",
    "kaplan_bits_per_token",
    "kaplan_etas",
    "kaplan_fit",
    "kaplan_loss_nats_from_model_bits",
    "kaplan_loss_nats_from_tokens",
    "kt_code_bits",
    "kt_code_lengths",
    "learning_rate_areas",
    "match_estimates",
    "mean_length_bits_per_token",
    "mean_ratio_bits_per_token",
    "minimum_length_order",
    "observed_types",
    "online_code",
    "order_entropy",
    "pitman_yor_code_bits",
    "pitman_yor_code_lengths",
    "plug_in_bits_per_token",
    "plug_in_code_bits",
    "power_law_absorbed_nats",
    "prefix_marginal_bits_per_token",
    "quality",
    "quantise",
    "renyi_entropy_bits",
    "sampling_floor_bits",
    "saturation",
    "shard_divergence_bits",
    "shuffled_types",
    "size",
    "training_run",
    "two_sided_bits_per_token",
    "zipf_tail",
]
