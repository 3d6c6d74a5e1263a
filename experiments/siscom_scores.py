#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Was the simulated focus found? experiments/siscom_scores.py SCANS SISCOM [LEAST_ML], folders that experiments/siscom made;
clusters below LEAST_ML are not counted (but in how alike the maps of both scans are).

Found: the centre of the increase ranked first lies within 10 mm of the centre of the true focus, which truth.json gives in the
template and which is brought to the T1's world through the person's deformation and pose. Beside it the same of its peak.
False: an increase whose peak lies more than 25 mm (radius 15 mm and 10 mm) from the true centre.
Prints one row a patient and the summary; writes SISCOM/scores.tsv.
"""
import csv
import json
import pathlib
import statistics
import sys

import nibabel
import numpy as np

NEAR, FAR = 10, 25  # mm


def warp_at(warp, to_voxel, point):
    """Linear between the grid's points; `warp` [i, j, k, 3] in mm."""
    place = np.clip(to_voxel[:3, :3] @ point + to_voxel[:3, 3], 0, np.array(warp.shape[:3]) - 1.001)
    low = place.astype(int)
    part = place - low
    value = np.zeros(3)
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, part, 1 - part))
        value += weight * warp[tuple(low + corner)]
    return value


def focus_in(scans, person, modality, session):
    """Centre of the focus in the world of a scan, mm, and its ictal change in %."""
    folder = scans / "derivatives" / "truth" / person
    truth = json.loads((folder / "truth.json").read_text())
    image = nibabel.load(folder / f"{person}_warp.nii.gz")
    warp = np.squeeze(np.asarray(image.dataobj))
    to_voxel = np.linalg.inv(image.affine)
    (ictal,) = [scan for scan in truth["scans"] if scan["session"] == "ictal"]
    (focus,) = ictal["lesions"]
    template = np.array(focus["centre_template_mm"])
    point = template.copy()
    for _ in range(200):
        point = template - warp_at(warp, to_voxel, point)
    assert np.linalg.norm(point + warp_at(warp, to_voxel, point) - template) < 0.05, person
    affine = np.array(truth["person_to_template_affine"])
    of_person = np.linalg.solve(affine, [*point, 1])
    (scan,) = [s for s in truth["scans"] if s["modality"] == modality and s["session"] == session]
    return (np.array(scan["person_to_world"]) @ of_person)[:3], focus["change_percent"], focus["name"]


def check_against_mask(scans, person):
    """The same centre must lie in the mask of the lesion on the ictal scan's grid (or at its edge, where it is cut by fluid)."""
    centre, _, _ = focus_in(scans, person, "spect", "ictal")
    (file,) = (scans / "derivatives" / "truth" / person / "ses-ictal" / "spect").glob("*_desc-lesion_mask.nii.gz")
    image = nibabel.load(file)
    voxels = np.argwhere(np.asarray(image.dataobj) > 0)
    world = voxels @ image.affine[:3, :3].T + image.affine[:3, 3]
    distance = np.linalg.norm(world - centre, axis=1).min()
    assert distance < 6, f"{person}: the focus is {distance:.1f} mm from its mask"


def judge(table, focus, least_ml):
    with open(table, newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["direction"] == "above" and float(row["volume_ml"]) >= least_ml]
    if not rows:
        return {"clusters": 0, "centre": float("nan"), "peak": float("nan"), "false": 0, "rank": 0}
    place = lambda row, kind: np.array([float(row[f"{kind}_{axis}"]) for axis in "xyz"])
    apart = lambda row, kind: float(np.linalg.norm(place(row, kind) - focus))
    near = [rank for rank, row in enumerate(rows, 1) if apart(row, "centre") <= NEAR]
    return {
        "clusters": len(rows),
        "centre": apart(rows[0], "centre"),
        "peak": apart(rows[0], "peak"),
        "false": sum(apart(row, "peak") > FAR for row in rows),
        "rank": near[0] if near else 0,
    }


def main(scans, siscom, least_ml=0.0):
    out, kinds = [], {"real": "clusters.tsv", "synthetic": "clusters_synthetic.tsv"}
    agreements = []
    for folder in sorted(siscom.glob("sub-*")):
        person = folder.name
        focus, change, site = focus_in(scans, person, "T1w", "n/a")
        check_against_mask(scans, person)
        figures = json.loads((folder / "siscom.json").read_text())
        row = {"participant_id": person, "site": site, "change_percent": change, "left_out": figures.get("left_out", "n/a")}
        for kind, file in kinds.items():
            if not (folder / file).exists():
                continue
            row |= {f"{kind}_{name}": value for name, value in judge(folder / file, focus, least_ml).items()}
        if "agreement" in figures:
            agreements.append(figures["agreement"])
        out.append(row)
    columns = list(dict.fromkeys(name for row in out for name in row))
    with open(siscom / (f"scores_from_{least_ml:g}_ml.tsv" if least_ml else "scores.tsv"), "w", newline="") as file:
        writer = csv.DictWriter(file, columns, delimiter="\t", restval="n/a", lineterminator="\n")
        writer.writeheader()
        for row in out:
            row = {name: f"{value:.2f}" if isinstance(value, float) else value for name, value in row.items()}
            writer.writerow(row)
            print("  ".join(str(row.get(name, "n/a")) for name in columns))
    print(f"{len(out)} patients, {sum(row['left_out'] != 'n/a' for row in out)} left out (doubtful registration)")
    for kind in kinds:
        rows = [row for row in out if f"{kind}_centre" in row]
        if not rows:
            continue
        for name, low, high in (("all", 0, 1e9), ("contrast under 1.40", 0, 40), ("1.40 to 1.55", 40, 55), ("over 1.55", 55, 1e9)):
            some = [row for row in rows if low <= row["change_percent"] < high]
            if not some:
                continue
            centre = sum(row[f"{kind}_centre"] <= NEAR for row in some)
            peak = sum(row[f"{kind}_peak"] <= NEAR for row in some)
            any_rank = sum(row[f"{kind}_rank"] > 0 for row in some)
            wrong = statistics.mean(row[f"{kind}_false"] for row in some)
            print(f"{kind}, {name}: found in {centre} of {len(some)} (peak within {NEAR} mm: {peak}; at any rank: {any_rank}); "
                  f"false clusters a patient {wrong:.2f}")
    for name in agreements[0] if agreements else []:
        values = [a[name] for a in agreements if a[name] is not None]
        print(f"{name}: median {statistics.median(values):.3f} (n {len(values)})" if values else f"{name}: none")


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit("usage: experiments/siscom_scores.py SCANS SISCOM [LEAST_ML]")
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), *map(float, sys.argv[3:]))
