# SPDX-License-Identifier: Apache-2.0
"""drive_ssim.py BENCH PROGRAM: times our SSIM and scikit-image's alternately in one run on a 256 x 256 x 192 pair.

What is timed: SSIM of both windows (Gaussian 11, uniform 7), each by slice and in three dimensions, from float32 voxels in
memory. scikit-image has no threads of its own; SciPy's filters free Python's lock, so as many slices, or both volumes, are
given to THREADS threads. Then our whole command on the files, everything but LPIPS: reading, all metrics, printing.
"""
import concurrent.futures
import os
import statistics
import subprocess
import sys
import tempfile
import time

import nibabel
import numpy
import scipy.ndimage
import skimage
from skimage.metrics import structural_similarity

ROUNDS, THREADS = int(os.environ.get("ROUNDS", 12)), int(os.environ.get("THREADS", 2))
SHAPE = (192, 256, 256)  # slices, rows, columns
GAUSSIAN = dict(gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1.0)
UNIFORM = dict(data_range=1.0)


def heads():
    random = numpy.random.default_rng(5)
    k, j, i = numpy.ogrid[-1:1:SHAPE[0] * 1j, -1:1:SHAPE[1] * 1j, -1:1:SHAPE[2] * 1j]
    inside = (k / 0.8)**2 + (j / 0.75)**2 + (i / 0.6)**2 < 1
    clean = (inside * (0.6 + 0.3 * numpy.sin(40 * i) * numpy.cos(31 * j + 20 * k))).astype(numpy.float32)
    noisy = lambda image, size: numpy.clip(image + size * random.standard_normal(SHAPE, numpy.float32), 0, 1)
    return noisy(clean, 0.02), noisy(scipy.ndimage.gaussian_filter(clean, 1), 0.03)


def reference(pool, a, b):
    """By slice and in 3-D, Gaussian and uniform, in the order in which ours prints them."""
    volumes = [pool.submit(structural_similarity, a, b, **options) for options in (GAUSSIAN, UNIFORM)]
    slices = [[pool.submit(structural_similarity, x, y, **options) for x, y in zip(a, b)] for options in (GAUSSIAN, UNIFORM)]
    by_slice = [statistics.fmean(float(job.result()) for job in jobs) for jobs in slices]
    return [by_slice[0], float(volumes[0].result()), by_slice[1], float(volumes[1].result())]


def main(bench, program):
    a, b = heads()
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        names = {}
        for ending in ("nii", "nii.gz"):
            for name, image in (("a", a), ("b", b)):
                names[name, ending] = os.path.join(folder, f"{name}.{ending}")
                nibabel.save(nibabel.Nifti1Image(image.transpose(2, 1, 0), numpy.eye(4)), names[name, ending])
        ours = subprocess.Popen([bench, names["a", "nii"], names["b", "nii"], "1", str(THREADS)], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True)
        computed, expected = [float(word) for word in ours.stdout.readline().split()], reference(pool, a, b)
        difference = max(abs(x - y) for x, y in zip(computed, expected))
        print(f"ours {computed}\nscikit-image {skimage.__version__} {expected}\nlargest difference {difference:.2g} "
              "(scikit-image computes float32 images in float32)")
        if difference > 1e-4:
            sys.exit("drive_ssim.py: the two sides disagree")
        times = {"ours": [], "all": [], "reference": [], "nii": [], "nii.gz": []}
        for _ in range(ROUNDS):
            ours.stdin.write("\n")
            ours.stdin.flush()
            similarity, everything = (float(word) for word in ours.stdout.readline().split())
            times["ours"].append(similarity)
            times["all"].append(everything)
            begin = time.perf_counter()
            reference(pool, a, b)
            times["reference"].append(1e3 * (time.perf_counter() - begin))
            for ending in ("nii", "nii.gz"):
                begin = time.perf_counter()
                subprocess.run([program, "metrics", names["a", ending], names["b", ending], "--range", "1", "--threads",
                                str(THREADS), "--json"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                times[ending].append(1e3 * (time.perf_counter() - begin))
        ours.stdin.close()
        ours.wait()
    median = {name: statistics.median(values) for name, values in times.items()}
    print(f"{ROUNDS} rounds, {THREADS} threads on both sides; all metrics but LPIPS in memory {median['all']:.0f} ms; "
          f"whole command: .nii {median['nii']:.0f} ms, .nii.gz {median['nii.gz']:.0f} ms")
    print(f"ssim ratio_float32={median['reference'] / median['ours']:.2f} ours_ms={median['ours']:.1f} "
          f"reference_ms={median['reference']:.1f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
