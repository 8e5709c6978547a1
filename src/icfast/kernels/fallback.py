"""The kernels in numba, for machines without a compiler: same names, same integers.

numba widens uint64 mixed with int64 to float64, so every shift and mask here is u64 throughout.
"""

from __future__ import annotations

from numba import njit
import numpy as np

OK = (0, 0, np.uint64(0))
U1 = np.uint64(1)
U64_BITS = np.uint64(64)

_jit = njit(nogil=True, cache=True)


# --- keys ------------------------------------------------------------------------------------


@_jit
def _place(key, symbol, position):
    word = len(key) - 1 - position // 64
    offset = np.uint64(position % 64)
    key[word] |= np.uint64(symbol) << offset
    if offset > np.uint64(0) and word > 0:
        key[word - 1] |= np.uint64(symbol) >> (U64_BITS - offset)


@_jit
def _push(key, symbol, order, bits):
    if order == 1:
        return
    shift = np.uint64(bits)
    for i in range(len(key) - 1, 0, -1):
        key[i] = (key[i] >> shift) | (key[i - 1] << (U64_BITS - shift))
    key[0] >>= shift
    _place(key, symbol, bits * (order - 2))


@_jit
def _symbol(key, i, order, bits):
    position = bits * (order - 1 - i)
    word = len(key) - 1 - position // 64
    offset = position % 64
    value = key[word] >> np.uint64(offset)
    if offset + bits > 64:
        value |= key[word - 1] << np.uint64(64 - offset)
    return np.int64(value & ((U1 << np.uint64(bits)) - U1))


@_jit
def _less(a, b):
    for w in range(len(a)):
        if a[w] != b[w]:
            return a[w] < b[w]
    return False


@_jit
def _equal(a, b):
    for w in range(len(a)):
        if a[w] != b[w]:
            return False
    return True


@_jit
def _top_bit(value):
    bit = 0
    for step in (32, 16, 8, 4, 2, 1):
        if value >> np.uint64(step):
            value >>= np.uint64(step)
            bit += step
    return bit


@_jit
def _shared_symbols(a, b, order, bits):
    words = len(a)
    for w in range(words):
        differing = a[w] ^ b[w]
        if differing:
            return max(0, order - 2 - (64 * (words - 1 - w) + _top_bit(differing)) // bits)
    return order - 1


@_jit
def _history_length(key, order, bits):
    length = order - 1
    while length > 0 and _symbol(key, length, order, bits) == 0:
        length -= 1
    return length


# --- ids and documents -----------------------------------------------------------------------


@_jit
def count_ids(piece, counts):
    vocab_size = len(counts)
    for d in range(len(piece.starts)):
        for t in range(max(piece.starts[d], piece.begin), min(piece.stops[d], piece.end)):
            token = np.int64(piece.tokens[t])
            if token >= vocab_size:
                return 1, t, np.uint64(token)
            counts[token] += U1
    return OK


@_jit
def hash_documents(piece, hashes):
    for d in range(len(piece.starts)):
        state = np.uint64(0xCBF29CE484222325)
        for t in range(piece.starts[d], piece.stops[d]):
            token = np.uint64(piece.tokens[t])
            for byte in range(4):
                low = (token >> np.uint64(8 * byte)) & np.uint64(0xFF)
                state = (state ^ low) * np.uint64(0x100000001B3)
        state = (state ^ (state >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
        state = (state ^ (state >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
        hashes[d] = state ^ (state >> np.uint64(33))
    return OK


# --- windows ---------------------------------------------------------------------------------


@_jit
def _bucket_of(buckets, lead, key):
    low = np.int64(buckets.first[lead])
    high = np.int64(buckets.first[lead + 1])
    while high - low > 1:
        middle = low + (high - low) // 2
        if _less(key, buckets.low[middle]):
            high = middle
        else:
            low = middle
    return low


@_jit
def _rank_at(piece, alphabet, t):
    """(code, rank) of the token at t: a code above 0 says the id can't be counted."""
    token = np.int64(piece.tokens[t])
    if token >= len(alphabet.ranks):
        return 1, np.int64(0)
    rank = np.int64(alphabet.ranks[token])
    return (0, rank) if rank else (2, rank)


@_jit
def _first_step(piece, alphabet, d):
    """Where the history of document d begins to be read for this piece."""
    first = max(piece.starts[d], piece.begin)
    return max(piece.starts[d], first - (alphabet.order - 1)), first


@_jit
def count_windows(piece, alphabet, buckets, slots, depths, counts):
    order, bits = alphabet.order, alphabet.bits
    key = np.zeros(buckets.low.shape[1], np.uint64)
    for d in range(len(piece.starts)):
        key[:] = 0
        step, first = _first_step(piece, alphabet, d)
        last = min(piece.stops[d], piece.end)
        marks = 1 if alphabet.end_rank and piece.stops[d] <= piece.end else 0
        for t in range(step, max(step, last) + marks):
            rank = np.int64(alphabet.end_rank)
            if t < last:
                code, rank = _rank_at(piece, alphabet, t)
                if code:
                    return code, t, np.uint64(piece.tokens[t])
            if t >= first:
                slot = slots[_bucket_of(buckets, rank, key)]
                if slot >= 0:
                    depth = depths[slot]
                    column = _symbol(key, depth, order, bits) if depth else 0
                    counts[slot, column] += U1
            _push(key, rank, order, bits)
    return OK


@_jit
def scatter_windows(piece, alphabet, buckets, bucket_begin, bucket_end, offsets, keys):
    order, bits = alphabet.order, alphabet.bits
    key = np.zeros(keys.shape[1], np.uint64)
    for d in range(len(piece.starts)):
        key[:] = 0
        step, first = _first_step(piece, alphabet, d)
        last = min(piece.stops[d], piece.end)
        marks = 1 if alphabet.end_rank and piece.stops[d] <= piece.end else 0
        for t in range(step, max(step, last) + marks):
            rank = np.int64(alphabet.end_rank)
            if t < last:
                code, rank = _rank_at(piece, alphabet, t)
                if code:
                    return code, t, np.uint64(piece.tokens[t])
            if t >= first:
                bucket = _bucket_of(buckets, rank, key)
                if bucket_begin <= bucket < bucket_end:
                    to = offsets[bucket - bucket_begin]
                    offsets[bucket - bucket_begin] = to + 1
                    keys[to] = key
            _push(key, rank, order, bits)
    return OK


@_jit
def end_windows(piece, alphabet, leads, keys):
    order, bits = alphabet.order, alphabet.bits
    key = np.zeros(keys.shape[1], np.uint64)
    for d in range(len(piece.starts)):
        key[:] = 0
        start, stop = piece.starts[d], piece.stops[d]
        rank = np.int64(0)
        for t in range(max(start, stop - order), stop):
            if rank:
                _push(key, rank, order, bits)
            code, rank = _rank_at(piece, alphabet, t)
            if code:
                return code, t, np.uint64(piece.tokens[t])
        if alphabet.end_rank:
            if rank:
                _push(key, rank, order, bits)
            rank = np.int64(alphabet.end_rank)
        leads[d] = rank
        keys[d] = key
    return OK


# --- sorting ---------------------------------------------------------------------------------


@_jit
def _insertion_sort(keys, begin, end, held):
    for i in range(begin + 1, end):
        held[:] = keys[i]
        j = i
        while j > begin and _less(held, keys[j - 1]):
            keys[j] = keys[j - 1]
            j -= 1
        keys[j] = held


@_jit
def _byte_pass(source, source_at, target, target_at, size, word, shift, offsets):
    """One stable radix pass; False where the byte does not vary, and nothing was moved."""
    offsets[:] = 0
    for i in range(size):
        offsets[(source[source_at + i, word] >> shift) & np.uint64(0xFF)] += 1
    total = 0
    for digit in range(256):
        here = offsets[digit]
        if here == size:
            return False
        offsets[digit] = total
        total += here
    for i in range(size):
        digit = (source[source_at + i, word] >> shift) & np.uint64(0xFF)
        to = target_at + offsets[digit]
        offsets[digit] += 1
        for w in range(source.shape[1]):
            target[to, w] = source[source_at + i, w]
    return True


@_jit
def _radix_sort(keys, begin, end, scratch, offsets):
    size = end - begin
    in_place = True
    for word in range(keys.shape[1] - 1, -1, -1):
        for byte in range(8):
            shift = np.uint64(8 * byte)
            if in_place:
                moved = _byte_pass(keys, begin, scratch, 0, size, word, shift, offsets)
            else:
                moved = _byte_pass(scratch, 0, keys, begin, size, word, shift, offsets)
            if moved:
                in_place = not in_place
    if not in_place:
        keys[begin:end] = scratch[:size]


@_jit
def sort_runs(bounds, keys, counts, scratch, distinct):
    offsets = np.zeros(256, np.int64)
    held = np.zeros(keys.shape[1], np.uint64)
    out = bounds[0]
    for b in range(len(bounds) - 1):
        begin, end = bounds[b], bounds[b + 1]
        if end - begin < 64:
            _insertion_sort(keys, begin, end, held)
        else:
            _radix_sort(keys, begin, end, scratch, offsets)
        before = out
        i = begin
        while i < end:
            held[:] = keys[i]
            j = i + 1
            while j < end and _equal(keys[j], held):
                j += 1
            keys[out] = held
            counts[out - bounds[0]] = j - i
            out += 1
            i = j
        distinct[b] = out - before
    return OK


# --- scanning sorted windows -----------------------------------------------------------------


@_jit
def _end_before(ends, i, lead, key):
    if ends.leads[i] != lead:
        return ends.leads[i] < lead
    return _less(ends.keys[i], key)


@_jit
def _place_end(ends, lead, key):
    low, high = 0, len(ends.leads)
    while low < high:
        middle = low + (high - low) // 2
        if _end_before(ends, middle, lead, key):
            low = middle + 1
        else:
            high = middle
    return low


@_jit
def _ended_here(ends, i, lead, key):
    """(cursor, documents): moves the cursor to this window and reads how many end with it."""
    while i < len(ends.leads) and _end_before(ends, i, lead, key):
        i += 1
    if i < len(ends.leads) and ends.leads[i] == lead and _equal(ends.keys[i], key):
        return i, ends.counts[i]
    return i, np.uint64(0)


@_jit
def _shared_orders(path, lead, key, order, bits):
    if path[0] == 0 or path[1] < lead:
        return 0
    if path[1] > lead or not _less(path[2:], key):
        return -1
    return 1 + _shared_symbols(path[2:], key, order, bits)


@_jit
def _move_to(path, lead, key):
    path[0] = 1
    path[1] = lead
    path[2:] = key


@_jit
def _record(out, kind, n, r):
    if r < np.uint64(out.small.shape[2]):
        out.small[kind, n - 1, r] += U1
        return True
    if out.large_lengths[kind, n - 1] == out.large.shape[2]:
        return False
    out.large[kind, n - 1, out.large_lengths[kind, n - 1]] = r
    out.large_lengths[kind, n - 1] += 1
    return True


@_jit
def _close_one(sums, out, n, order, history):
    count, ends, neighbours = sums[0, n - 1], sums[1, n - 1], sums[2, n - 1]
    followed = count - ends
    fits = True
    if n - 1 <= history:
        fits &= _record(out, 0, n, count)
        if n < order:
            fits &= _record(out, 4, n, neighbours)
            if followed:
                fits &= _record(out, 2, n, followed)
    elif n - 1 == history + 1:
        fits &= _record(out, 1, n, count)
        if n < order and followed:
            fits &= _record(out, 3, n, followed)
    return fits


@_jit
def _close(path, sums, out, order, bits, down_to):
    history = _history_length(path[2:], order, bits)
    fits = True
    for n in range(order, down_to - 1, -1):
        fits &= _close_one(sums, out, n, order, history)
        if n > 1:
            sums[0, n - 2] += sums[0, n - 1]
            sums[1, n - 2] += sums[1, n - 1]
        sums[:, n - 1] = 0
    return fits


@_jit
def run_spectra(run, ends, order, bits, path, sums, flush, out):
    cursor = -1
    fits = True
    for b in range(len(run.leads)):
        lead = run.leads[b]
        for i in range(run.bounds[b], run.bounds[b + 1]):
            key = run.keys[i]
            shared = _shared_orders(path, lead, key, order, bits)
            if shared < 0:
                return 4, i, np.uint64(lead)
            if path[0]:
                fits &= _close(path, sums, out, order, bits, shared + 1)
            _move_to(path, lead, key)
            for n in range(max(shared, 1), order):
                sums[2, n - 1] += U1
            if cursor < 0:
                cursor = _place_end(ends, lead, key)
            cursor, ended = _ended_here(ends, cursor, lead, key)
            sums[0, order - 1] += run.counts[i]
            sums[1, order - 1] += ended
    if flush and path[0]:
        fits &= _close(path, sums, out, order, bits, 1)
        path[0] = 0
    return OK if fits else (3, 0, np.uint64(0))


# --- merging ---------------------------------------------------------------------------------


@_jit
def remap_keys(keys, ranks, order, bits, new_keys, new_bits):
    for e in range(len(keys)):
        new_keys[e] = 0
        for i in range(1, order):
            symbol = ranks[_symbol(keys[e], i, order, bits)]
            _place(new_keys[e], symbol, new_bits * (order - 1 - i))
    return OK


@_jit
def merge_runs(a, b, out_bounds, out_keys, out_counts):
    out = 0
    for bucket in range(len(a.leads)):
        out_bounds[bucket] = out
        i, i_end = a.bounds[bucket], a.bounds[bucket + 1]
        j, j_end = b.bounds[bucket], b.bounds[bucket + 1]
        while i < i_end or j < j_end:
            from_a = j == j_end or (i < i_end and not _less(b.keys[j], a.keys[i]))
            from_b = i == i_end or (j < j_end and not _less(a.keys[i], b.keys[j]))
            out_counts[out] = 0
            if from_a:
                out_keys[out] = a.keys[i]
                out_counts[out] += a.counts[i]
                i += 1
            if from_b:
                out_keys[out] = b.keys[j]
                out_counts[out] += b.counts[j]
                j += 1
            out += 1
    out_bounds[len(a.leads)] = out
    return OK


# --- the trie --------------------------------------------------------------------------------


@_jit
def grow_trie(run, ends, bits, path, cursors, trie):
    order = len(trie.levels) - 1
    cursor = -1
    for b in range(len(run.leads)):
        lead = run.leads[b]
        for i in range(run.bounds[b], run.bounds[b + 1]):
            key = run.keys[i]
            shared = _shared_orders(path, lead, key, order, bits)
            if shared < 0:
                return 4, i, np.uint64(lead)
            _move_to(path, lead, key)
            deepest = min(order, _history_length(key, order, bits) + 2)
            for n in range(shared + 1, deepest + 1):
                node = cursors[n - 1]
                cursors[n - 1] = node + 1
                if node >= trie.levels[n]:
                    return 3, n, np.uint64(0)
                if n == 1 and node != lead:
                    return 6, i, np.uint64(lead)
                trie.symbols[node] = lead if n == 1 else _symbol(key, n - 1, order, bits)
                if n < order:
                    trie.child[node] = cursors[n]
            if cursor < 0:
                cursor = _place_end(ends, lead, key)
            cursor, ended = _ended_here(ends, cursor, lead, key)
            for n in range(1, deepest + 1):
                node = cursors[n - 1] - 1
                trie.counts[node] += run.counts[i]
                if n < order:
                    trie.contexts[node + 1, 0] += run.counts[i] - ended
    return OK


@_jit
def _seek(symbols, low, high, symbol):
    while low < high:
        middle = low + (high - low) // 2
        if symbols[middle] < symbol:
            low = middle + 1
        else:
            high = middle
    return low


@_jit
def _add_successor(trie, n, ngram, context):
    row = trie.contexts[context + 1]
    count = trie.counts[ngram]
    row[1] += 1
    row[2] += count == 1
    row[3] += count == 2
    if n == len(trie.levels) - 1:
        return
    adjusted = count if trie.symbols[ngram] == 0 else trie.child[ngram + 1] - trie.child[ngram]
    row[4] += adjusted
    row[5] += adjusted == 1
    row[6] += adjusted == 2


@_jit
def link_contexts(trie, low, high):
    order = len(trie.levels) - 1
    if order == 1:
        return OK
    # Per order: the n-gram siblings still to visit, and where in its context's children we are.
    visit = np.zeros(order + 1, np.int64)
    visit_end = np.zeros(order + 1, np.int64)
    beside = np.zeros(order + 1, np.int64)
    beside_end = np.zeros(order + 1, np.int64)
    for word in range(trie.levels[1]):
        visit_end[2] = trie.child[word + 1]
        visit[2] = _seek(trie.symbols, np.int64(trie.child[word]), visit_end[2], low)
        n = 2
        while n >= 2:
            ngram = visit[n]
            if ngram == visit_end[n] or (n == 2 and trie.symbols[ngram] >= high):
                n -= 1
                continue
            visit[n] += 1
            symbol = trie.symbols[ngram]
            if n == 2:
                context = np.int64(symbol)
            else:
                context = _seek(trie.symbols, beside[n], beside_end[n], symbol)
                if context == beside_end[n] or trie.symbols[context] != symbol:
                    return 5, ngram, np.uint64(symbol)
                beside[n] = context
            _add_successor(trie, n, ngram, context)
            if n < order:
                n += 1
                visit[n], visit_end[n] = trie.child[ngram], trie.child[ngram + 1]
                beside[n], beside_end[n] = trie.child[context], trie.child[context + 1]
    return OK


# --- scoring ---------------------------------------------------------------------------------

UNKNOWN = 0xFFFFFFFF


@_jit
def _walk(trie, rank, history, known, nodes):
    """Nodes of the n-grams ending in this symbol; returns how many orders were found."""
    if rank == UNKNOWN:
        return 0
    nodes[1] = rank
    depth = 1
    while depth <= known:
        begin, end = np.int64(trie.child[nodes[depth]]), np.int64(trie.child[nodes[depth] + 1])
        symbol = history[depth - 1]
        child = _seek(trie.symbols, begin, end, symbol)
        if child == end or trie.symbols[child] != symbol:
            break
        depth += 1
        nodes[depth] = child
    return depth


@_jit
def _discounted(discount, count, total, ones, twos, successors, lower):
    kept = np.float64(count) - discount[min(np.int64(count), 3)]
    freed = discount[1] * np.float64(ones) + discount[2] * np.float64(twos)
    freed += discount[3] * np.float64(np.int64(successors) - np.int64(ones) - np.int64(twos))
    return (max(kept, 0.0) + freed * lower) / np.float64(total)


@_jit
def _context_row(trie, nodes, depth, n):
    """Row of the order-n context, or -1 where nothing ever followed it."""
    if n == 1:
        return 0
    if n - 1 > depth:
        return -1
    row = nodes[n - 1] + 1
    return row if trie.contexts[row, 0] else -1


@_jit
def _adjusted_count(trie, nodes, depth, n):
    if n > depth:
        return np.int64(0)
    node = nodes[n]
    if n > 1 and trie.symbols[node] == 0:
        return np.int64(trie.counts[node])
    return np.int64(trie.child[node + 1]) - np.int64(trie.child[node])


@_jit
def _probabilities(trie, discounts, uniform, nodes, depth, context, context_depth, first, out):
    """out[k] = probability under the order-k model, for k = first..N."""
    order = len(trie.levels) - 1
    below = uniform
    for k in range(1, order + 1):
        row = _context_row(trie, context, context_depth, k)
        if row < 0:
            out[k] = below
            continue
        c = trie.contexts[row]
        if k >= first:
            count = np.int64(trie.counts[nodes[k]]) if k <= depth else np.int64(0)
            out[k] = _discounted(discounts[1, k], count, c[0], c[2], c[3], c[1], below)
        if k < order:
            adjusted = _adjusted_count(trie, nodes, depth, k)
            below = _discounted(discounts[0, k], adjusted, c[4], c[5], c[6], c[1], below)


@_jit
def _score_document(piece, alphabet, trie, discounts, uniform, out, d):
    order = len(trie.levels) - 1
    first = 1 if out.low.shape[1] == order else order
    nodes, context = np.zeros(order + 1, np.int64), np.zeros(order + 1, np.int64)
    probability = np.zeros(order + 1, np.float64)
    history = np.zeros(order, np.int64)
    known = context_depth = min(1, order - 1)
    marks = 1 if alphabet.end_rank else 0
    for t in range(piece.starts[d], piece.stops[d] + marks):
        rank = np.int64(alphabet.end_rank)
        if t < piece.stops[d]:
            token = np.int64(piece.tokens[t])
            if token >= len(alphabet.ranks):
                return 1, t, np.uint64(token)
            rank = np.int64(alphabet.ranks[token])
            if rank == 0:
                rank = np.int64(UNKNOWN)
                out.oov[d] += U1
        depth = _walk(trie, rank, history, known, nodes)
        _probabilities(
            trie, discounts, uniform, nodes, depth, context, context_depth, first, probability
        )
        for k in range(first, order + 1):
            if probability[k] <= 0.0:
                out.infinite[d, k - first] += U1
                continue
            quanta = np.uint64(np.rint(-np.log(probability[k]) * 4294967296.0))
            out.low[d, k - first] += quanta
            if out.low[d, k - first] < quanta:
                out.high[d, k - first] += U1
        out.predicted[d] += U1
        known = min(known + 1, order - 1)
        for i in range(known - 1, 0, -1):
            history[i] = history[i - 1]
        history[0] = rank
        context[:] = nodes
        context_depth = depth
    return OK


@_jit
def score_ngrams(piece, alphabet, trie, discounts, uniform, out):
    out.low[:] = 0
    out.high[:] = 0
    out.predicted[:] = 0
    out.oov[:] = 0
    out.infinite[:] = 0
    for d in range(len(piece.starts)):
        status = _score_document(piece, alphabet, trie, discounts, uniform, out, d)
        if status[0]:
            return status
    return OK
