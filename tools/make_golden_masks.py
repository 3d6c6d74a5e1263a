#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/core/masks.safetensors with SciPy: components, holes, distances, balls.

The build never needs this script:
    python3 tools/make_golden_masks.py
"""
import numpy
import scipy
from scipy import ndimage

from make_golden_core import GOLDEN, write_safetensors

SPACING = {"cube": (1.0, 1.0, 1.0), "flat": (3.0, 1.0, 1.25)}  # of [k, j, i], mm
RADII = (1.0, 2.5, 4.0)


def ball(radius, spacing):
    reach = [int(radius / mm) for mm in spacing]
    axes = [mm * numpy.arange(-n, n + 1) for n, mm in zip(reach, spacing)]
    k, j, i = numpy.meshgrid(*axes, indexing="ij")
    return k * k + j * j + i * i <= radius * radius * (1 + 1e-6)


def main():
    random = numpy.random.default_rng(5)
    noise = ndimage.gaussian_filter(random.normal(size=(9, 15, 13)), 1.2)
    blobs = noise > 0.03
    sparse = random.random((9, 15, 13)) < 0.17  # many small components, corner by corner
    tensors = {}

    def put(name, array, kind):
        numbers = {"BOOL": "u1", "I32": "<i4", "F32": "<f4"}[kind]
        tensors[name] = (kind, list(array.shape), array.astype(numbers).tobytes())

    for name, mask in {"blobs": blobs, "sparse": sparse}.items():
        put(name, mask, "BOOL")
        put(f"{name}.filled", ndimage.binary_fill_holes(mask), "BOOL")
        for touch, neighbours in ((1, 6), (2, 18), (3, 26)):
            structure = ndimage.generate_binary_structure(3, touch)
            put(f"{name}.labels{neighbours}", ndimage.label(mask, structure)[0], "I32")
        for grid, spacing in SPACING.items():
            put(f"{name}.{grid}.distance", ndimage.distance_transform_edt(mask, sampling=spacing), "F32")
            for radius in RADII:
                structure = ball(radius, spacing)
                put(f"{name}.{grid}.erode{radius:g}", ndimage.binary_erosion(mask, structure, border_value=1), "BOOL")
                put(f"{name}.{grid}.dilate{radius:g}", ndimage.binary_dilation(mask, structure), "BOOL")
    write_safetensors(GOLDEN / "masks.safetensors", tensors, {"origin": f"SciPy {scipy.__version__}, NumPy {numpy.__version__}"})


if __name__ == "__main__":
    main()
