"""Windows of any order as positions in a text: write the text, sort windows, count spectra."""

from __future__ import annotations

import numpy as np

from icfast.backends.fallback.jit import OK, U1, jit
from icfast.backends.fallback.keys import top_bit

_U0 = np.uint64(0)
_BYTE = np.uint64(0xFF)
_CODE_ENDS = np.uint64(0x8080808080808080)
_CODED_SYMBOLS = 8
_OPEN = np.uint32(1 << 31)  # flag of a shared length that is a lower bound


@jit
def write_text(chunk, alphabet, places, text):
    for d in range(len(chunk.starts)):
        last = min(chunk.stops[d], chunk.end)
        for t in range(max(chunk.starts[d], chunk.begin), last):
            token = np.int64(chunk.tokens[t])
            if token >= len(alphabet.ranks):
                return 1, t, np.uint64(token)
            rank = alphabet.ranks[token]
            if rank == 0:
                return 2, t, np.uint64(token)
            text[places[d] + t] = rank
        if alphabet.end_rank and chunk.stops[d] <= chunk.end:
            text[places[d] + chunk.stops[d]] = alphabet.end_rank
    return OK


@jit
def count_symbols(text, begin, end, counts):
    for p in range(begin, end):
        counts[text[p]] += U1
    return OK


@jit
def _place_bits(text):
    """Return the position and the mark of a window's word."""
    return np.uint64(top_bit(np.uint64(len(text))) + 2)


@jit
def _pushed(codes, symbol, history):
    code = codes[symbol]
    ends = code & _CODE_ENDS
    bits = 8
    while not ends >> np.uint64(64 - bits):
        bits += 8
    return code | history >> np.uint64(bits)


@jit
def scatter_positions(text, begin, end, order, codes, lead_begin, lead_end, offsets, windows):
    place_bits = _place_bits(text)
    code_mask = ~_U0 << place_bits
    history = 0
    while history < max(order, _CODED_SYMBOLS) and text[begin - 1 - history]:
        history += 1
    coded = _U0
    for i in range(min(history, _CODED_SYMBOLS), 0, -1):
        coded = _pushed(codes, text[begin - i], coded)
    for p in range(begin, end):
        symbol = np.int64(text[p])
        if symbol == 0:
            history, coded = 0, _U0
            continue
        if lead_begin <= symbol < lead_end:
            to = offsets[symbol - lead_begin]
            offsets[symbol - lead_begin] = to + 1
            marked = history < order - 1 or text[p + 1] == 0
            windows[to] = coded & code_mask | np.uint64(p) << U1 | (U1 if marked else _U0)
        history += 1
        coded = _pushed(codes, symbol, coded)
    return OK


@jit
def _place(word):
    return np.int64(word >> U1)


@jit
def _compare_codes(order, place_bits, windows, shared):
    whole = (64 - np.int64(place_bits)) // 8
    code_mask = ~_U0 << place_bits
    before = windows[0]
    windows[0] = before & ~code_mask
    shared[0] = 0
    for i in range(1, len(windows)):
        word = windows[i]
        differing = (word ^ before) & code_mask
        symbols = 1
        for byte in range(whole):
            shift = np.uint64(56 - 8 * byte)
            if (differing >> shift) & _BYTE:
                break
            symbols += ((word >> shift) & _BYTE) >= 128
        shared[i] = min(symbols, order)
        if differing == 0 and symbols < order:
            shared[i] |= _OPEN
        windows[i] = word & ~code_mask
        before = word


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
def _order_two(text, order, windows, shared, first, depth):
    a, b = _place(windows[first]), _place(windows[first + 1])
    found = _shared(text, a, b, depth, order)
    shared[first + 1] = found
    if found < order and text[b - found] < text[a - found]:
        held = windows[first]
        windows[first] = windows[first + 1]
        windows[first + 1] = held


@jit
def _prefix(text, p, depth, symbols, bits):
    value = _U0
    for i in range(symbols):
        value = value << np.uint64(bits) | np.uint64(text[p - depth - i])
        if text[p - depth - i] == 0:
            return value << np.uint64(bits * (symbols - 1 - i))
    return value


@jit
def _branch(text, order, bits, windows, shared, first, size, depth, entries):
    number_bits = np.uint64(top_bit(np.uint64(size - 1)) + 1)
    number = (U1 << number_bits) - U1
    symbols = min((64 - np.int64(number_bits)) // bits, order - depth)
    last = (U1 << np.uint64(bits)) - U1
    for i in range(size):
        p = _place(windows[first + i])
        entries[i] = _prefix(text, p, depth, symbols, bits) << number_bits | np.uint64(i)
    entries[:size].sort()
    moved = windows[first : first + size].copy()
    for i in range(size):
        windows[first + i] = moved[np.int64(entries[i] & number)]
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
def _refine(text, order, bits, windows, shared, first, size, depth, entries):
    if size == 2:
        _order_two(text, order, windows, shared, first, depth)
        return
    a = _place(windows[first])
    least = order
    for i in range(first + 1, first + size):
        least = _shared(text, a, _place(windows[i]), depth, least)
        if least == depth:
            break
    if least == order:
        shared[first + 1 : first + size] = order
        return
    _branch(text, order, bits, windows, shared, first, size, least, entries)


@jit
def sort_positions(text, order, bits, bounds, windows, shared, entries, scratch):
    place_bits = _place_bits(text)
    for b in range(len(bounds) - 1):
        size = bounds[b + 1] - bounds[b]
        if size == 0:
            continue
        here = windows[bounds[b] : bounds[b + 1]]
        common = shared[bounds[b] - bounds[0] : bounds[b + 1] - bounds[0]]
        here.sort()
        _compare_codes(order, place_bits, here, common)
        i = 0
        while i + 1 < size:
            if not common[i + 1] & _OPEN:
                i += 1
                continue
            j = i + 2
            while j < size and common[j] & _OPEN:
                j += 1
            depth = np.int64(common[i + 1] & ~_OPEN)
            _refine(text, order, bits, here, common, i, j - i, depth, entries)
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
    """Add a node below the top, or below a new node that shares `following` symbols."""
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
def position_spectra(text, order, bounds, windows, shared, nodes, out):
    fits = True
    top = 0
    nodes[0] = 0
    for b in range(len(bounds) - 1):
        i, size, origin = bounds[b] - bounds[0], bounds[b + 1] - bounds[0], bounds[0]
        while i < size:
            count, ends, tokens = _U0, _U0, order
            while True:
                count += U1
                word = windows[origin + i]
                if word & U1:
                    p = _place(word)
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
