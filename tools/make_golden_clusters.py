#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/detection/clusters.safetensors with SciPy: clusters of a score map, ranked.

The build never needs this script:
    python3 tools/make_golden_clusters.py
"""
import pathlib

import numpy
import scipy
from scipy import ndimage

from make_golden_core import write_safetensors

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "detection"
# Voxel index (i, j, k) to mm: oblique, left-handed, 2.1 x 1.9 x 2.6 mm.
AFFINE = numpy.array([[-2.0, 0.3, 0.5, 80.0], [0.4, 1.85, -0.6, -90.0], [0.5, 0.35, 2.5, -40.0], [0, 0, 0, 1.0]])
EVERYTHING = numpy.ones((3, 3, 3))


def mm(index_kji):
    k, j, i = index_kji
    return AFFINE[:3, :3] @ [i, j, k] + AFFINE[:3, 3]


def clusters(scores, mask, sign, threshold, least_ml):
    """Rows: voxels, ml, peak, peak x y z, centre x y z, mean, rank score; by rank."""
    labels, count = ndimage.label((sign * scores >= threshold) & mask, EVERYTHING)
    voxel_ml = abs(numpy.linalg.det(AFFINE[:3, :3])) / 1000
    index = [n for n in range(1, count + 1) if numpy.sum(labels == n) * voxel_ml >= least_ml]
    sizes = ndimage.sum_labels(numpy.ones_like(scores), labels, index)
    means = ndimage.mean(scores.astype(float), labels, index)
    peaks = sign * ndimage.maximum(sign * scores, labels, index)
    places = ndimage.maximum_position(sign * scores, labels, index)
    centres = ndimage.center_of_mass(numpy.ones_like(scores), labels, index)
    ranks = 0.5 * sizes / max(sizes) + 0.5 * abs(means) / max(abs(means))
    order = sorted(range(len(index)), key=lambda n: (-ranks[n], -sign * peaks[n]))
    rows = [[sizes[n], sizes[n] * voxel_ml, peaks[n], *mm(places[n]), *mm(centres[n]), means[n], ranks[n]] for n in order]
    ranked = numpy.zeros(labels.shape)
    for rank, n in enumerate(order):
        ranked[labels == index[n]] = rank + 1
    return numpy.array(rows), ranked


def main():
    random = numpy.random.default_rng(7)
    scores = ndimage.gaussian_filter(random.normal(size=(18, 25, 22)), 1.1)
    scores = (scores / scores.std()).astype("f4")
    mask = ndimage.gaussian_filter(random.normal(size=scores.shape), 3) > -0.05
    tensors = {}

    def put(name, array, kind):
        numbers = {"BOOL": "u1", "I32": "<i4", "F32": "<f4", "F64": "<f8"}[kind]
        tensors[name] = (kind, list(array.shape), numpy.ascontiguousarray(array).astype(numbers).tobytes())

    put("scores", scores, "F32")
    put("mask", mask, "BOOL")
    put("affine", AFFINE, "F64")
    for name, sign in (("above", 1), ("below", -1)):
        for least in (0, 0.05):
            rows, ranked = clusters(scores, mask, sign, 1.5, least)
            put(f"{name}.{least:g}.rows", rows, "F64")
            put(f"{name}.{least:g}.labels", ranked, "I32")
    GOLDEN.mkdir(parents=True, exist_ok=True)
    write_safetensors(GOLDEN / "clusters.safetensors", tensors, {"origin": f"SciPy {scipy.__version__}, NumPy {numpy.__version__}"})


if __name__ == "__main__":
    main()
