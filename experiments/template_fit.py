# SPDX-License-Identifier: Apache-2.0
"""/usr/bin/python3 template_fit.py FOLDER ELASTIX THREADS: of experiments/template_fit.

Of each person, points of the true brain: their true places in template space and in the T1, and how far from these each found
map (template to T1) leads. Mean, 95th percentile; least determinant of the Jacobian of ours as recorded. Writes template_fit.tsv.
"""
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import nibabel
import numpy
import scipy.ndimage

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bench" / "reference"))
from drive_registration import ELASTIX_PARAMETERS, TEMPLATE, brain_points, save_template_mask, through, warped  # noqa: E402

# elastix' manual, section 5.5 and its parameter zoo: a grid of 10 mm at the end, four levels.
B_SPLINE = ELASTIX_PARAMETERS.replace('(AutomaticTransformInitialization "true")\n', '(AutomaticTransformInitialization "false")\n') + """
(FinalGridSpacingInPhysicalUnits 10.0) (BSplineInterpolationOrder 3)
"""
FLIP = numpy.diag([-1.0, -1.0, 1.0, 1.0])


def read_tfm(file):
    """ITK's affine text, centre 0, LPS -> 4 x 4, RAS."""
    lines = dict(line.split(":", 1) for line in file.read_text().splitlines() if ":" in line and not line.startswith("#"))
    numbers = [float(n) for n in lines["Parameters"].split()]
    matrix = numpy.eye(4)
    matrix[:3, :3], matrix[:3, 3] = numpy.array(numbers[:9]).reshape(3, 3), numbers[9:]
    return FLIP @ matrix @ FLIP


def displaced(points, file):
    """Through a field of ITK's kind (mm, LPS)."""
    image = nibabel.load(file)
    vectors = numpy.asanyarray(image.dataobj).reshape(*image.shape[:3], 3) * [-1, -1, 1]
    at = through(numpy.linalg.inv(image.affine), points).T
    return points + numpy.stack([scipy.ndimage.map_coordinates(vectors[..., c], at, order=1, mode="constant") for c in range(3)], axis=1)


def elastix(t1, points, threads, folder):
    """Seconds, and where transformix puts the points."""
    save_template_mask(folder / "mask.nii")
    files = []
    for name, text in (("AffineTransform", ELASTIX_PARAMETERS), ("BSplineTransform", B_SPLINE)):
        files.append(folder / f"{name}.txt")
        text = text.format(transform=name, sampler="Random", initial="CenterOfGravity")
        files[-1].write_text("\n".join(line.replace(") (", ")\n(") for line in text.splitlines()) + "\n")
    begin = time.perf_counter()
    subprocess.run(["elastix", "-f", TEMPLATE, "-m", t1, "-fMask", folder / "mask.nii", "-p", files[0], "-p", files[1], "-out", folder,
                    "-threads", str(threads)], stdout=subprocess.DEVNULL, check=True)
    spent = time.perf_counter() - begin
    (folder / "points.txt").write_text(f"point\n{len(points)}\n" + "\n".join("%.6f %.6f %.6f" % tuple(p) for p in points * [-1, -1, 1]))
    subprocess.run(["transformix", "-def", folder / "points.txt", "-tp", folder / "TransformParameters.1.txt", "-out", folder],
                   stdout=subprocess.DEVNULL, check=True)
    rows = (folder / "outputpoints.txt").read_text().splitlines()
    found = [[float(n) for n in row.split("OutputPoint = [")[1].split("]")[0].split()] for row in rows]
    return spent, numpy.array(found) * [-1, -1, 1]


def main():
    folder, with_elastix, threads = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    rows = []
    for record_file in sorted((folder / "prepared/patients").glob("sub-*.json")):
        record = json.loads(record_file.read_text())
        if "failed" in record or record.get("template", {}).get("doubtful"):
            print(f"{record['participant_id']}: left out ({record.get('failed') or record['template'].get('why')})")
            continue
        who, maps = record["participant_id"], folder / "prepared/transforms" / record["participant_id"]
        truth_folder = folder / "scans/derivatives/truth" / who
        truth = json.loads((truth_folder / "truth.json").read_text())
        t1 = next(s for s in truth["scans"] if s["modality"] == "T1w")
        to_world = numpy.array(t1["person_to_world"])
        target = brain_points(next(truth_folder.glob("**/*desc-brain_mask.nii.gz")))
        person = through(numpy.linalg.inv(to_world), target)
        points = warped(through(numpy.array(truth["person_to_template_affine"]), person), next(truth_folder.glob("**/*_warp.nii.gz")))
        affine = read_tfm(maps / f"{who}_T1w_from-template.tfm")
        found = {"affine": through(affine, points), "ours": through(affine, displaced(points, maps / f"{who}_T1w_from-template_warp.nii.gz"))}
        row = {"participant_id": who, "least_jacobian": record["template"]["deformation"]["least_jacobian"],
               "moved_mm": record["template"]["deformation"]["mean_mm"]}
        if len(rows) < with_elastix:
            with tempfile.TemporaryDirectory() as temporary:
                row["elastix_s"], found["elastix"] = elastix(folder / "scans" / t1["file"], points, threads, pathlib.Path(temporary))
        for name, places in found.items():
            distance = numpy.linalg.norm(places - target, axis=1)
            row[name], row[name + "_95"] = float(distance.mean()), float(numpy.percentile(distance, 95))
        rows.append(row)
        print(" ".join(f"{key}={value:.2f}" if isinstance(value, float) else str(value) for key, value in row.items()), flush=True)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with open(folder / "template_fit.tsv", "w", encoding="utf-8") as file:
        file.write("\t".join(columns) + "\n")
        for row in rows:
            file.write("\t".join(f"{row[c]:.4f}" if isinstance(row.get(c), float) else str(row.get(c, "n/a")) for c in columns) + "\n")
    for name in columns[1:]:
        values = [row[name] for row in rows if name in row]
        print(f"{name}: median {statistics.median(values):.2f}, least {min(values):.2f}, most {max(values):.2f} of {len(values)}")


if __name__ == "__main__":
    main()
