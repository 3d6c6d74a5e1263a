# SPDX-License-Identifier: Apache-2.0
"""Over the seeds of experiments/detector: sensitivity against clusters a patient, detectors against the real controls' one.

/usr/bin/python3 experiments/detector_summary.py SEED ... (in the experiment's folder). numpy, scipy.
A patient is one trial; patients of different seeds are different people. Wilson intervals, exact McNemar tests over all
patients, and the power that such a test has with 17 and with all patients.
"""
import csv
import pathlib
import sys

import numpy
from scipy import stats

RULES = ("voxel", "ten-percent", "centre")


def hits_of(folder):
    """{(participant, most): rank} of a detector's hits.tsv."""
    with open(folder / "hits.tsv", encoding="utf-8") as file:
        return {(row["participant_id"], int(row["most"])): int(row["rank"]) for row in csv.DictReader(file, delimiter="\t")}


def mcnemar(only_a, only_b):
    return float(stats.binomtest(only_a, only_a + only_b, 0.5).pvalue) if only_a + only_b else 1.0


def wilson(hits, n):
    z = stats.norm.ppf(0.975)
    p = hits / n
    middle, half = (p + z * z / 2 / n) / (1 + z * z / n), z * numpy.sqrt(p * (1 - p) / n + z * z / 4 / n / n) / (1 + z * z / n)
    return middle - half, middle + half


def power(n, gain, loss, draws=4000):
    """Part of studies of n patients whose exact McNemar test is below 0.05, with so many only found by the one or the other."""
    random = numpy.random.default_rng(1)
    draw = random.multinomial(n, [gain, loss, 1 - gain - loss], draws)
    return numpy.mean([mcnemar(int(a), int(b)) < 0.05 for a, b, _ in draw])


def main():
    seeds = sys.argv[1:]
    for rule in RULES:
        by_name = {}
        for seed in seeds:
            for folder in sorted(pathlib.Path(seed, "scored", rule).iterdir()):
                if folder.is_dir():
                    by_name.setdefault(folder.name, {}).update(
                        {(seed, *key): rank for key, rank in hits_of(folder).items()})
        most = sorted({key[2] for key in next(iter(by_name.values()))})
        print(f"rule {rule}: sensitivity in % (95 % interval) with at most n clusters a patient, {len(seeds)} seeds")
        print("n".ljust(24) + "".join(str(n).rjust(18) for n in most if n in (1, 3, 5, 10, 20)))
        for name, hits in by_name.items():
            line = name.ljust(24)
            for n in most:
                if n not in (1, 3, 5, 10, 20):
                    continue
                ranks = [rank for key, rank in hits.items() if key[2] == n]
                found = sum(rank > 0 for rank in ranks)
                low, high = wilson(found, len(ranks))
                line += f"{100 * found / len(ranks):.0f} ({100 * low:.0f} to {100 * high:.0f})".rjust(18)
            print(line)
        for name, hits in by_name.items():
            if name == "real":
                continue
            both = [key for key in hits if key[2] == 10 and key in by_name["real"]]
            only_a = sum(hits[key] > 0 and by_name["real"][key] == 0 for key in both)
            only_b = sum(hits[key] == 0 and by_name["real"][key] > 0 for key in both)
            print(f"  {name} against real, 10 clusters: only {name} {only_a}, only real {only_b} of {len(both)}, "
                  f"McNemar p = {mcnemar(only_a, only_b):.3g}")
        print()
    n = 17 * len(seeds)
    print("power of the exact McNemar test at 5 %, if one finds 15 % (30 %) of the patients whom the other misses and 5 % the "
          f"other way round: 17 patients {power(17, 0.15, 0.05):.2f} ({power(17, 0.30, 0.05):.2f}), "
          f"{n} patients {power(n, 0.15, 0.05):.2f} ({power(n, 0.30, 0.05):.2f})")


main()
