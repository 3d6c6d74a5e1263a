# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/detection/simple_detectors.safetensors: scikit-learn's LedoitWolf, Mahalanobis distances.

/usr/bin/python3 tools/make_golden_simple_detectors.py; the build never needs it.
"""
import pathlib
import sys

import numpy
import sklearn
import sklearn.covariance

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench" / "reference"))
import safetensors_file  # noqa: E402

OUT = ROOT / "tests" / "golden" / "detection"
random = numpy.random.default_rng(5)


def rows(controls, features, factors):
    x = random.standard_normal((controls, factors)) @ random.standard_normal((factors, features))
    return x + 0.2 * random.standard_normal((controls, features)) + 3


tensors = {}
for name, x in {"few": rows(12, 64, 4), "many": rows(200, 8, 8), "wide": rows(35, 64, 20)}.items():
    query = rows(6, x.shape[1], 4)
    made = sklearn.covariance.LedoitWolf().fit(x)
    tensors |= {f"{name}.rows": x, f"{name}.queries": query, f"{name}.covariance": made.covariance_,
                f"{name}.shrinkage": numpy.array([made.shrinkage_]),
                f"{name}.distances": numpy.sqrt(made.mahalanobis(query))}

OUT.mkdir(parents=True, exist_ok=True)
safetensors_file.write(OUT / "simple_detectors.safetensors", tensors,
                       {"made_by": f"tools/make_golden_simple_detectors.py, scikit-learn {sklearn.__version__}"})
