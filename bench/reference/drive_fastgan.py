# SPDX-License-Identifier: Apache-2.0
"""drive_fastgan.py PROGRAM step|generate: times ours and plain PyTorch alternately in one run, same weights, inputs and threads.

Both sides keep their process; while one works the other waits. Medians over all repetitions.
"""
import os
import statistics
import subprocess
import sys
import tempfile
import time

import torch

import fastgan
import safetensors_file

NAMES = {"step": "werner-a-step", "generate": "generate"}
ROUNDS, REPEATS, THREADS = int(os.environ.get("ROUNDS", 12)), 3, int(os.environ.get("THREADS", 2))
CONDITIONS, BATCH, MANY = 6, 4, 64


def conditions(count):
    level, pattern = torch.randint(3, (count,)), torch.randint(3, (count,))
    return torch.cat([torch.eye(3)[level], torch.eye(3)[pattern]], 1)


def state(module, prefix):
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


def main(program, work):
    torch.set_num_threads(THREADS)
    torch.manual_seed(1)
    generator, discriminator = fastgan.Generator(CONDITIONS), fastgan.Discriminator(CONDITIONS)
    images, y, z = torch.rand(BATCH, 1, 64, 64) * 2 - 1, conditions(BATCH), torch.randn(BATCH, 256)
    many_z, many_y = torch.randn(MANY, 256), conditions(MANY)
    with tempfile.TemporaryDirectory() as folder:
        weights = os.path.join(folder, "weights.safetensors")
        safetensors_file.write(weights, {**state(generator, "generator."), **state(discriminator, "discriminator."),
                                         "images": images.numpy(), "conditions": y.numpy(), "z": z.numpy(),
                                         "many_z": many_z.numpy(), "many_conditions": many_y.numpy()})
        sides = {precision: Ours(program, weights, work, precision) for precision in ("float32", "bfloat16")}
    if work == "step":
        optimisers = [torch.optim.Adam(network.parameters(), 2e-4) for network in (generator, discriminator)]
        step = lambda: fastgan.train_step(generator, discriminator, *optimisers, images, y, z, y, 3, 5)
        expected = [value.item() for value in step()]
        reference = Reference(step)
    else:
        generator.eval()

        @torch.no_grad()
        def make():
            return generator(many_z, many_y)

        expected = [make().mean((1, 2, 3)).sum().item()]
        reference = Reference(make)
    for precision, tolerance in (("float32", 1e-4), ("bfloat16", 0.05)):
        for ours, theirs in zip(sides[precision].computed, expected):
            if not abs(ours - theirs) <= tolerance * max(1, abs(theirs)):
                sys.exit(f"{precision}: ours computes {sides[precision].computed}, the reference {expected}")
    print(f"both compute the same: {expected}; {THREADS} threads, torch {torch.__version__}")
    everyone = [*sides.values(), reference]
    for side in everyone:
        side.repeat(2, keep=False)
    for _ in range(ROUNDS):
        for side in everyone:
            side.repeat(REPEATS)
    t32, t16, r = (statistics.median(side.times) for side in everyone)
    if work == "generate":
        print(f"images per second: float32 {1e3 * MANY / t32:.0f}, bfloat16 {1e3 * MANY / t16:.0f}, "
              f"reference {1e3 * MANY / r:.0f}")
    print(f"ours in bfloat16: {t16:.1f} ms")
    print(f"{NAMES[work]} ratio_float32={r / t32:.2f} ratio_bfloat16={r / t16:.2f} ours_ms={t32:.1f} reference_ms={r:.1f}")


main(*sys.argv[1:])
