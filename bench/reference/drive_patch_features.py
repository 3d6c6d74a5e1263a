# SPDX-License-Identifier: Apache-2.0
"""drive_patch_features.py BENCH: our dense patch features against patch by patch in plain PyTorch, alternately in one run.

Slices of 189 x 157 pixels (the paper's grid), one modality; every patch of 15 x 15 of each. PyTorch reads its patches from a
view and encodes 4096 at a time without gradients, on the same number of threads.
"""
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy
import torch

ROOT = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))
import patch_autoencoder  # noqa: E402
import safetensors_file  # noqa: E402

ROUNDS, THREADS, SLICES = (int(os.environ.get(name, value)) for name, value in (("ROUNDS", 5), ("THREADS", 2), ("SLICES", 2)))


def latents(network, slices):
    parts = []
    for image in slices:
        patches = image.unfold(1, 15, 1).unfold(2, 15, 1).permute(1, 2, 0, 3, 4).reshape(-1, slices.shape[1], 15, 15)
        parts.append(torch.cat([network.encode(batch) for batch in patches.split(4096)]))
    return parts


def main(bench):
    torch.set_num_threads(THREADS)
    torch.manual_seed(1)
    network = patch_autoencoder.PatchAutoencoder(1)
    slices = torch.nn.functional.interpolate(torch.rand(SLICES, 1, 48, 40), size=(189, 157), mode="bilinear")
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        path, out = os.path.join(folder, "in.safetensors"), os.path.join(folder, "latents")
        safetensors_file.write(path, {"slices": slices.numpy(),
                                      **{f"weight.{k}": v.numpy() for k, v in network.state_dict().items()}})
        side = subprocess.Popen([bench, path, str(THREADS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        def ask(what):
            side.stdin.write(what + "\n")
            side.stdin.flush()
            return float(side.stdout.readline())

        ask(f"write {out}")
        ours, expected = numpy.fromfile(out, numpy.float32).reshape(-1, 64), torch.cat(latents(network, slices)).numpy()
        difference = numpy.abs(ours - expected).max() / numpy.abs(expected).max()
        print(f"{len(expected)} patches; largest difference {difference:.2g} of the largest latent")
        if difference > 1e-5:
            sys.exit("drive_patch_features.py: the two sides disagree")
        times = {"dense": [], "patches": [], "reference": []}
        for _ in range(ROUNDS):
            times["dense"].append(ask("dense"))
            times["patches"].append(ask("patches"))
            begin = time.perf_counter()
            latents(network, slices)
            times["reference"].append(1e3 * (time.perf_counter() - begin))
        side.stdin.close()
        side.wait()
    median = {name: statistics.median(values) for name, values in times.items()}
    print(f"{ROUNDS} rounds, {THREADS} threads on both sides, torch {torch.__version__}; ours patch by patch "
          f"{median['patches']:.1f} ms; dense {1e6 * median['dense'] / len(expected):.0f} ns a patch")
    print(f"patch-features ratio_float32={median['reference'] / median['dense']:.1f} ours_ms={median['dense']:.2f} "
          f"reference_ms={median['reference']:.1f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
