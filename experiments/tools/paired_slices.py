# SPDX-License-Identifier: Apache-2.0
"""Slices of prepared volumes for the Python side of the experiments, and their scores; NiBabel, SciPy and scikit-image.

Independent of scintigen: the slices are read from the volumes by docs/file_formats.md, the scores are scikit-image's.
"""
import csv
import pathlib

import nibabel
import numpy as np
from skimage.metrics import structural_similarity

RANGE = 2.0  # of values scaled to (-1,1)
MEASURES = ["rmse", "ssim", "psnr"]


def scaled(plane, side):
    """[W,H] of RAS -> [side,side], front up, patient's right on the left, by its minimum and maximum to (-1,1)."""
    plane = plane.T[::-1, ::-1].astype(np.float32)
    low, high = plane.min(), plane.max()
    if not high > low:
        return np.full((side, side), -1, np.float32)
    if plane.shape != (side, side):
        raise SystemExit(f"slices of {plane.shape}; this script takes {side} x {side} alone: prepare them so")
    return (plane - low) * (2 / (high - low)) - 1


def read_pairs(cohort, source, target, side):
    """participant_id -> (sources [D,side,side], targets [D,side,side]), every slice of the volumes."""
    cohort, files = pathlib.Path(cohort), {}
    with open(cohort / "volumes.tsv") as table:
        for row in csv.DictReader(table, delimiter="\t"):
            files[row["participant_id"], row["modality"]] = cohort / row["file"]
    pairs = {}
    for person in sorted({person for person, _ in files}):
        volumes = [np.asarray(nibabel.load(files[person, modality]).dataobj) for modality in (source, target)]
        pairs[person] = tuple(np.stack([scaled(v[:, :, k], side) for k in range(v.shape[2])]) for v in volumes)
    return pairs


def scores(made, real):
    """Of one slice, range 2: root mean square error, SSIM (Gaussian 11/1.5, valid windows), PSNR in dB."""
    rmse = float(np.sqrt(np.mean((made.astype(np.float64) - real) ** 2)))
    ssim = structural_similarity(made, real, data_range=RANGE, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    return {"rmse": rmse, "ssim": float(ssim), "psnr": float(20 * np.log10(RANGE / rmse))}


def append_scores(path, method, person, made, real):
    """A row a slice: participant_id, slice, method, rmse, ssim, psnr."""
    path = pathlib.Path(path)
    new = not path.exists()
    with open(path, "a", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(["participant_id", "slice", "method"] + MEASURES)
        for k, (m, r) in enumerate(zip(made, real)):
            values = scores(m, r)
            writer.writerow([person, k, method] + [f"{values[name]:.6f}" for name in MEASURES])
