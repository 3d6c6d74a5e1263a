# SPDX-License-Identifier: Apache-2.0
"""Over the people of experiments/detector: known answer, subtle lesions, healthy people, what the synthetic controls are like.

/usr/bin/python3 experiments/detector_summary.py known SEED ... (in the experiment's folder). numpy, scipy, nibabel.
A patient is one trial; patients of different seeds are different people, their controls are the same. Wilson intervals, exact
McNemar tests over all patients, bootstrap over patients, and the power of such a test with 17 and with all patients.
"""
import csv
import json
import pathlib
import sys

import nibabel
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


def read_hits(folders, rule):
    """{detector: {(folder, participant, most): rank}}; rank 0: missed."""
    by_name = {}
    for folder in folders:
        for found in sorted(pathlib.Path(folder, "scored", rule).iterdir()):
            if found.is_dir():
                by_name.setdefault(found.name, {}).update({(folder, *key): rank for key, rank in hits_of(found).items()})
    return by_name


def sensitivities(by_name, told):
    print("at most".ljust(24) + "".join(f"{n} clusters".rjust(18) for n in told))
    for name, hits in by_name.items():
        line = name.ljust(24)
        for n in told:
            ranks = [rank for key, rank in hits.items() if key[2] == n]
            found = sum(rank > 0 for rank in ranks)
            low, high = wilson(found, len(ranks))
            line += f"{100 * found / len(ranks):.0f} ({100 * low:.0f} to {100 * high:.0f})".rjust(18)
        print(line)


def against_real(by_name, seeds, told):
    random = numpy.random.default_rng(1)
    for name, hits in by_name.items():
        if name == "real":
            continue
        for n in told:
            keys = sorted(key for key in hits if key[2] == n)
            own, real = (numpy.array([rows[key] > 0 for key in keys]) for rows in (hits, by_name["real"]))
            gain, loss = int(numpy.sum(own & ~real)), int(numpy.sum(real & ~own))
            draws = random.integers(0, len(keys), (4000, len(keys)))
            low, high = numpy.percentile((own.astype(int) - real)[draws].mean(1), [2.5, 97.5])
            each = [sum(own[i] - float(real[i]) for i, key in enumerate(keys) if key[0] == seed) for seed in seeds]
            print(f"  {name} - real, {n} clusters: {100 * (gain - loss) / len(keys):+.0f} points ({100 * low:.0f} to {100 * high:.0f}); only "
                  f"{name} {gain}, only real {loss} of {len(keys)}, McNemar p = {mcnemar(gain, loss):.3g}; patients by seed "
                  + " ".join(f"{value:+.0f}" for value in each))


def healthy_rates():
    print("new healthy people: part of the voxels with p at most the level, mean over people (SD)")
    for arm in sorted(pathlib.Path("healthy").glob("arm-*")):
        rates = []
        for file in sorted(arm.glob("found/*/*_p.nii.gz")):
            z = numpy.asarray(nibabel.load(str(file).replace("_p.nii.gz", "_z.nii.gz")).dataobj)
            p = numpy.asarray(nibabel.load(file).dataobj)[z != 0]
            rates.append([numpy.mean(p <= level) for level in (0.5, 0.05, 0.01, 0.001)])
        if not rates:
            continue  # fitted without --folds
        rates = numpy.array(rates)
        print(f"  {arm.name[4:].ljust(22)} {len(rates)} people  " + "  ".join(
            f"{level}: {100 * mean:.3g} % ({100 * sd:.2g})" for level, mean, sd in
            zip((0.5, 0.05, 0.01, 0.001), rates.mean(0), rates.std(0, ddof=1))))


def synthetic_properties():
    for record in sorted(pathlib.Path("known").glob("arm-*/detector/run.json")):
        found = json.loads(record.read_text())
        results = found.get("results", found)
        if results.get("synthetic"):
            print(f"{record.parent.parent.name[4:]}: synthetic over real controls: " +
                  ", ".join(f"{key} {value:.2f}" for key, value in results["synthetic"].items()))
        if results.get("machines"):
            machines = results["machines"]
            print(f"{record.parent.parent.name[4:]}: {machines['support_vectors'] / machines['voxels']:.2f} support vectors a voxel, "
                  f"fitted in {machines['seconds']:.0f} s")


def main():
    known, *seeds = sys.argv[1:]
    for rule in RULES:
        print(f"== rule {rule}: sensitivity in % (95 % interval)")
        by_name = read_hits([known], rule)
        print(f"known answer (25 %, 20 mm), {len({key[1] for key in by_name['real']})} patients")
        sensitivities(by_name, (1, 3, 5, 10))
        if not seeds:
            continue
        by_name = read_hits(seeds, rule)
        people = len({key[:2] for key in by_name["real"]})
        print(f"subtle lesions, {people} patients of {len(seeds)} seeds")
        sensitivities(by_name, (1, 3, 5, 10, 20))
        against_real(by_name, seeds, (5, 10))
        print()
    healthy_rates()
    synthetic_properties()
    if not seeds:
        return
    n = people
    print("power of the exact McNemar test at 5 %, if one finds 15 % (30 %) of the patients whom the other misses and 5 % the "
          f"other way round: 17 patients {power(17, 0.15, 0.05):.2f} ({power(17, 0.30, 0.05):.2f}), "
          f"{n} patients {power(n, 0.15, 0.05):.2f} ({power(n, 0.30, 0.05):.2f})")


main()
