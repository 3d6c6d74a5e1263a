#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/metrics/radiomic_features.safetensors with scikit-image, SciPy and NumPy.

The build never needs this script; it is kept so that anyone can see where the golden numbers come from:
    python3 tools/make_golden_radiomic_features.py
"""
import pathlib

import numpy
import scipy
import scipy.ndimage
import scipy.stats
import skimage
import skimage.feature

from make_golden_metrics import write_safetensors


def smooth_images(random, count, height, width):
    """Smoothed noise of several widths inside an ellipse, on nothing; each divided by its maximum."""
    rows, columns = numpy.mgrid[:height, :width].astype(float)
    result = []
    for n in range(count):
        noise = scipy.ndimage.gaussian_filter(random.normal(size=(height, width)), 0.4 + 0.35 * (n % 7))
        radius = ((rows - height / 2 - random.normal()) / (0.44 * height))**2 \
            + ((columns - width / 2 - random.normal()) / (0.38 * width))**2
        image = numpy.clip(0.6 + 0.25 * noise / noise.std(), 0, None) * (radius < 1)
        result.append(image / image.max())
    return numpy.stack(result).astype(numpy.float32)


def features(image, threshold):
    """In the order of radiomic_feature_names()."""
    mask = image > threshold * image.max()
    values = image[mask]
    found = [values.mean(), values.std(), scipy.stats.skew(values), scipy.stats.kurtosis(values),
             *numpy.percentile(values, [10, 50, 90])]

    # Grey levels 1 to 32 in the mask; level 0 is outside, and leaves the co-occurrence matrix with it.
    low, high = values.min(), values.max()
    level = numpy.where(mask, numpy.minimum(numpy.floor(32 * (image - low) / (high - low)) + 1, 32), 0)
    level = level.astype(numpy.uint8)
    found.append(scipy.stats.entropy(numpy.bincount(level[mask], minlength=33), base=2))
    angles = [0, numpy.pi / 4, numpy.pi / 2, 3 * numpy.pi / 4]
    matrix = skimage.feature.graycomatrix(level, [1], angles, levels=33, symmetric=True)[1:, 1:]
    for name in ("contrast", "homogeneity", "ASM", "correlation"):
        found.append(skimage.feature.graycoprops(matrix, name).mean())
    found.append(numpy.mean([scipy.stats.entropy(matrix[:, :, 0, a].ravel(), base=2) for a in range(4)]))

    height, width = image.shape
    power = numpy.abs(numpy.fft.fft2(image))**2 / image.size
    radius = numpy.hypot(numpy.fft.fftfreq(height)[:, None], numpy.fft.fftfreq(width)[None, :])
    for band in range(6):
        ring = (12 * radius > band + 1e-9) & (12 * radius <= band + 1 + 1e-9)
        found.append(numpy.log(power[ring].mean()))

    half = width // 2
    right, left = image[:, :half][mask[:, :half]], image[:, -half:][mask[:, -half:]]
    ratio = numpy.log(left.mean() / right.mean())
    padded = numpy.pad(mask.astype(int), 1)
    perimeter = numpy.abs(numpy.diff(padded, axis=0)).sum() + numpy.abs(numpy.diff(padded, axis=1)).sum()
    found += [ratio, abs(ratio), mask.mean(), perimeter / mask.sum(),
              numpy.hypot(*numpy.gradient(image))[mask].mean()]
    return found


def main():
    random = numpy.random.default_rng(20221120)
    tensors = {}
    for name, height, width in (("odd", 25, 22), ("even", 24, 36), ("wide", 16, 31)):
        slices = smooth_images(random, 14, height, width)
        tensors[name] = slices
        for threshold in (20, 50):
            tensors[f"{name}_{threshold}"] = numpy.array(
                [features(image, threshold / 100) for image in slices.astype(numpy.float64)])
    folder = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "metrics"
    write_safetensors(folder / "radiomic_features.safetensors", tensors,
                      {"made_by": "tools/make_golden_radiomic_features.py",
                       "versions": f"scikit-image {skimage.__version__}, SciPy {scipy.__version__}, "
                                   f"NumPy {numpy.__version__}"})


if __name__ == "__main__":
    main()
