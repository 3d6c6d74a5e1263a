# SPDX-License-Identifier: Apache-2.0
"""drive_registration.py BENCH FOLDER [--people N] [--first N] [--kinds pet,spect,template] [--noise 0,0.05,0.1]
    [--shift-mm 30] [--turn-degrees 20] [--sides ours,elastix] [--tsv FILE]

Registers simulated pairs with known maps by BENCH (bench_registration) and by elastix, alternately in one run: T1 to PET and
T1 to SPECT (rigid), template to T1 (affine). FOLDER holds a simulated cohort of kind epilepsy-spect. The moving scan of each pair is given
another place: its world is moved by a rigid motion of up to 30 mm and 20 degrees (or as told), drawn from the pair's number. A pair is the same
in every run, so --sides may be run one after the other: what FILE holds of a pair is not done again.

Error of a pair: distance between found and true map, mean over points of the true brain. Affine: the person's head is a smooth
deformation of the template's, so no affine map is right everywhere; the error is the distance from the affine map that
fits the true deformation best over the brain, and what that one misses is printed beside it.
"""
import argparse
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import nibabel
import numpy

THREADS = int(os.environ.get("THREADS", 2))
TEMPLATE = pathlib.Path("/usr/share/mricron/templates/ch2.nii.gz")
LIMITS = {"shift_mm": 30.0, "turn_degrees": 20.0}
FAILED_MM = {"pet": 5.0, "spect": 8.0, "template": 8.0}  # an error that a look at the pair shows
# Mattes' mutual information, four levels, 250 iterations, 2048 samples: elastix's manual, section 5.5, and its parameter zoo.
ELASTIX_PARAMETERS = """(FixedInternalImagePixelType "float") (MovingInternalImagePixelType "float")
(FixedImageDimension 3) (MovingImageDimension 3) (UseDirectionCosines "true")
(Registration "MultiResolutionRegistration") (Interpolator "LinearInterpolator") (ResampleInterpolator "FinalBSplineInterpolator")
(Resampler "DefaultResampler") (FixedImagePyramid "FixedRecursiveImagePyramid") (MovingImagePyramid "MovingRecursiveImagePyramid")
(Optimizer "AdaptiveStochasticGradientDescent") (Transform "{transform}") (Metric "AdvancedMattesMutualInformation")
(AutomaticScalesEstimation "true") (AutomaticTransformInitialization "true")
(AutomaticTransformInitializationMethod "{initial}") (HowToCombineTransforms "Compose")
(NumberOfHistogramBins 32) (ErodeMask "false") (NumberOfResolutions 4) (MaximumNumberOfIterations 250)
(NumberOfSpatialSamples 2048) (NewSamplesEveryIteration "true") (ImageSampler "{sampler}")
(CheckNumberOfSamples "false") (DefaultPixelValue 0) (WriteResultImage "false") (RandomSeed 121212)
"""


def rigid(turn, shift):
    (cx, cy, cz), (sx, sy, sz) = numpy.cos(turn), numpy.sin(turn)
    about_x = numpy.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = numpy.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = numpy.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    whole = numpy.eye(4)
    whole[:3, :3], whole[:3, 3] = about_z @ about_y @ about_x, shift
    return whole


def drawn_motion(number, centre):
    """Turned about an axis through `centre` and shifted, each any way and up to LIMITS."""
    random = numpy.random.default_rng(1000 + number)
    way, axis = (v / numpy.linalg.norm(v) for v in random.normal(size=(2, 3)))
    angle, length = math.radians(LIMITS["turn_degrees"]) * random.uniform(), LIMITS["shift_mm"] * random.uniform()
    cross = numpy.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    turn = numpy.eye(4)
    turn[:3, :3] += math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross
    turn[:3, 3] = centre - turn[:3, :3] @ centre + length * way
    return turn


def through(affine, points):
    return points @ affine[:3, :3].T + affine[:3, 3]


def brain_points(mask_file, most=4000):
    mask = nibabel.load(mask_file)
    voxels = numpy.argwhere(numpy.asanyarray(mask.dataobj) > 0)
    return through(mask.affine, voxels[::max(1, len(voxels) // most)].astype(float))


def warped(points, warp_file):
    """x + warp(x), trilinear."""
    import scipy.ndimage
    image = nibabel.load(warp_file)
    vectors = numpy.asanyarray(image.dataobj).reshape(*image.shape[:3], 3)
    at = through(numpy.linalg.inv(image.affine), points).T
    return points + numpy.stack([scipy.ndimage.map_coordinates(vectors[..., c], at, order=1, mode="nearest")
                                 for c in range(3)], axis=1)


def world(image, centre_voxel=None):
    middle = (numpy.array(image.shape[:3]) - 1) / 2
    return through(image.affine, middle[None])[0]


def save_template_mask(to):
    """The template's brain, closed and 4 mm wider: what both sides get as mask of the fixed scan."""
    import scipy.ndimage
    brain = nibabel.load(TEMPLATE.with_name("ch2bet.nii.gz"))
    closed = scipy.ndimage.binary_closing(numpy.asanyarray(brain.dataobj) > 0, iterations=3)
    wider = scipy.ndimage.binary_dilation(scipy.ndimage.binary_fill_holes(closed), iterations=4)
    nibabel.save(nibabel.Nifti1Image(wider.astype("u1"), nibabel.load(TEMPLATE).affine), to)


def moved_copy(scan, number, to, noise=0.0):
    """The scan as .nii with its world moved; the motion."""
    image = nibabel.load(scan)
    motion = drawn_motion(number, world(image))
    voxels = numpy.asanyarray(image.dataobj).astype(numpy.float32)
    if noise:
        random = numpy.random.default_rng(2000 + number)
        voxels = voxels + (noise * numpy.percentile(voxels, 99.5) * random.standard_normal(voxels.shape)).astype(numpy.float32)
    copy = nibabel.Nifti1Image(voxels, motion @ image.affine)
    copy.set_qform(motion @ image.affine, code=1)
    copy.set_sform(motion @ image.affine, code=1)
    nibabel.save(copy, to)
    return motion


class Pair:
    """Files, the points of the fixed scan's brain, and where they are in the moving scan."""

    def __init__(self, kind, cohort, who, number, folder, noise=0.0):
        truth = json.loads((cohort / "derivatives/truth" / who / "truth.json").read_text())
        scans = {s["modality"] + s["session"]: s for s in truth["scans"]}
        to_world = {key: numpy.array(s["person_to_world"]) for key, s in scans.items()}
        t1 = scans["T1wn/a"]
        mask = brain_points(next((cohort / "derivatives/truth" / who).glob("**/*desc-brain_mask.nii.gz")))
        self.kind, self.who, self.noise = kind, who, noise
        self.fixed, self.moving, self.mask = folder / "fixed.nii", folder / "moving.nii", None
        person = through(numpy.linalg.inv(to_world["T1wn/a"]), mask)
        if kind == "template":
            nibabel.save(nibabel.load(TEMPLATE), self.fixed)
            self.mask = folder / "mask.nii"
            save_template_mask(self.mask)
            motion = moved_copy(cohort / t1["file"], number, self.moving, noise)
            straight = through(numpy.array(truth["person_to_template_affine"]), person)
            self.points = warped(straight, next((cohort / "derivatives/truth" / who).glob("**/*_warp.nii.gz")))
            self.exact = through(motion @ to_world["T1wn/a"], person)
            rows = numpy.c_[self.points, numpy.ones(len(self.points))]
            self.target = rows @ numpy.linalg.lstsq(rows, self.exact, rcond=None)[0]
            self.unreachable = float(numpy.linalg.norm(self.target - self.exact, axis=1).mean())
        else:
            key = next(k for k in scans if k in (kind + "n/a", kind + "interictal"))
            nibabel.save(nibabel.Nifti1Image(numpy.asanyarray((t := nibabel.load(cohort / t1["file"])).dataobj).astype("<i2"), t.affine),
                         self.fixed)
            motion = moved_copy(cohort / scans[key]["file"], number, self.moving, noise)
            self.points = mask
            self.target = self.exact = through(motion @ to_world[key], person)
            self.unreachable = 0.0

    def error(self, matrix):
        distance = numpy.linalg.norm(through(matrix, self.points) - self.target, axis=1)
        return float(distance.mean()), float(distance.max())

    def start(self):
        """Error of the worlds as they are."""
        return self.error(numpy.eye(4))[0]


class Ours:
    def __init__(self, bench):
        self.process = subprocess.Popen([bench, str(THREADS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"})

    def __call__(self, pair):
        motion = {"template": "affine"}.get(pair.kind, pair.kind)
        self.process.stdin.write(f"{motion} {pair.fixed} {pair.moving} {pair.mask or ''}\n")
        self.process.stdin.flush()
        words = self.process.stdout.readline().split()
        if len(words) != 19:
            sys.exit("drive_registration.py: bench_registration ended")
        matrix = numpy.eye(4)
        matrix[:3] = numpy.array([float(w) for w in words[7:]]).reshape(3, 4)
        return float(words[0]), matrix, {"brain_ms": float(words[1]), "score": float(words[2]), "doubtful": int(words[3]),
                                         "flip": int(words[4]), "margin": float(words[5]), "information": float(words[6])}


def elastix(pair, folder):
    """Milliseconds of the whole program and fixed -> moving world, RAS+."""
    out = folder / "elastix"
    out.mkdir(exist_ok=True)
    parameters = folder / "parameters.txt"
    transform = "AffineTransform" if pair.kind == "template" else "EulerTransform"
    parameters.write_text("\n".join(line.replace(") (", ")\n(") for line in ELASTIX_PARAMETERS.format(
        transform=transform, sampler="Random" if pair.mask else "RandomCoordinate", initial="GeometricalCenter" if os.environ.get("ELASTIX_INITIAL") == "geometry" else "CenterOfGravity").splitlines()) + "\n")
    begin = time.perf_counter()
    mask = ["-fMask", pair.mask] if pair.mask else []
    done = subprocess.run(["elastix", *mask, "-f", pair.fixed, "-m", pair.moving, "-p", parameters, "-out", out, "-threads", str(THREADS)],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C"})
    spent = 1e3 * (time.perf_counter() - begin)
    found = out / "TransformParameters.0.txt"
    if done.returncode != 0 or not found.exists():
        return spent, None
    entries = {}
    for line in found.read_text().splitlines():
        if line.startswith("("):
            name, *values = line.strip("()").split()
            entries[name] = values
    numbers = [float(v) for v in entries["TransformParameters"]]
    centre = numpy.array([float(v) for v in entries["CenterOfRotationPoint"]])
    matrix = numpy.eye(4)
    if transform == "AffineTransform":
        matrix[:3, :3], shift = numpy.array(numbers[:9]).reshape(3, 3), numpy.array(numbers[9:])
    else:  # ITK's Euler angles: R = Rz Rx Ry unless ComputeZYX
        x, y, z = (rigid([numbers[0] * (a == 0), numbers[1] * (a == 1), numbers[2] * (a == 2)], 0)[:3, :3] for a in range(3))
        matrix[:3, :3] = z @ y @ x if entries.get("ComputeZYX", ['"false"'])[0] == '"true"' else z @ x @ y
        shift = numpy.array(numbers[3:])
    matrix[:3, 3] = shift + centre - matrix[:3, :3] @ centre
    lps = numpy.diag([-1.0, -1, 1, 1])
    found.unlink()
    return spent, lps @ matrix @ lps


KEYS = ("kind", "person", "repeat", "noise")
OURS = ("ours_ms", "brain_ms", "ours_mm", "ours_max_mm", "score", "doubtful", "flip", "margin", "information")
ELASTIX = ("elastix_ms", "elastix_mm", "elastix_max_mm")


def done_pair(options, ours, sides, known, folder, person, kind, repeat, noise):
    """The row of a pair: what is known of it, and what `sides` add."""
    row = {"kind": kind, "person": f"sub-{person:03d}", "repeat": repeat, "noise": noise}
    for name, text in known.get(tuple(str(row[k]) for k in KEYS), {}).items():
        if name not in row and text != "n/a":
            row[name] = float(text) if name not in ("doubtful", "flip") else int(text)
    if all(side + "_mm" in row for side in sides):
        return row
    pair = Pair(kind, options.folder, row["person"], 100 * person + 10 * repeat + len(kind), folder, noise)
    row["start_mm"], row["unreachable_mm"] = pair.start(), pair.unreachable
    if "ours" in sides and "ours_mm" not in row:
        row["ours_ms"], matrix, more = ours(pair)
        row["ours_mm"], row["ours_max_mm"] = pair.error(matrix)
        row.update(more)
    if "elastix" in sides and "elastix_mm" not in row:
        row["elastix_ms"], matrix = elastix(pair, folder)
        row["elastix_mm"], row["elastix_max_mm"] = pair.error(matrix) if matrix is not None else (math.inf, math.inf)
    return row


def save_rows(file, rows):
    names = [*KEYS, "start_mm", "unreachable_mm", *OURS, *ELASTIX]
    lines = [[str(row.get(name, "n/a")) for name in names] for row in rows.values()]
    file.write_text("\n".join("\t".join(line) for line in [names, *lines]) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bench")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--people", type=int, default=4)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--kinds", default="pet,spect,template")
    parser.add_argument("--noise", default="0")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--shift-mm", type=float, default=LIMITS["shift_mm"])
    parser.add_argument("--turn-degrees", type=float, default=LIMITS["turn_degrees"])
    parser.add_argument("--sides", default="ours,elastix")
    parser.add_argument("--tsv", type=pathlib.Path)
    options = parser.parse_args()
    LIMITS.update(shift_mm=options.shift_mm, turn_degrees=options.turn_degrees)
    sides, known = options.sides.split(","), {}
    if options.tsv and options.tsv.exists():
        names, *lines = (line.split("\t") for line in options.tsv.read_text().splitlines())
        known = {tuple(row[:4]): dict(zip(names, row)) for row in lines}
    ours, rows = Ours(options.bench) if "ours" in sides else None, []
    noises = [float(n) for n in options.noise.split(",")]
    with tempfile.TemporaryDirectory(prefix="registration") as folder:
        folder = pathlib.Path(folder)
        for person in range(options.first, options.first + options.people):
            for kind in options.kinds.split(","):
                for repeat in range(options.repeats):
                    rows.append(done_pair(options, ours, sides, known, folder, person, kind, repeat,
                                          noises[(person + repeat) % len(noises)]))
                    if options.tsv:  # a run that was cut leaves what it measured
                        save_rows(options.tsv, {**known, **{tuple(str(row[k]) for k in KEYS): row for row in rows}})
                    print("\t".join(f"{k}={v:.3g}" if isinstance(v, float) else f"{v}" for k, v in rows[-1].items()), file=sys.stderr, flush=True)
    sides = [side for side in ("ours", "elastix") if all(side + "_mm" in row for row in rows)]
    for kind in options.kinds.split(","):
        some = [row for row in rows if row["kind"] == kind]
        for side in sides:
            errors = [row[side + "_mm"] for row in some]
            failed = [row for row in some if row[side + "_mm"] > FAILED_MM[kind]]
            text = (f"{kind} {side}: pairs={len(some)} median_mm={statistics.median(errors):.2f} "
                    f"p90_mm={numpy.quantile(errors, 0.9):.2f} worst_mm={max(errors):.2f} failures={len(failed)} "
                    f"median_ms={statistics.median(row[side + '_ms'] for row in some):.0f}")
            if side == "ours":
                text += (f" failures_flagged={sum(row['doubtful'] for row in failed)}"
                         f" false_alarms={sum(row['doubtful'] for row in some) - sum(row['doubtful'] for row in failed)}"
                         f" mirror_calls={sum(row['flip'] == 1 for row in some)} cannot_tell={sum(row['flip'] == 2 for row in some)}")
            if kind == "template":
                text += f" unreachable_mm={statistics.median(row['unreachable_mm'] for row in some):.2f}"
            print(text)
    if len(sides) < 2:
        return
    times = {side: statistics.median(row[side + "_ms"] for row in rows) for side in sides}
    print(f"registration ratio_float32={times['elastix'] / times['ours']:.3g} ours_ms={times['ours']:.0f} "
          f"reference_ms={times['elastix']:.0f}")


if __name__ == "__main__":
    main()
