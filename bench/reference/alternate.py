# SPDX-License-Identifier: Apache-2.0
"""Times ours and plain PyTorch alternately in one run, same weights, inputs and threads.

Both sides keep their process; while one works the other waits. Medians over all repetitions. THREADS (default 2) and ROUNDS may be
set from outside.
"""
import os
import statistics
import subprocess
import sys
import tempfile
import time

import torch

import safetensors_file

THREADS = int(os.environ.get("THREADS", 2))


def state(module, prefix):
    """A module's state as arrays for safetensors_file.write."""
    return {prefix + name: value.numpy() for name, value in module.state_dict().items() if "num_batches" not in name}


class Ours:
    def __init__(self, program, weights, work, precision):
        self.process = subprocess.Popen([program, weights, work, precision, str(THREADS)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.computed = [float(word) for word in self.process.stdout.readline().split()]
        self.times = []

    def repeat(self, count, keep=True):
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        times = [float(word) for word in self.process.stdout.readline().split()]
        self.times += times if keep else []


class Reference:
    def __init__(self, work):
        self.work, self.times = work, []

    def repeat(self, count, keep=True):
        for _ in range(count):
            begin = time.perf_counter()
            self.work()
            self.times += [1e3 * (time.perf_counter() - begin)] if keep else []


def compare(name, program, work, tensors, expected, reference, rounds, repeats, warm=2, images=0, others=()):
    """Checks that both sides compute `expected`, times them and prints the last line of bench/run.

    tensors: what ours reads; reference: the function to time; images: how many it makes, for a rate; others: (name, function) to time
    beside it.
    """
    with tempfile.TemporaryDirectory() as folder:
        weights = os.path.join(folder, "weights.safetensors")
        safetensors_file.write(weights, tensors)
        sides = {precision: Ours(program, weights, work, precision) for precision in ("float32", "bfloat16")}
    for precision, tolerance in (("float32", 1e-4), ("bfloat16", 0.05)):
        found = sides[precision].computed
        if len(found) != len(expected) or not all(abs(a - b) <= tolerance * max(1, abs(b)) for a, b in zip(found, expected)):
            sys.exit(f"{precision}: ours computes {found}, the reference {expected}")
    print(f"both compute the same: {expected}; {THREADS} threads, torch {torch.__version__}", flush=True)
    beside = {label: Reference(function) for label, function in others}
    everyone = [*sides.values(), Reference(reference), *beside.values()]
    for side in everyone:
        side.repeat(warm, keep=False)
    for _ in range(int(os.environ.get("ROUNDS", rounds))):
        for side in everyone:
            side.repeat(repeats)
    t32, t16, r, *rest = (statistics.median(side.times) for side in everyone)
    if images:
        print(f"images per second: float32 {1e3 * images / t32:.0f}, bfloat16 {1e3 * images / t16:.0f}, "
              f"reference {1e3 * images / r:.0f}")
    for label, time_ms in zip(beside, rest):
        print(f"{label}: {time_ms:.1f} ms")
    print(f"ours in bfloat16: {t16:.1f} ms")
    print(f"{name} ratio_float32={r / t32:.2f} ratio_bfloat16={r / t16:.2f} ours_ms={t32:.1f} reference_ms={r:.1f}")
