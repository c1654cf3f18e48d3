"""Matching two networks: which layer of one is which layer of the other, whatever they are called.

Two layers of the same content (op and fields) are candidates, and so are two of the same name. Each pair is scored:
most for the content, then for the name, then for reading and being read by the same kinds of layers at the same
shapes. A number as a name is a place in a list, not a name: it counts next to nothing. Then:

1. If every layer has a namesake of the same content that reads namesakes, these are matched, in whatever order. If
   not, but both networks have the same contents and wiring in the same order, layers are matched in that order: they
   are renamed at most.
2. Else the layers of both ends that agree in everything, name included, are matched and set aside.
3. Of the candidates between, the heaviest chain is taken: the set of pairs with the largest sum of scores that keeps
   the order of execution in both networks. It is found exactly, row by row, from the best chain known to end at each
   layer. A layer's candidates are limited to those of about the same rank among layers of its content, counted from
   the front and from the back, so that the work grows as n log n: some 200,000 pairs for any size of network. Small
   networks have them all.
4. In each gap that the chain leaves, layers of one op with at least half of their fields in common are matched, again
   by the heaviest chain; large gaps are left alone.
5. A pair of different names stays only if some layer it reads, or is read by, is matched alike: two ReLUs of
   unrelated places are not one renamed layer. Then gaps are filled by such pairs, from their edges inwards.
6. What is left is matched out of order: by name and op; then by content, where both read matched layers.
   These have moved.

The two networks are put in a fixed order first, so that `match(b, a)` is `match(a, b)` the other way round.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

from archspec.graph.graph import Graph, Node

CONTENT, OP, FIELDS = 1000, 300, 300
"""Scores: the same op and fields; or the same op, and a share of its fields."""
LAST_NAME, NUMBER, PATH, NUMBERED_PATH = 200, 1, 200, 150
"""Scores: the same last name, or number; the same path besides, or one with a number in it."""
NEIGHBOURS = 100
"""Score for each of: the same contents read, the same contents reading, the same shapes read."""
CANDIDATES = 200_000
"""About how many layers times ranks on one side of their own are candidates."""
LARGEST_GAP = 40_000
"""Pairs in a gap that are still compared one by one."""
ROUNDS = 100
"""Times that gaps are filled from their edges inwards, at the most."""

Pair = tuple[int, int]
Row = Sequence[tuple[int, int]]
"""Of one layer: its candidates in the other network, each with the pair's score."""


@dataclass(frozen=True, slots=True)
class Matching:
    """Names of matched nodes, inputs of the network included."""

    pairs: Mapping[str, str]
    """Name in the first network -> name in the second, in the first's order."""
    moved: frozenset[str]
    """Names in the first network of layers that are executed in another order in the second."""

    @property
    def backward(self) -> dict[str, str]:
        return {after: before for before, after in self.pairs.items()}


def match(a: Graph, b: Graph) -> Matching:
    """Which nodes of two networks are the same."""
    ids: dict[object, int] = {}
    one, two = _Side.of(a, ids), _Side.of(b, ids)
    swapped = two.order() < one.order()
    first, second = (two, one) if swapped else (one, two)
    found, moved = _match_layers(first, second)
    if swapped:
        found, moved = sorted((i, j) for j, i in found), {(i, j) for j, i in moved}
    inputs = _match_inputs(a.inputs, b.inputs)
    pairs = inputs | {one.layers[i].name: two.layers[j].name for i, j in found}
    return Matching(pairs, frozenset(one.layers[i].name for i, _ in moved))


def is_number(name: str) -> bool:
    """Whether a path ends in a number, which says where in a list a layer is and not what it is called."""
    return name.rpartition(".")[2].isdigit()


def has_number(name: str) -> bool:
    """Whether a path leads through a number: that of a copy or an item of a list."""
    return any(part.isdigit() for part in name.split("."))


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the networks, as lists over its layers; what is compared often is a number given to equal things."""

    layers: tuple[Node, ...]
    names: list[str]
    reads: list[tuple[int, ...]]
    """Numbers of the layers each reads; an input of the network counts from -1 downwards."""
    readers: list[list[int]]
    """Likewise; an output of the network counts downwards too, by its name."""
    contents: list[int]
    contexts: list[tuple[int, int, int]]
    """What each reads, what reads it, and the shapes it reads."""
    surroundings: list[int]
    """Content and neighbours, with their neighbours."""

    @staticmethod
    def of(graph: Graph, ids: dict[object, int]) -> _Side:
        def number(thing: object) -> int:
            return ids.setdefault(thing, len(ids))

        layers = graph.layers
        at = {node.name: -1 - k for k, node in enumerate(graph.inputs)}
        at |= {node.name: i for i, node in enumerate(layers)}
        shapes = {node.name: number(node.shape) for node in graph}
        contents = [number((node.op, repr(vars(node.block)))) for node in layers]
        reads = [tuple(at[name] for name in node.inputs) for node in layers]
        readers: list[list[int]] = [[] for _ in layers]
        for i, sources in enumerate(reads):
            for source in sources:
                if source >= 0:
                    readers[source].append(i)
        for output in graph.outputs:
            readers[at[output.node]].append(-1 - number(output.name))

        def around(known: list[int]) -> list[tuple[int, int]]:
            """Numbers for what each layer reads and what reads it, in terms of what is known of single layers."""
            before = [number(tuple(known[k] if k >= 0 else k for k in sources)) for sources in reads]
            after = [number(tuple(known[k] if k >= 0 else k for k in others)) for others in readers]
            return list(zip(before, after, strict=True))

        near = around(contents)
        given = [number(tuple(shapes[name] for name in node.inputs)) for node in layers]
        contexts = [(*near[i], given[i]) for i in range(len(layers))]
        wide = [number(pair) for pair in zip(contents, contexts, strict=True)]
        far = around(wide)
        surroundings = [number(pair) for pair in zip(wide, far, strict=True)]
        return _Side(layers, [node.name for node in layers], reads, readers, contents, contexts, surroundings)

    def order(self) -> tuple[object, ...]:
        """What decides which of two networks comes first."""
        texts = [(node.op, node.name, repr(vars(node.block))) for node in self.layers]
        return len(self.layers), texts, self.reads

    def __len__(self) -> int:
        return len(self.layers)


def _match_inputs(a: Sequence[Node], b: Sequence[Node]) -> dict[str, str]:
    """Inputs of the networks: by name, the others in their order, those of one shape first."""
    names = {node.name for node in a} & {node.name for node in b}
    pairs = {name: name for name in names}
    for same in (True, False):
        for node in a:
            left = [other for other in b if other.name not in pairs.values()]
            fitting = [other for other in left if not same or other.shape == node.shape]
            if node.name not in pairs and fitting:
                pairs[node.name] = fitting[0].name
    return {node.name: pairs[node.name] for node in a if node.name in pairs}


def _match_layers(a: _Side, b: _Side) -> tuple[list[Pair], set[Pair]]:
    """The pairs of layers, in order of the first network, and those of them that have moved."""
    if same := _namesakes(a, b):
        return same, _moved(same)
    if a.contents == b.contents and a.reads == b.reads:
        return [(i, i) for i in range(len(a))], set()
    front, back = _common_ends(a, b)
    inner_a, inner_b = range(front, len(a) - back), range(front, len(b) - back)
    chain = [(i, i) for i in range(front)]
    chain += _chain(_candidates(a, b, inner_a, inner_b))
    chain += [(len(a) - k, len(b) - k) for k in range(back, 0, -1)]
    chain += _fill(a, b, chain, lambda i, j: True)
    partner = dict(chain)
    chain = [pair for pair in sorted(chain) if _is_supported(a, b, *pair, partner)]
    for _ in range(ROUNDS):  # what is matched beside a matched layer speaks for the layer beside it
        partner = dict(chain)
        more = _fill(a, b, chain, partial(_is_supported, a, b, partner=partner))
        chain = sorted(chain + more)
        if not more:
            break
    found = sorted(chain + _moves(a, b, dict(chain)))
    return found, _moved(found)


def _namesakes(a: _Side, b: _Side) -> list[Pair]:
    """Every layer with its namesake, if all of these agree in content and in what they read, in whatever order."""
    at = {name: j for j, name in enumerate(b.names)}
    if len(a) != len(b) or not all(name in at for name in a.names):
        return []
    pairs = [(i, at[name]) for i, name in enumerate(a.names)]

    def agree(i: int, j: int) -> bool:
        return a.contents[i] == b.contents[j] and tuple(k if k < 0 else pairs[k][1] for k in a.reads[i]) == b.reads[j]

    return pairs if all(agree(i, j) for i, j in pairs) else []


def _common_ends(a: _Side, b: _Side) -> tuple[int, int]:
    """How many layers agree in everything from the front, and then from the back."""
    shortest = min(len(a), len(b))

    def same(i: int, j: int) -> bool:
        return a.names[i] == b.names[j] and a.contents[i] == b.contents[j] and a.contexts[i] == b.contexts[j]

    front = 0
    while front < shortest and same(front, front):
        front += 1
    back = 0
    while back < shortest - front and same(len(a) - 1 - back, len(b) - 1 - back):
        back += 1
    return front, back


def _candidates(a: _Side, b: _Side, inner_a: range, inner_b: range) -> Iterator[tuple[int, Row]]:
    """For each layer of the first network, the layers of the second that it could be."""
    reach = max(4, CANDIDATES // max(1, len(inner_a), len(inner_b)))
    named = {b.names[j]: j for j in inner_b if not is_number(b.names[j])}
    alike = [_near_ranks(x, y, inner_a, inner_b, reach) for x, y in _kinds(a, b)]
    for i in inner_a:
        found = {j for near in alike for j in near(i)}
        if a.names[i] in named:
            found.add(named[a.names[i]])
        yield i, [(j, score) for j in found if (score := _score(a, b, i, j))]


def _kinds(a: _Side, b: _Side) -> list[tuple[list[int], list[int]]]:
    return [(a.contents, b.contents), (a.surroundings, b.surroundings)]


def _near_ranks(a: list[int], b: list[int], inner_a: range, inner_b: range, reach: int) -> Callable[[int], set[int]]:
    """The function from a layer to those of its kind whose rank, from the front or from the back, is about its own."""
    kind_a, kind_b = _by_kind(a, inner_a), _by_kind(b, inner_b)
    rank = {i: k for members in kind_a.values() for k, i in enumerate(members)}

    def near(i: int) -> set[int]:
        others = kind_b.get(a[i], [])
        front = rank[i]
        back = front + len(others) - len(kind_a[a[i]])
        windows = (others[max(0, k - reach) : max(0, k + reach + 1)] for k in (front, back))
        return {j for window in windows for j in window}

    return near


def _by_kind(kinds: list[int], numbers: range) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for k in numbers:
        found[kinds[k]].append(k)
    return found


def _score(a: _Side, b: _Side, i: int, j: int) -> int:
    """How much speaks for two layers being the same."""
    total = 0
    if a.contents[i] == b.contents[j]:
        total += CONTENT
    elif a.layers[i].op == b.layers[j].op:
        total += OP + int(FIELDS * _shared_fields(a.layers[i], b.layers[j]))
    mine, other = a.names[i], b.names[j]
    if mine.rpartition(".")[2] == other.rpartition(".")[2]:
        total += NUMBER if is_number(mine) else LAST_NAME
    if mine == other and not is_number(mine):
        total += NUMBERED_PATH if has_number(mine) else PATH
    near_a, near_b = a.contexts[i], b.contexts[j]
    return total + NEIGHBOURS * ((near_a[0] == near_b[0]) + (near_a[1] == near_b[1]) + (near_a[2] == near_b[2]))


def _shared_fields(a: Node, b: Node) -> float:
    """The share of its fields in which one layer equals another of its op."""
    fields, others = vars(a.block), vars(b.block)
    same = [name for name, value in fields.items() if value == others[name]]
    return len(same) / max(1, len(fields))


def _chain(rows: Iterable[tuple[int, Row]]) -> list[Pair]:
    """The heaviest set of pairs in which both numbers rise.

    `ends` and `best` hold, for each layer of the second network at which a chain could end, the best such chain; a
    chain that ends later is kept only if it is heavier.
    """
    ends: list[int] = []
    best: list[tuple[int, Any]] = []
    for i, row in rows:
        for j, score in sorted(row, reverse=True):
            at = bisect_left(ends, j)
            weight, before = best[at - 1] if at else (0, None)
            total = weight + score
            after = at
            while after < len(ends) and best[after][0] <= total:
                after += 1
            if after > at or at == len(ends) or ends[at] != j:
                ends[at:after] = [j]
                best[at:after] = [(total, (i, j, before))]
    found = []
    link = best[-1][1] if best else None
    while link is not None:
        i, j, link = link
        found.append((i, j))
    return found[::-1]


def _gaps(chain: list[Pair], end_a: int, end_b: int) -> list[tuple[range, range]]:
    """The runs of both networks that a chain leaves between its pairs."""
    edges = [(-1, -1), *chain, (end_a, end_b)]
    return [(range(i + 1, k), range(j + 1, m)) for (i, j), (k, m) in pairwise(edges) if k - i > 1 and m - j > 1]


def _fill(a: _Side, b: _Side, chain: list[Pair], accept: Callable[[int, int], bool]) -> list[Pair]:
    """Pairs of the gaps whose fields are alike."""
    found = []
    for gap_a, gap_b in _gaps(chain, len(a), len(b)):
        if len(gap_a) * len(gap_b) <= LARGEST_GAP:
            alike = ((i, [j for j in gap_b if _is_alike(a.layers[i], b.layers[j]) and accept(i, j)]) for i in gap_a)
            found += _chain((i, [(j, _score(a, b, i, j)) for j in row]) for i, row in alike)
    return found


def _is_alike(a: Node, b: Node) -> bool:
    return a.op == b.op and (a.block == b.block or _shared_fields(a, b) >= 0.5)


def _is_supported(a: _Side, b: _Side, i: int, j: int, partner: Mapping[int, int]) -> bool:
    """Whether the name or some layer around speaks for a pair."""
    if a.names[i] == b.names[j] and not is_number(a.names[i]):
        return True
    ends = ((a.reads[i], b.reads[j]), (a.readers[i], b.readers[j]))
    return any((partner.get(k) if k >= 0 else k) in theirs for mine, theirs in ends for k in mine)


def _moves(a: _Side, b: _Side, partner: dict[int, int]) -> list[Pair]:
    """Pairs of what is left, in any order."""
    taken = set(partner.values())
    left = [j for j in range(len(b)) if j not in taken]
    named = {(b.names[j], b.layers[j].op): j for j in left if not is_number(b.names[j])}
    keys = {i: (a.names[i], a.layers[i].op) for i in range(len(a)) if i not in partner}
    found = {i: named[key] for i, key in keys.items() if key in named}
    reading: dict[object, list[int]] = defaultdict(list)
    for j in reversed(left):
        if j not in found.values():
            reading[b.contents[j], b.reads[j]].append(j)
    for i in range(len(a)):
        if i in partner or i in found:
            continue
        sources = tuple(k if k < 0 else partner.get(k, found.get(k)) for k in a.reads[i])
        if same := reading.get((a.contents[i], sources)):
            found[i] = same.pop()
    return list(found.items())


def _moved(pairs: list[Pair]) -> set[Pair]:
    """The fewest pairs without which the others are in the same order."""
    return set(pairs) - set(_chain((i, [(j, 1)]) for i, j in pairs))
