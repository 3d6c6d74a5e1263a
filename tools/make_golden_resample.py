#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/core/resample.safetensors with SciPy: python3 tools/make_golden_resample.py

Third-order splines with mirrored boundaries, and linear interpolation, of a small volume through four affine maps.
Positions more than half a voxel outside are 0, as src/core/resample.h says.
"""
import math
import pathlib

import numpy
import scipy
import scipy.ndimage

from make_golden_core import GOLDEN, write_safetensors

SOURCE, TARGET = (7, 9, 12), (8, 10, 11)  # [k, j, i]


def affine(matrix, shift):
    whole = numpy.eye(4)
    whole[:3, :3], whole[:3, 3] = matrix, shift
    return whole


def maps():
    """Target voxel (i, j, k) -> source voxel (i, j, k)."""
    a, b = 0.35, -0.2
    turn = numpy.array([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0], [0, 0, 1]]) @ numpy.array(
        [[1, 0, 0], [0, math.cos(b), -math.sin(b)], [0, math.sin(b), math.cos(b)]])
    yield "oblique", affine(turn * 0.9, [0.7, -2.3, 0.4])
    yield "scaled", affine(numpy.diag([1.25, 0.8, 0.7]), [-0.4, 0.3, 0.9])
    yield "flipped", affine(numpy.diag([-1.0, 1.0, -0.5]), [10.25, -0.5, 6.4])
    swap = numpy.zeros((3, 3))  # source i, j, k move with target k, i, j
    swap[0, 2], swap[1, 0], swap[2, 1] = 1.1, 0.9, -0.65
    yield "permuted", affine(swap, [0.3, -0.2, 6.1])


def main():
    source = numpy.random.default_rng(3).normal(size=SOURCE).astype("<f4")
    tensors = {"source": ("F32", list(SOURCE), source.tobytes())}
    coefficients = scipy.ndimage.spline_filter(source.astype(float), order=3, mode="mirror")
    tensors["coefficients"] = ("F32", list(SOURCE), coefficients.astype("<f4").tobytes())
    k, j, i = numpy.indices(TARGET)
    voxels = numpy.stack([i.ravel(), j.ravel(), k.ravel(), numpy.ones(i.size)])
    for name, matrix in maps():
        at = (matrix @ voxels)[2::-1]  # k, j, i
        edge = numpy.array(SOURCE)[:, None] - 0.5
        inside = ((at >= -0.5 - 1e-6) & (at <= edge + 1e-6)).all(axis=0)
        tensors[name + "_map"] = ("F64", [4, 4], matrix.astype("<f8").tobytes())
        for kind, order in (("cubic", 3), ("linear", 1)):
            values = scipy.ndimage.map_coordinates(source.astype(float), at, order=order, mode="mirror")
            tensors[f"{name}_{kind}"] = ("F32", list(TARGET), (values * inside).astype("<f4").tobytes())
        print(name, f"{inside.mean():.2f} inside")
    write_safetensors(pathlib.Path(GOLDEN) / "resample.safetensors", tensors,
                      {"origin": f"SciPy {scipy.__version__}, NumPy {numpy.__version__}"})


if __name__ == "__main__":
    main()
