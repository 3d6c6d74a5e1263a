# SPDX-License-Identifier: Apache-2.0
"""drive_ocsvm.py BENCH: times our one-class machines, LIBSVM's and scikit-learn's alternately in one run, one thread each,
all on one core (cores of a shared machine differ by half as much again, depending on what their neighbours do).

Two kinds of machines of 75 controls and 64 features: "correlated", as features of a brain are (ten factors a person, some
noise, rectified), and "independent" normal numbers, where nearly every control is a support vector. RBF, nu 0.03, gamma
1 / (features x variance). LIBSVM and scikit-learn at their default tolerance 1e-3; ours always to float32's reach.
"""
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
import numpy  # noqa: E402
import sklearn  # noqa: E402
import sklearn.svm  # noqa: E402

MACHINES, CONTROLS, FEATURES = int(os.environ.get("MACHINES", 500)), int(os.environ.get("CONTROLS", 75)), 64
ROUNDS = int(os.environ.get("ROUNDS", 7))


def examples(kind):
    random = numpy.random.default_rng(7)
    shape = (MACHINES, CONTROLS, FEATURES)
    if kind == "independent":
        return random.standard_normal(shape, numpy.float32)
    factors = random.standard_normal((MACHINES, CONTROLS, 10)) @ random.standard_normal((MACHINES, 10, FEATURES)) / 3
    values = random.uniform(-0.5, 2, (MACHINES, 1, FEATURES)) + factors + 0.2 * random.standard_normal(shape)
    return numpy.maximum(values, 0).astype(numpy.float32)


def main(bench):
    with tempfile.TemporaryDirectory() as folder:
        ratios = {}
        for kind in ("independent", "correlated"):
            x = examples(kind)
            path = pathlib.Path(folder) / kind
            x.tofile(path)
            side = subprocess.Popen([bench, path, str(MACHINES), str(CONTROLS), str(FEATURES)], stdin=subprocess.PIPE,
                                    stdout=subprocess.PIPE, text=True)

            def ask(what):
                side.stdin.write(what + "\n")
                side.stdin.flush()
                return [float(word) for word in side.stdout.readline().split()]

            decision, offset, other, support, products = ask("compare")
            print(f"{kind}: against LIBSVM at 1e-9, largest difference of a decision {decision:.2g} and of rho {offset:.2g} of "
                  f"the largest |decision|; {other:.0f} of {MACHINES} support sets differ; {support:.1f} support vectors, "
                  f"{products:.1f} products a machine", flush=True)
            if decision > 1e-4:
                sys.exit("drive_ocsvm.py: the two sides disagree")
            times = {"ours": [], "libsvm": [], "sklearn": []}
            few = x[: max(1, MACHINES // 5)]  # scikit-learn is slow
            for _ in range(ROUNDS):
                times["ours"].append(ask("ours")[0] / MACHINES)
                times["libsvm"].append(ask("libsvm 1e-3")[0] / MACHINES)
                begin = time.perf_counter()
                for machine in few:
                    sklearn.svm.OneClassSVM(kernel="rbf", gamma="scale", nu=0.03).fit(machine)
                times["sklearn"].append(1e3 * (time.perf_counter() - begin) / len(few))
            side.stdin.close()
            side.wait()
            us = {name: 1e3 * statistics.median(values) for name, values in times.items()}
            ratios[kind] = us
            print(f"{kind}: a machine takes ours {us['ours']:.1f} us, LIBSVM {us['libsvm']:.1f} us, scikit-learn "
                  f"{sklearn.__version__} {us['sklearn']:.1f} us: ratios {us['libsvm'] / us['ours']:.1f} and "
                  f"{us['sklearn'] / us['ours']:.1f}", flush=True)
    us = ratios["correlated"]
    print(f"ocsvm ratio_libsvm={us['libsvm'] / us['ours']:.1f} ratio_sklearn={us['sklearn'] / us['ours']:.1f} "
          f"ours_us={us['ours']:.2f} libsvm_us={us['libsvm']:.1f} sklearn_us={us['sklearn']:.1f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
