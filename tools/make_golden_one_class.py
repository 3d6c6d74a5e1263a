# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/detection/one_class.safetensors: scikit-learn's OneClassSVM at tolerance 1e-12.

/usr/bin/python3 tools/make_golden_one_class.py; the build never needs it.
"""
import pathlib
import sys

import numpy
import sklearn
import sklearn.svm

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench" / "reference"))
import safetensors_file  # noqa: E402

OUT = ROOT / "tests" / "golden" / "detection"
random = numpy.random.default_rng(3)


def correlated(controls, features, factors=4):
    x = random.standard_normal((controls, factors)) @ random.standard_normal((factors, features))
    return numpy.maximum(x / 2 + random.uniform(-0.5, 2, features) + 0.1 * random.standard_normal((controls, features)), 0)


def machines():
    yield "random_75_64", correlated(75, 64), 0.03
    yield "random_35_64", correlated(35, 64), 0.03
    yield "random_60_16_nu", correlated(60, 16), 0.3
    yield "independent", random.standard_normal((40, 64)), 0.03
    yield "far_from_zero", 100 + correlated(30, 16), 0.1
    yield "many", correlated(200, 8), 0.05
    x = correlated(20, 8)
    x[:, 3:] = 1.5
    yield "constant_features", x, 0.03
    x = correlated(24, 8)
    x[8:16] = x[:8]
    x[16:] = x[:8]
    yield "duplicates", x, 0.1
    x = correlated(20, 8)
    x[5] += 50
    yield "outlier", x, 0.1
    yield "two", correlated(2, 8), 0.03
    yield "identical", numpy.repeat(correlated(1, 8), 12, 0), 0.03
    yield "all_equal", numpy.full((10, 4), 2.0), 0.03  # no variance: gamma 1


tensors = {}
for name, x, nu in machines():
    x = x.astype(numpy.float32).astype(numpy.float64)
    query = numpy.concatenate([x, x + 0.3 * random.standard_normal(x.shape), x.mean(0, keepdims=True)])
    query = query.astype(numpy.float32).astype(numpy.float64)
    machine = sklearn.svm.OneClassSVM(kernel="rbf", gamma="scale", nu=nu, tol=1e-12).fit(x)
    support = numpy.zeros(len(x))
    support[machine.support_] = machine.dual_coef_[0]
    tensors |= {f"{name}.examples": x.astype(numpy.float32), f"{name}.queries": query.astype(numpy.float32),
                f"{name}.coefficients": support, f"{name}.rho": -machine.intercept_,
                f"{name}.gamma": numpy.array([machine._gamma]), f"{name}.nu": numpy.array([nu]),
                f"{name}.decisions": machine.decision_function(query)}
OUT.mkdir(parents=True, exist_ok=True)
safetensors_file.write(OUT / "one_class.safetensors", tensors,
                       {"made_by": f"tools/make_golden_one_class.py, scikit-learn {sklearn.__version__}, tol 1e-12"})
