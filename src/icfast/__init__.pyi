# The public names of icfast, listed once. Type checkers read this file, and so does __init__.py.

from icfast import laws as laws
from icfast.backends.losses import TokenLosses as TokenLosses
from icfast.corpus import Corpus as Corpus
from icfast.corpus import CorpusOptions as CorpusOptions
from icfast.corpus import Documents as Documents
from icfast.corpus import Inspection as Inspection
from icfast.corpus import Shard as Shard
from icfast.corpus import ShardReport as ShardReport
from icfast.corpus import Tokenized as Tokenized
from icfast.corpus import inspect as inspect
from icfast.corpus import open_corpus
from icfast.corpus import tokenize as tokenize
from icfast.errors import IcfastError as IcfastError
from icfast.kneser_ney.arpa import write_arpa as write_arpa
from icfast.kneser_ney.compact import CompactModel as CompactModel
from icfast.kneser_ney.compression.compress import compress as compress
from icfast.kneser_ney.fan_out import fan_out as fan_out
from icfast.kneser_ney.fit import fit as fit
from icfast.kneser_ney.model import NgramModel as NgramModel
from icfast.laws.entropy import entropy_bits as entropy_bits
from icfast.laws.matches import MatchEntropy as MatchEntropy
from icfast.losses.cross_entropy import cross_entropy as cross_entropy
from icfast.losses.cross_entropy import linear_cross_entropy as linear_cross_entropy
from icfast.neural.context_policy import ContextPolicy as ContextPolicy
from icfast.neural.score import NeuralScores as NeuralScores
from icfast.ngrams.count import count as count
from icfast.ngrams.count import merge as merge
from icfast.ngrams.spectra import cost as cost
from icfast.ngrams.spectra import spectra as spectra
from icfast.ngrams.table import CountTable as CountTable
from icfast.parallel import WorkOptions as WorkOptions
from icfast.parallel.cost import Cost as Cost
from icfast.pipeline.matches import match_entropy as match_entropy
from icfast.pipeline.measure import measure as measure
from icfast.pipeline.neural import Neural as Neural
from icfast.pipeline.records.measure import MeasureResult as MeasureResult
from icfast.quality.score import score as score
from icfast.sums.fan_out import FanOut as FanOut
from icfast.sums.loss import DocumentScores as DocumentScores
from icfast.sums.loss import LossSum as LossSum
from icfast.sums.spectrum import Spectra as Spectra
from icfast.sums.spectrum import Spectrum as Spectrum

open = open_corpus  # noqa: A001 - the public name
__version__: str
