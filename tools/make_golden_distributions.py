#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/metrics/distribution_distances.safetensors with NumPy, SciPy and scikit-learn.

    python3 tools/make_golden_distributions.py
The build never needs it. Plain loops and library calls, not the way the C++ code finds the figures.
"""
import pathlib

import numpy
import scipy
import scipy.linalg
import scipy.stats
import sklearn
from sklearn.metrics.pairwise import polynomial_kernel
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from make_golden_metrics import write_safetensors


def kernel_distance(a, b):
    def within(x):
        k = polynomial_kernel(x, x, degree=3, gamma=1 / x.shape[1], coef0=1)
        return (k.sum() - numpy.trace(k)) / (len(x) * (len(x) - 1))
    return within(a) + within(b) - 2 * polynomial_kernel(a, b, degree=3, gamma=1 / a.shape[1], coef0=1).mean()


def manifold(real, synthetic, k):
    radius = lambda x: NearestNeighbors(n_neighbors=k + 1).fit(x).kneighbors(x)[0][:, -1]
    between = numpy.array([[numpy.linalg.norm(r - s) for s in synthetic] for r in real])
    real_radius, synthetic_radius = radius(real), radius(synthetic)
    inside = between <= real_radius[:, None]
    return [inside.any(0).mean(), (between <= synthetic_radius[None]).any(1).mean(), inside.sum() / k / len(synthetic),
            inside.any(1).mean()]


def nearest_neighbour(real, synthetic):
    points, labels = numpy.concatenate([real, synthetic]), numpy.array([1] * len(real) + [0] * len(synthetic))
    right = []
    for i in range(len(points)):
        others = numpy.arange(len(points)) != i
        right.append(KNeighborsClassifier(1).fit(points[others], labels[others]).predict(points[i:i + 1])[0] == labels[i])
    right = numpy.array(right)
    return [right.mean(), right[:len(real)].mean(), right[len(real):].mean()]


def frechet(a, b):
    s1, s2 = numpy.cov(a.T), numpy.cov(b.T)
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + numpy.trace(s1 + s2 - 2 * scipy.linalg.sqrtm(s1 @ s2).real)


def main():
    random = numpy.random.default_rng(5)
    a = random.normal(size=(60, 6))
    b = random.normal(0.3, 1.2, size=(45, 6))
    line_a, line_b = random.normal(size=(37, 1)), random.normal(1, 2, size=(52, 1))
    scores, others = random.integers(0, 9, 30).astype(float), random.integers(2, 12, 25).astype(float)
    auc = scipy.stats.mannwhitneyu(scores, others).statistic / (len(scores) * len(others))
    tensors = {
        "a": a, "b": b, "line_a": line_a, "line_b": line_b, "scores": scores, "others": others,
        "kernel": numpy.array([kernel_distance(a, b)]), "manifold": numpy.array(manifold(a, b, 5)),
        "neighbour": numpy.array(nearest_neighbour(a, b)), "frechet": numpy.array([frechet(a, b)]),
        "wasserstein": numpy.array([scipy.stats.wasserstein_distance(line_a[:, 0], line_b[:, 0])]), "auc": numpy.array([auc])}
    write_safetensors(pathlib.Path(__file__).parent.parent / "tests/golden/metrics/distribution_distances.safetensors", tensors,
                      {"made_by": f"numpy {numpy.__version__}, scipy {scipy.__version__}, scikit-learn {sklearn.__version__}"})


if __name__ == "__main__":
    main()
