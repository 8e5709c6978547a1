"""The Python around the counting kernels broken on purpose."""

from tests.mutations.harness import Mutation

MUTATIONS = [
    Mutation(
        "the checksum of a block is not compared",
        "src/icfast/ngrams/blocks.py",
        "            _check_sum(file, block)\n",
        "            pass\n",
        ("ngrams/test_blocks.py",),
        "core",
    ),
    Mutation(
        "the counts of one shard are kept for the next",
        "src/icfast/ngrams/growth.py",
        "                of_shard[:] = 0\n",
        "",
        ("ngrams/test_growth.py",),
        "core",
    ),
    Mutation(
        "a growth curve counts a type again in each chunk",
        "src/icfast/ngrams/growth.py",
        "            seen[places] = True\n",
        "",
        ("ngrams/test_growth.py",),
        "core",
    ),
    Mutation(
        "sparse ids are taken for places in the list of ids",
        "src/icfast/ngrams/growth.py",
        "np.searchsorted(ids, held)",
        "held.astype(np.int64)",
        ("ngrams/test_growth.py",),
        "core",
    ),
    Mutation(
        "the hash of a document includes its end id",
        "src/icfast/corpus/heldout.py",
        "    for shard in corpus.shards:\n        found = corpus.content(shard)\n",
        "    for shard in corpus.shards:\n        found = corpus.documents_of(shard)\n",
        ("corpus/test_heldout.py",),
        "core",
    ),
    Mutation(
        "the predicted set depends on the order of the documents",
        "src/icfast/corpus/heldout.py",
        "np.sort(np.concatenate(hashes))",
        "np.concatenate(hashes)",
        ("corpus/test_heldout.py",),
        "core",
    ),
    Mutation(
        "the first of equal documents counts as a copy",
        "src/icfast/corpus/heldout.py",
        "again[np.unique(hashes, return_index=True)[1]] = False",
        "pass",
        ("cli/test_measure_laws.py::test_zipf_renyi_and_repetition",),
        "core",
    ),
]
