"""Windows of any order by where they end in a text: laid out, sorted, and their spectra."""

from __future__ import annotations

import numpy as np

from icfast.kernels.fallback.jit import OK, U1, jit
from icfast.kernels.fallback.keys import top_bit

_U0 = np.uint64(0)
_OPEN = np.uint32(1 << 31)  # shares at least so many symbols, not yet refined


@jit
def write_text(piece, alphabet, places, text):
    for d in range(len(piece.starts)):
        last = min(piece.stops[d], piece.end)
        for t in range(max(piece.starts[d], piece.begin), last):
            token = np.int64(piece.tokens[t])
            if token >= len(alphabet.ranks):
                return 1, t, np.uint64(token)
            rank = alphabet.ranks[token]
            if rank == 0:
                return 2, t, np.uint64(token)
            text[places[d] + t] = rank
        if alphabet.end_rank and piece.stops[d] <= piece.end:
            text[places[d] + piece.stops[d]] = alphabet.end_rank
    return OK


@jit
def count_symbols(text, begin, end, counts):
    for p in range(begin, end):
        counts[text[p]] += U1
    return OK


@jit
def _special_bit(positions):
    return U1 << np.uint64(8 * positions.itemsize - 1)


@jit
def scatter_positions(text, begin, end, order, lead_begin, lead_end, offsets, positions):
    special = _special_bit(positions)
    history = 0
    while history < order and text[begin - 1 - history]:
        history += 1
    for p in range(begin, end):
        symbol = np.int64(text[p])
        if symbol == 0:
            history = 0
            continue
        if lead_begin <= symbol < lead_end:
            to = offsets[symbol - lead_begin]
            offsets[symbol - lead_begin] = to + 1
            marked = history < order - 1 or text[p + 1] == 0
            positions[to] = np.uint64(p) | (special if marked else _U0)
        history += 1
    return OK


@jit
def _place(position, special):
    return np.int64(np.uint64(position) & ~special)


@jit
def _shared(text, a, b, depth, most):
    while depth < most:
        if text[a - depth] != text[b - depth]:
            return depth
        if text[a - depth] == 0:
            return most
        depth += 1
    return most


@jit
def _order_two(text, order, positions, shared, first, depth, special):
    a, b = _place(positions[first], special), _place(positions[first + 1], special)
    found = _shared(text, a, b, depth, order)
    shared[first + 1] = found
    if found < order and text[b - found] < text[a - found]:
        held = positions[first]
        positions[first] = positions[first + 1]
        positions[first + 1] = held


@jit
def _prefix(text, p, depth, symbols, bits):
    value = _U0
    for i in range(symbols):
        value = value << np.uint64(bits) | np.uint64(text[p - depth - i])
        if text[p - depth - i] == 0:
            return value << np.uint64(bits * (symbols - 1 - i))
    return value


@jit
def _branch(text, order, bits, positions, shared, first, size, depth, entries, special):
    number_bits = np.uint64(top_bit(np.uint64(size - 1)) + 1)
    number = (U1 << number_bits) - U1
    symbols = min((64 - np.int64(number_bits)) // bits, order - depth)
    last = (U1 << np.uint64(bits)) - U1
    for i in range(size):
        p = _place(positions[first + i], special)
        entries[i] = _prefix(text, p, depth, symbols, bits) << number_bits | np.uint64(i)
    entries[:size].sort()
    moved = positions[first : first + size].copy()
    for i in range(size):
        positions[first + i] = moved[np.int64(entries[i] & number)]
    reached = depth + symbols
    for i in range(1, size):
        here = entries[i] >> number_bits
        differing = here ^ (entries[i - 1] >> number_bits)
        if differing:
            shared[first + i] = depth + symbols - 1 - top_bit(differing) // bits
        elif reached == order or here & last == 0:
            shared[first + i] = order
        else:
            shared[first + i] = np.uint32(reached) | _OPEN


@jit
def _refine(text, order, bits, positions, shared, first, size, depth, entries, special):
    if size == 2:
        _order_two(text, order, positions, shared, first, depth, special)
        return
    a = _place(positions[first], special)
    least = order
    for i in range(first + 1, first + size):
        least = _shared(text, a, _place(positions[i], special), depth, least)
        if least == depth:
            break
    if least == order:
        shared[first + 1 : first + size] = order
        return
    _branch(text, order, bits, positions, shared, first, size, least, entries, special)


@jit
def sort_positions(text, order, bits, bounds, positions, shared, entries, scratch):
    special = _special_bit(positions)
    for b in range(len(bounds) - 1):
        size = bounds[b + 1] - bounds[b]
        if size == 0:
            continue
        here = positions[bounds[b] : bounds[b + 1]]
        common = shared[bounds[b] - bounds[0] : bounds[b + 1] - bounds[0]]
        common[:] = np.uint32(1) if order == 1 else np.uint32(1) | _OPEN
        common[0] = 0
        i = 0
        while i + 1 < size:
            if not common[i + 1] & _OPEN:
                i += 1
                continue
            j = i + 2
            while j < size and common[j] & _OPEN:
                j += 1
            depth = np.int64(common[i + 1] & ~_OPEN)
            _refine(text, order, bits, here, common, i, j - i, depth, entries, special)
    return OK


@jit
def _record(out, kind, first, last, r):
    if first > last:
        return True
    if r < np.uint64(out.small.shape[2]):
        out.small[kind, first, r] += U1
        out.small[kind, last + 1, r] -= U1
        return True
    at = out.large_length[0]
    if at == len(out.large):
        return False
    out.large[at, 0] = kind
    out.large[at, 1] = r
    out.large[at, 2] = first
    out.large[at, 3] = last
    out.large_length[0] = at + 1
    return True


@jit
def _record_leaf(out, order, above, tokens, count, ends):
    followed = count - ends
    last = min(tokens, order - 1)
    fits = _record(out, 0, above + 1, tokens, count)
    fits &= _record(out, 4, above + 1, last, U1)
    if followed:
        fits &= _record(out, 2, above + 1, last, followed)
    if tokens < order:
        fits &= _record(out, 1, tokens + 1, tokens + 1, count)
        if tokens + 1 < order and followed:
            fits &= _record(out, 3, tokens + 1, tokens + 1, followed)
    return fits


@jit
def _record_node(out, node, above):
    depth, count, ends = np.int64(node[0]), node[1], node[2]
    fits = _record(out, 0, above + 1, depth, count)
    fits &= _record(out, 4, above + 1, depth - 1, U1)
    fits &= _record(out, 4, depth, depth, node[3])
    if count != ends:
        fits &= _record(out, 2, above + 1, depth, count - ends)
    return fits


@jit
def _put(nodes, top, following, count, ends):
    """Below the top node, or as the first child of a new one that shares `following` symbols."""
    if following > np.int64(nodes[top, 0]):
        top += 1
        nodes[top, 0] = following
        nodes[top, 1:] = 0
    nodes[top, 1] += count
    nodes[top, 2] += ends
    nodes[top, 3] += U1
    return top


@jit
def _tokens(text, p, order):
    n = 0
    while n < order and text[p - n]:
        n += 1
    return n


@jit
def position_spectra(text, order, bounds, positions, shared, nodes, out):
    special = _special_bit(positions)
    fits = True
    top = 0
    nodes[0] = 0
    for b in range(len(bounds) - 1):
        i, size, origin = bounds[b] - bounds[0], bounds[b + 1] - bounds[0], bounds[0]
        while i < size:
            count, ends, tokens = _U0, _U0, order
            while True:
                count += U1
                position = np.uint64(positions[origin + i])
                if position & special:
                    p = _place(position, special)
                    tokens = _tokens(text, p, order)
                    ends += U1 if text[p + 1] == 0 else _U0
                i += 1
                if i == size or shared[i] != order:
                    break
            following = np.int64(shared[i]) if i < size else 0
            above = max(np.int64(nodes[top, 0]), following)
            fits &= _record_leaf(out, order, above, tokens, count, ends)
            top = _put(nodes, top, following, count, ends)
            while np.int64(nodes[top, 0]) > following:
                closed = nodes[top].copy()
                top -= 1
                above = max(np.int64(nodes[top, 0]), following)
                fits &= _record_node(out, closed, above)
                top = _put(nodes, top, following, closed[1], closed[2])
    return OK if fits else (3, 0, _U0)
