"""Two hundred damaged copies of a model file; they are reproducible."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

COPIES = 200


@dataclass(frozen=True, slots=True)
class Damage:
    """A damaged copy of a model, and the name of the damage."""

    name: str
    model: bytes


def damaged_copies(model: bytes) -> list[Damage]:
    """Returns `COPIES` different damaged copies of `model`."""
    rng = random.Random(20_261_001)
    copies = [*_truncated(model, 30), *_child_edits(model, rng, 50), *_swapped_lines(model, rng, 20)]
    copies += [*_shuffled_numbers(model, rng, 20), *_cut_middles(model, rng, 10), *_special_damage(model)]
    copies += _flipped_bits(model, rng, COPIES - len(copies))
    return copies


def _truncated(model: bytes, count: int) -> Iterator[Damage]:
    for part in range(count):
        yield Damage(f"cut off at {part}/{count}", model[: len(model) * part // count])


def _flipped_bits(model: bytes, rng: random.Random, count: int) -> Iterator[Damage]:
    for number in range(count):
        flipped = bytearray(model)
        for _ in range(1 + number % 3):
            flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
        yield Damage(f"flipped bits {number}", bytes(flipped))


def _child_edits(model: bytes, rng: random.Random, count: int) -> Iterator[Damage]:
    """Changes one index of a child or column to another of the same length: cycles, orphans, columns out of range."""
    pattern = rb"(?<=\n)(left_child|right_child|split_feature|decision_type|threshold)=([^\n]+)"
    lines = list(re.finditer(pattern, model))
    for number in range(count):
        line = lines[number % len(lines)]
        values = line[2].split(b" ")
        at = rng.randrange(len(values))
        other = bytes(rng.choice(b"0123456789") for _ in values[at])
        if other == values[at]:
            other = b"7" * len(other) if other[0] != ord("7") else b"8" * len(other)
        edited = line[1] + b"=" + b" ".join([*values[:at], other, *values[at + 1 :]])
        name = f"{line[1].decode()} {at} of line {number}: {other.decode()}"
        yield Damage(name, model[: line.start()] + edited + model[line.end() :])


def _swapped_lines(model: bytes, rng: random.Random, count: int) -> Iterator[Damage]:
    for _ in range(count):
        lines = model.split(b"\n")
        first, second = rng.sample(range(12, len(lines) // 2), 2)
        if lines[first] == lines[second]:
            lines[first] += b"?"
        lines[first], lines[second] = lines[second], lines[first]
        yield Damage(f"lines {first} and {second} swapped", b"\n".join(lines))


def _shuffled_numbers(model: bytes, rng: random.Random, count: int) -> Iterator[Damage]:
    """Shuffles the children in one line, which keeps its length."""
    lines = list(re.finditer(rb"(?<=\n)(left_child|right_child)=([^\n]+)", model))
    for number in range(count):
        line = lines[number % len(lines)]
        values = line[2].split(b" ")
        while b" ".join(values) == line[2]:
            rng.shuffle(values)
        edited = line[1] + b"=" + b" ".join(values)
        yield Damage(f"children shuffled {number}", model[: line.start()] + edited + model[line.end() :])


def _cut_middles(model: bytes, rng: random.Random, count: int) -> Iterator[Damage]:
    for _ in range(count):
        start = rng.randrange(len(model) // 2)
        length = rng.randrange(1, 200)
        yield Damage(f"{length} bytes missing at {start}", model[:start] + model[start + length :])


def _special_damage(model: bytes) -> Iterator[Damage]:
    yield Damage("zero bytes", bytes(len(model)))
    yield Damage("twice", model + model)
    yield Damage("with DOS line ends", model.replace(b"\n", b"\r\n"))
    yield Damage("a huge tree", model.replace(b"num_leaves=7", b"num_leaves=2000000000", 1))
    yield Damage("no columns", re.sub(rb"max_feature_idx=\d+", b"max_feature_idx=-1", model, count=1))
    yield Damage("many columns", re.sub(rb"max_feature_idx=\d+", b"max_feature_idx=2000000000", model, count=1))
    yield Damage("a huge tree size", re.sub(rb"tree_sizes=\d+", b"tree_sizes=9223372036854775807", model, count=1))
    yield Damage("a negative tree size", re.sub(rb"tree_sizes=\d+", b"tree_sizes=-5", model, count=1))
    yield Damage("many classes", model.replace(b"num_class=1\n", b"num_class=99\n", 1))
    yield Damage("not a text", bytes(range(256)) * 50)
