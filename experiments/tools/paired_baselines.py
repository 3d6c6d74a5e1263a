# SPDX-License-Identifier: Apache-2.0
"""paired_baselines.py COHORT --levels slices.tsv --held-out A,B,C --scores OUT.csv: what needs no network, scored likewise.

level mean        mean target of the training people's slices of the same level; slices between two levels, or beyond one, are
                  levels of their own
smoothed input    a + b * blurred input
tissue classes    a + sum b_k * blurred membership of intensity class k (hat functions on (-1,1)): grey, white, fluid get
                  uptakes of their own
Least squares on the training slices; the blur (Gaussian) is the one of least squared error there.
"""
import argparse
import csv

import numpy as np
from scipy.ndimage import gaussian_filter1d

from paired_slices import append_scores, read_pairs

CLASSES = 8
BLURS_PX = [0, 1, 2, 3, 4, 6, 8]  # SD


def read_levels(path, people):
    """participant_id -> level of each slice."""
    found = {person: {} for person in people}
    with open(path) as table:
        for row in csv.DictReader(table, delimiter="\t"):
            if row["participant_id"] in found:
                found[row["participant_id"]][int(row["slice"])] = row["level"]
    levels = {}
    for person, by_slice in found.items():
        levels[person], below = [], "bottom"
        for k in sorted(by_slice):
            named = by_slice[k] != "n/a"
            below = by_slice[k] if named else below
            levels[person].append(by_slice[k] if named else f"above {below}")
    return levels


def maps_of(name, sources):
    if name == "smoothed input":
        return sources[:, None]
    knots = np.linspace(-1, 1, CLASSES)
    return np.stack([np.clip(1 - np.abs(sources - knot) * (CLASSES - 1) / 2, 0, None) for knot in knots[1:]], 1)


def blurred(maps, sd):
    if sd == 0:
        return maps
    return gaussian_filter1d(gaussian_filter1d(maps, sd, axis=-1, mode="nearest"), sd, axis=-2, mode="nearest")


def design(maps):
    columns = maps.transpose(0, 2, 3, 1).reshape(-1, maps.shape[1])
    return np.concatenate([np.ones((len(columns), 1), columns.dtype), columns], 1)


def fit(name, sources, targets):
    best = None
    for sd in BLURS_PX:
        a = design(blurred(maps_of(name, sources), sd)).astype(np.float64)
        b = targets.reshape(-1).astype(np.float64)
        weights = np.linalg.solve(a.T @ a + 1e-6 * np.eye(a.shape[1]), a.T @ b)
        error = np.mean((a @ weights - b) ** 2)
        if best is None or error < best[0]:
            best = (error, sd, weights)
    return best[1], best[2]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("cohort")
    parser.add_argument("--levels", required=True)
    parser.add_argument("--held-out", required=True)
    parser.add_argument("--scores", required=True)
    parser.add_argument("--source", default="T2w")
    parser.add_argument("--target", default="spect")
    parser.add_argument("--side", type=int, default=128)
    options = parser.parse_args()
    pairs = read_pairs(options.cohort, options.source, options.target, options.side)
    held_out = options.held_out.split(",")
    training = [person for person in pairs if person not in held_out]
    levels = read_levels(options.levels, pairs)
    sources, targets = (np.concatenate([pairs[person][c] for person in training]) for c in (0, 1))
    of_training = np.array([level for person in training for level in levels[person]])
    means = {level: targets[of_training == level].mean(0) for level in set(of_training)}
    for person in held_out:
        made = np.stack([means.get(level, targets.mean(0)) for level in levels[person]])
        append_scores(options.scores, "level mean", person, made, pairs[person][1])
    for name in ("smoothed input", "tissue classes"):
        sd, weights = fit(name, sources, targets)
        print(f"{name}: blur {sd} pixels SD", flush=True)
        for person in held_out:
            source, real = pairs[person]
            made = (design(blurred(maps_of(name, source), sd)) @ weights).reshape(real.shape).astype(np.float32)
            append_scores(options.scores, name, person, np.clip(made, -1, 1), real)


if __name__ == "__main__":
    main()
