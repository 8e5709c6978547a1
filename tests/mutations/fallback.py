"""Kernels of the numba fallback broken on purpose."""

from tests.mutations.harness import Mutation

FOLDER = "src/icfast/backends/fallback/"

MUTATIONS = [
    Mutation(
        "the document hash reads the bytes of an id big-endian",
        FOLDER + "documents.py",
        "np.uint64(8 * byte)",
        "np.uint64(24 - 8 * byte)",
        ("backends/test_documents.py",),
        "numba",
    ),
    Mutation(
        "a merge keeps equal keys apart",
        FOLDER + "merging.py",
        "        if order >= 0:\n",
        "        if order > 0:\n",
        ("backends/test_merging.py",),
        "numba",
    ),
    Mutation(
        "remapped keys drop their oldest symbol",
        FOLDER + "merging.py",
        "for i in range(1, order):",
        "for i in range(1, order - 1):",
        ("backends/test_merging.py",),
        "numba",
    ),
    Mutation(
        "the carry into the high half of a loss is dropped",
        FOLDER + "scoring.py",
        "        out.high[d, column] += U1\n",
        "        out.high[d, column] += np.uint64(0)\n",
        ("backends/test_scoring.py",),
        "numba",
    ),
    Mutation(
        "an unknown id is the begin symbol",
        FOLDER + "scoring.py",
        "rank = np.int64(UNKNOWN)\n",
        "rank = np.int64(0)\n",
        ("backends/test_scoring.py",),
        "numba",
    ),
    Mutation(
        "backoffs of longer contexts are left out",
        FOLDER + "scoring.py",
        "out[k] = below[longest] * product",
        "out[k] = below[longest]",
        ("backends/test_scoring.py",),
        "numba",
    ),
    Mutation(
        "documents share one separator",
        FOLDER + "documents.py",
        "            separator += 1\n",
        "            separator += 0\n",
        ("backends/test_suffixes.py",),
        "numba",
    ),
]
