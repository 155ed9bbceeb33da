"""128-bit hashes of rows, from Arrow arrays without a loop over rows.

Texts are hashed with a multilinear family: the sum of each byte times a random 64-bit key of its position. Two texts have
the same 64-bit sum with a probability of at most 2^-57; there are two sums with independent keys. The keys are random for
each process, so nobody can prepare texts that collide. Integers, dates and times of a single column never collide.

Source: Carter & Wegman (1979), "Universal classes of hash functions"; Lemire & Kaser (2014), "Strongly universal string
hashing is fast". The mixing function is the finaliser of SplitMix64: Steele, Lea & Flood (2014).
"""

import hashlib
import secrets
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mlgit.ml.arrays import Array

_LANES: Final = 2
_LONG: Final = 256  # bytes from which a text is hashed by BLAKE2
_SLICE_BYTES: Final = 1 << 18  # bytes of text hashed at once: each needs some 30 bytes of memory
_RANDOM: Final = np.random.Generator(np.random.PCG64(secrets.randbits(128)))
_KEYS: Final = _RANDOM.integers(0, 2**64, size=(_LANES, _LONG), dtype=np.uint64)
_SALTS: Final = _RANDOM.integers(0, 2**64, size=_LANES, dtype=np.uint64) | np.uint64(1)


def hash_rows(columns: Sequence[pa.Array]) -> Array:
    """Return the hashes of the rows of some columns without nulls, as uint64 (rows, 2)."""
    hashes = _hash_column(columns[0])
    for column in columns[1:]:
        hashes = _mix(hashes * _SALTS + _hash_column(column))
    return hashes


def _hash_column(column: pa.Array) -> Array:
    type_ = column.type
    if pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_binary(type_):
        return _hash_texts(pc.cast(column, pa.large_binary()))
    if pa.types.is_decimal(type_):
        return _hash_texts(pc.cast(pc.cast(column, pa.string()), pa.large_binary()))
    return _mix(_words(column)[:, None] * _SALTS)


def _words(column: pa.Array) -> Array:
    """Return fixed-width values as 64-bit words, the same for equal values only."""
    type_ = column.type
    if pa.types.is_floating(type_):
        return (_buffer(pc.cast(column, pa.float64()), np.float64) + 0.0).view(np.uint64)  # -0.0 becomes 0.0
    if pa.types.is_uint64(type_):
        return _buffer(column, np.uint64)
    if pa.types.is_date32(type_):
        column = pc.cast(column, pa.int32())
    return _buffer(pc.cast(column, pa.int64()), np.uint64)


def _buffer(column: pa.Array, dtype: npt.DTypeLike) -> Array:
    """Return the values of an array without copying them; `to_numpy` would import pandas, which takes 60 MB."""
    return np.frombuffer(column.buffers()[1], dtype, column.offset + len(column))[column.offset :]


def _hash_texts(texts: pa.Array) -> Array:
    offsets = np.frombuffer(texts.buffers()[1], np.int64)[texts.offset : texts.offset + len(texts) + 1]
    data = np.frombuffer(texts.buffers()[2] or b"", np.uint8)
    hashes = np.empty((len(texts), _LANES), np.uint64)
    start = 0
    while start < len(texts):
        end = max(int(np.searchsorted(offsets, offsets[start] + _SLICE_BYTES, side="right")) - 1, start + 1)
        hashes[start:end] = _hash_slice(offsets[start : end + 1], data)
        start = end
    return hashes


def _hash_slice(offsets: Array, data: Array) -> Array:
    lengths = np.diff(offsets)
    data = data[offsets[0] : offsets[-1]]
    starts = offsets - offsets[0]
    positions = np.arange(len(data)) - np.repeat(starts[:-1], lengths)
    is_long = lengths > _LONG
    if is_long.any():
        positions %= _LONG  # a valid index; their hashes are replaced below
    hashes = np.empty((len(lengths), _LANES), np.uint64)
    for lane in range(_LANES):
        sums = np.zeros(len(data) + 1, np.uint64)
        np.cumsum((data + np.uint64(1)) * _KEYS[lane][positions], out=sums[1:])
        hashes[:, lane] = sums[starts[1:]] - sums[starts[:-1]] + lengths.astype(np.uint64) * _SALTS[lane]
    for row in np.flatnonzero(is_long):
        digest = hashlib.blake2b(data[starts[row] : starts[row + 1]].tobytes(), digest_size=8 * _LANES).digest()
        hashes[row] = np.frombuffer(digest, np.uint64)
    return _mix(hashes)


def _mix(words: Array) -> Array:
    """Return well-mixed words; a bijection of 64-bit words."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(words ^ (words >> np.uint64(31)))
