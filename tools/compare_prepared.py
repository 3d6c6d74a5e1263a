# SPDX-License-Identifier: Apache-2.0
"""How far the maps that prepare found lie from the truth of a simulated cohort, in mm over the brain.

/usr/bin/python3 tools/compare_prepared.py COHORT PREPARED. People of DICOM input are numbered anew: each is matched with the truth
whose map from T1 to PET is nearest.
"""
import json
import pathlib
import sys

import nibabel
import numpy as np


def truths(cohort):
    found = {}
    for file in sorted((cohort / "derivatives" / "truth").glob("sub-*/truth.json")):
        scans = {scan.get("file", scan.get("name", "")): scan for scan in json.load(open(file))["scans"]}
        maps = {}
        for name, scan in scans.items():
            kind = "T1w" if "T1w" in name else "pet" if "_pet" in name else name.split("_ses-")[-1].split("_")[0]
            maps[kind] = np.array(scan["person_to_world"])
        mask = nibabel.load(next((file.parent / "anat").glob("*brain_mask.nii.gz")))
        voxels = np.argwhere(np.asarray(mask.dataobj)[::8, ::8, ::8] > 0) * 8
        points = np.c_[voxels, np.ones(len(voxels))] @ mask.affine.T
        found[file.parent.name] = (maps, points)
    return found


def main(cohort, prepared):
    known = truths(cohort)
    errors = {}
    for file in sorted((prepared / "patients").glob("*.json")):
        record = json.load(open(file))
        found = [(scan["modality"], np.array(scan["registration"]["fixed_to_moving_ras_mm"]))
                 for scan in record.get("scans", []) if "registration" in scan]
        best = {}
        for person, (maps, points) in known.items():
            for number, (modality, matrix) in enumerate(found):
                for kind, world in maps.items():
                    if kind == "T1w" or (kind == "pet") != (modality == "pet"):
                        continue
                    true = world @ np.linalg.inv(maps["T1w"])
                    error = np.linalg.norm((points @ (matrix - true).T)[:, :3], axis=1).mean()
                    if error < best.get(number, (1e9,))[0]:
                        best[number] = (error, modality, person, kind)
        for error, modality, person, kind in best.values():
            errors.setdefault(modality, []).append(error)
    for modality, values in errors.items():
        print(f"{modality}: {len(values)} scans, target error median {np.median(values):.2f} mm, worst {max(values):.2f} mm")


main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
