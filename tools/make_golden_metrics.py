#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/metrics/slice_statistics.safetensors with NumPy and SciPy.

The build never needs this script; it is kept so that anyone can see where the golden numbers come from:
    python3 tools/make_golden_metrics.py
Every figure is found the plain way (loops over slices and pairs), not the way the C++ code finds it.
"""
import json
import pathlib
import struct

import numpy
import scipy
import scipy.ndimage
import scipy.spatial.distance
import scipy.stats


def write_safetensors(path, tensors, metadata):
    names = {"float32": "F32", "float64": "F64", "int64": "I64"}
    header, offset = {"__metadata__": metadata}, 0
    for name, array in tensors.items():
        header[name] = {"dtype": names[str(array.dtype)], "shape": list(array.shape),
                        "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in tensors.values():
            file.write(numpy.ascontiguousarray(array).tobytes())


def brains(random, count, height, width):
    """Noisy ellipses with a cold spot: nothing symmetric, some background exactly 0."""
    rows, columns = numpy.mgrid[:height, :width].astype(float)
    result = []
    for _ in range(count):
        middle_row, middle_column = height / 2 + random.normal(), width / 2 + random.normal()
        radius = ((rows - middle_row) / (0.42 * height))**2 + ((columns - middle_column) / (0.36 * width))**2
        cold = numpy.exp(-((rows - random.uniform(0, height))**2 + (columns - random.uniform(0, width))**2) / 12)
        result.append((radius < 1) * (0.5 + 0.4 * radius - 0.3 * cold + 0.05 * random.random((height, width))))
    return numpy.stack(result).astype(numpy.float32)


def left_right(image, threshold):
    mask = image > threshold * image.max()
    half = image.shape[1] // 2
    right, left = image[:, :half], image[:, -half:]
    return left[mask[:, -half:]].mean() / right[mask[:, :half]].mean()


def nearest(image, references, shift, flips):
    best, index = numpy.inf, -1
    for m, reference in enumerate(references):
        for mirrored in ([reference, reference[:, ::-1]] if flips else [reference]):
            for rows in range(-shift, shift + 1):
                for columns in range(-shift, shift + 1):
                    moved = scipy.ndimage.shift(mirrored, (rows, columns), order=0, mode="constant", cval=0)
                    distance = numpy.sqrt(numpy.mean((image - moved)**2))
                    if distance < best:
                        best, index = distance, m
    return best, index


def main():
    random = numpy.random.default_rng(20220714)
    slices, reference = brains(random, 9, 18, 15), brains(random, 13, 18, 15)
    a, b = slices.astype(numpy.float64), reference.astype(numpy.float64)

    # Principal components by the singular values of the centred matrix; sign: largest element positive.
    flat = b.reshape(len(b), -1)
    mean = flat.mean(0)
    _, singular, rows = numpy.linalg.svd(flat - mean, full_matrices=False)
    directions = rows[:5].T
    directions = directions * numpy.sign(directions[numpy.abs(directions).argmax(0), range(5)])
    explained = (singular**2 / (singular**2).sum())[:5]
    project = lambda x: (x.reshape(len(x), -1) - mean) @ directions
    x, y = project(a), project(b)

    distance = scipy.spatial.distance.cdist
    cross, within_x, within_y = distance(x, y).mean(), distance(x, x).sum(), distance(y, y).sum()
    n, m = len(x), len(y)
    found = [nearest(image, b, 2, True) for image in a]
    found_plain = [nearest(image, b, 1, False) for image in a]
    tensors = {
        "slices": slices, "reference": reference,
        "mean_counts": numpy.array([image.mean() / image.max() for image in a]),
        "left_right_ratio": numpy.array([left_right(image, 0.2) for image in a]),
        "left_right_ratio_60": numpy.array([left_right(image, 0.6) for image in a]),
        "pixelwise_deviation": a.std(0, ddof=1),
        "mean": mean, "directions": directions, "explained": explained, "projected": x,
        "energy_distance": numpy.array(2 * cross - within_x / n**2 - within_y / m**2),
        "energy_distance_unbiased": numpy.array(2 * cross - within_x / (n * (n - 1)) - within_y / (m * (m - 1))),
        # SciPy's is for numbers and is the root of ours.
        "energy_distance_first": numpy.array(scipy.stats.energy_distance(x[:, 0], y[:, 0])**2),
        "nearest_distance": numpy.array([d for d, _ in found]),
        "nearest_index": numpy.array([i for _, i in found], dtype=numpy.int64),
        "nearest_plain_distance": numpy.array([d for d, _ in found_plain]),
        "nearest_plain_index": numpy.array([i for _, i in found_plain], dtype=numpy.int64),
    }
    folder = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "metrics"
    write_safetensors(folder / "slice_statistics.safetensors", tensors,
                      {"made_by": "tools/make_golden_metrics.py",
                       "versions": f"NumPy {numpy.__version__}, SciPy {scipy.__version__}"})


if __name__ == "__main__":
    main()
