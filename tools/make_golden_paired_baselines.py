# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/cohort/paired_baselines.safetensors: the baselines of src/cohort/paired_baselines.h in NumPy and SciPy.

/usr/bin/python3 tools/make_golden_paired_baselines.py; the build never needs it. Three made-up people, two inputs, in float64.
"""
import pathlib
import sys

import numpy as np
import scipy
from scipy.ndimage import gaussian_filter1d

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench" / "reference"))
import safetensors_file  # noqa: E402

OUT = ROOT / "tests" / "golden" / "cohort"
PEOPLE, PLANES, ROWS, COLUMNS, SIDE, SLICES = 3, 5, 30, 26, 32, 4
PIXEL_MM, FWHMS_MM, CLASSES = 4.0, (0, 4, 8, 12, 16), 8


def people():
    random = np.random.default_rng(4)
    for person in range(PEOPLE):
        k, j, i = np.meshgrid(np.arange(PLANES), np.arange(ROWS), np.arange(COLUMNS), indexing="ij")
        brain = ((i - 12.5 - person) / 11) ** 2 + ((j - 14.5) / 13) ** 2 < 1
        t1 = brain * (200 + 100 * np.sin(0.7 * i + person) * np.cos(0.5 * j + 0.3 * k) + 10 * random.random(brain.shape))
        pet = brain * (3 + np.cos(0.4 * i - 0.6 * j + person) + 0.2 * random.random(brain.shape))
        uptake = brain * (50 * np.clip(1 - np.abs(t1 - 220) / 90, 0, 1) + 4 * pet)
        spect = gaussian_filter1d(gaussian_filter1d(uptake, 1.3, axis=1), 1.3, axis=2) + brain * random.random(brain.shape)
        yield [volume.astype(np.float32) for volume in (t1, pet, spect)]


def scaled(volume, k):
    """Plane k as the network sees it: rows front to back, columns right to left, minimum and maximum to -1 and 1."""
    plane = volume[k].astype(np.float64)
    low, high = plane.min(), plane.max()
    square = np.full((SIDE, SIDE), -2 * low / (high - low) - 1)
    square[1:31, 3:29] = (plane[::-1, ::-1] - low) / (high - low) * 2 - 1
    return square


def blurred(image, fwhm_px):
    if fwhm_px == 0:
        return image
    sigma = fwhm_px / np.sqrt(8 * np.log(2))
    radius = int(np.ceil(3.5 * sigma))
    for axis in (0, 1):
        image = gaussian_filter1d(image, sigma, axis=axis, mode="nearest", truncate=(radius + 0.25) / sigma)
    return image


def hats(image):
    place = (image + 1) / 2 * (CLASSES - 1)
    return [np.clip(1 - np.abs(place - k), 0, 1) for k in range(1, CLASSES)]


def design(maps, fwhm_px):
    return np.stack([np.ones(SIDE * SIDE)] + [blurred(m, fwhm_px).ravel() for m in maps], axis=1)


def fit(all_maps, targets):
    best = None
    y = np.concatenate([t.ravel() for t in targets])
    for fwhm in FWHMS_MM:
        x = np.concatenate([design(maps, fwhm / PIXEL_MM) for maps in all_maps])
        weights = np.linalg.lstsq(x, y, rcond=None)[0]
        left = np.square(x @ weights - y).sum()
        if best is None or left < best[0]:
            best = (left, fwhm / PIXEL_MM, weights)
    return best[1:]


def main():
    cohort = list(people())
    inputs, targets = [], []
    for t1, pet, spect in cohort:
        for k in range(SLICES):  # every plane holds as much brain: the first SLICES
            inputs.append([scaled(t1, k), scaled(pet, k)])
            targets.append(scaled(spect, k))
    tensors = {"volumes": np.stack([np.stack(person) for person in cohort])}
    tensors["level_mean"] = np.mean(np.stack(targets).reshape(PEOPLE, SLICES, SIDE, SIDE), axis=0).astype(np.float32)
    for name, maps_of in (("smoothed_input", lambda pair: pair), ("tissue_regression", lambda pair: hats(pair[0]) + hats(pair[1]))):
        maps = [maps_of(pair) for pair in inputs]
        fwhm, weights = fit(maps, targets)
        made = np.clip(design(maps[5], fwhm) @ weights, -1, 1).reshape(SIDE, SIDE)
        tensors |= {name + ".fwhm_px": np.float32([fwhm]), name + ".weights": weights.astype(np.float32), name + ".made_5": made.astype(np.float32)}
        print(name, fwhm, np.round(weights, 3), "RMSE", np.sqrt(np.mean((made - targets[5]) ** 2)))
    OUT.mkdir(exist_ok=True)
    safetensors_file.write(OUT / "paired_baselines.safetensors", tensors,
                           {"made_by": f"tools/make_golden_paired_baselines.py, numpy {np.__version__}, scipy {scipy.__version__}, float64"})


main()
