# SPDX-License-Identifier: Apache-2.0
"""What experiments/cyclegan_table needs beside the commands of scintigen. NumPy and nibabel; artefacts: SciPy.

cyclegan_table.py volumes PROGRAM FOLDER METHOD,METHOD.. [LPIPS]   FOLDER/volumes.csv: `scintigen metrics` of every translated volume
cyclegan_table.py artefacts FOLDER METHOD,METHOD..                 FOLDER/artefacts.csv: grid, seams and jitter of every translated volume
cyclegan_table.py figure FOLDER PICTURE.png                        one person: T1, each method, the real PET, differences
"""
import concurrent.futures
import csv
import json
import os
import pathlib
import statistics
import struct
import subprocess
import sys
import zlib

import nibabel
import numpy as np

FIGURE_METHODS = ["simple", "simple+mse", "cycle", "cycle+mse", "cycle+mse-histogram", "simple+mse-3d", "cycle+mse-3d",
                  "cycle+mse-3d-histogram"]


def prepared(folder, person, modality):
    """The file of a person's modality, and of its mask."""
    with open(folder / "prepared/template/volumes.tsv") as table:
        for row in csv.DictReader(table, delimiter="\t"):
            if row["participant_id"] == person and row["modality"] == modality:
                return [folder / "prepared/template" / row[column] for column in ("file", "mask_file")]
    raise SystemExit(f"no {modality} of {person}")


def translated(folder, method):
    """Person -> file, over the folds."""
    return {path.parent.name: path for path in sorted(folder.glob(f"translated/{method}-[1-4]/*/*_desc-synthetic_pet.nii.gz"))}


def volumes(program, folder, methods, lpips):
    folder = pathlib.Path(folder)
    measures = ["mse", "psnr", "ssim_gaussian", "ssim_gaussian_3d"] + (["lpips"] if lpips else [])

    def row_of(what):
        method, person, made = what
        real, mask = prepared(folder, person, "pet")
        command = [program, "metrics", real, made, "--range", "1", "--mask", mask, "--threads", "1", "--json"] + (["--lpips", lpips] if lpips else [])
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        found["mse"] = found["rmse"] ** 2
        return {"method": method, "participant_id": person, **{key: found[key] for key in measures}}

    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        rows = list(pool.map(row_of, [(method, person, made) for method in methods.split(",")
                                      for person, made in translated(folder, method).items()]))
    with open(folder / "volumes.csv", "w", newline="") as out:
        writer = csv.DictWriter(out, ["method", "participant_id"] + measures, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    for method in dict.fromkeys(row["method"] for row in rows):
        mine = [row for row in rows if row["method"] == method]
        cells = []
        for key in measures:
            values = [row[key] for row in mine]
            spread = statistics.stdev(values) if len(values) > 1 else float("nan")
            cells.append(f"{key} {statistics.mean(values):.4f} +- {spread:.4f}")
        print(f"{method:24} {len(mine):3} people  " + "  ".join(cells))


def regular(voxels, brain):
    """What repeats with the voxels' number, in % of the mean uptake; and how much neighbouring planes differ.

    grid: the image less its local mean (5 x 5 x 5 voxels of brain), averaged by place modulo 4 along each axis (the networks halve
    twice): SD of these 64 means. seams: by place modulo 16 along one axis (cubes are put together at 16), the largest SD of 16 means
    of the three axes. jitter: mean absolute difference of neighbouring planes in the brain over the mean, and how much larger it is
    at every third pair, where stacked triplets meet (the worst of the three phases over the mean of the others). The real PET's figures are what noise alone gives."""
    from scipy import ndimage

    weight = np.maximum(ndimage.uniform_filter(brain.astype(np.float64), 5), 1e-6)
    left = (voxels - ndimage.uniform_filter(np.where(brain, voxels, 0.0), 5) / weight)[brain] / voxels[brain].mean()
    place = [index[brain] for index in np.indices(voxels.shape)]
    by = lambda phase, count: np.std(np.bincount(phase, left, count) / np.maximum(np.bincount(phase, minlength=count), 1))
    grid = by((place[0] % 4 * 4 + place[1] % 4) * 4 + place[2] % 4, 64)
    seams = max(by(axis % 16, 16) for axis in place)
    both = brain[..., 1:] & brain[..., :-1]
    apart = np.abs(np.diff(voxels, axis=2))
    pairs = np.array([apart[..., k][both[..., k]].sum() for k in range(both.shape[2])])
    count = both.sum((0, 1))
    phases = [pairs[p::3].sum() / count[p::3].sum() for p in range(3)]
    worst = int(np.argmax(phases))
    others = (sum(phases) - phases[worst]) / 2
    return {"grid": 100 * grid, "seams": 100 * seams, "jitter": 100 * pairs.sum() / count.sum() / voxels[brain].mean(),
            "every_third": phases[worst] / others}


def artefacts(folder, methods):
    folder = pathlib.Path(folder)
    load = lambda file: np.asarray(nibabel.load(file).dataobj, dtype=np.float64)
    rows = []
    for method in methods.split(","):
        for person, made in translated(folder, method).items():
            brain = load(prepared(folder, person, "pet")[1]) > 0.5
            rows.append({"method": method, "participant_id": person, **regular(load(made), brain)})
    for person in sorted({row["participant_id"] for row in rows}):
        file, mask = prepared(folder, person, "pet")
        rows.append({"method": "real PET", "participant_id": person, **regular(load(file), load(mask) > 0.5)})
    with open(folder / "artefacts.csv", "w", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    for method in dict.fromkeys(row["method"] for row in rows):
        mine = [row for row in rows if row["method"] == method]
        print(f"{method:24} {len(mine):3} people  " + "  ".join(
            f"{key} {statistics.mean(row[key] for row in mine):.2f}" for key in ("grid", "seams", "jitter", "every_third")))


def write_png(path, pixels):
    height, width = pixels.shape[:2]
    raw = b"".join(b"\0" + pixels[row].tobytes() for row in range(height))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    with open(path, "wb") as out:
        out.write(b"\x89PNG\r\n\x1a\n")
        for name, data in chunks:
            out.write(struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)))


def views(voxels):
    """An axial, a coronal and a sagittal slice through the middle, right of the person on the left."""
    i, j, k = (side // 2 for side in voxels.shape)
    planes = [voxels[::-1, ::-1, k].T, voxels[::-1, j, ::-1].T, voxels[i, ::-1, ::-1].T]
    height = max(plane.shape[0] for plane in planes)
    return np.concatenate([np.pad(plane, ((0, height - plane.shape[0]), (0, 2))) for plane in planes], 1)


def figure(folder, picture):
    folder = pathlib.Path(folder)
    by_method = {method: translated(folder, method) for method in FIGURE_METHODS}
    person = sorted(next(files for files in by_method.values() if files))[0]
    load = lambda file: np.asarray(nibabel.load(file).dataobj, dtype=np.float32)
    real = views(load(prepared(folder, person, "pet")[0]))
    gray = lambda image: np.repeat((np.clip(image, 0, 1) * 255).astype(np.uint8)[..., None], 3, 2)
    black = np.zeros(real.shape + (3,), np.uint8)
    rows = [np.concatenate([gray(views(load(prepared(folder, person, "T1w")[0]))), black], 1), np.concatenate([gray(real), black], 1)]
    names = ["T1", "real PET"]
    for method, files in by_method.items():
        if person not in files:
            continue
        made = views(load(files[person]))
        away = np.clip((made - real) / 0.3, -1, 1)  # red: too bright, blue: too dark; full at 0.3 of the range
        signed = np.stack([np.maximum(away, 0), np.zeros_like(away), np.maximum(-away, 0)], 2)
        rows.append(np.concatenate([gray(made), (signed * 255).astype(np.uint8)], 1))
        names.append(method)
    write_png(picture, np.ascontiguousarray(np.concatenate(rows, 0)))
    print(f"{picture}: {person}, rows {', '.join(names)}; right half: difference from the real PET, red above, blue below")


if __name__ == "__main__":
    if len(sys.argv) in (5, 6) and sys.argv[1] == "volumes":
        volumes(sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5] if len(sys.argv) == 6 else "")
    elif len(sys.argv) == 4 and sys.argv[1] == "artefacts":
        artefacts(sys.argv[2], sys.argv[3])
    elif len(sys.argv) == 4 and sys.argv[1] == "figure":
        figure(sys.argv[2], sys.argv[3])
    else:
        raise SystemExit(__doc__)
