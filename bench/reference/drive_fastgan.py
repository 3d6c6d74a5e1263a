# SPDX-License-Identifier: Apache-2.0
"""drive_fastgan.py PROGRAM step|generate: times ours and plain PyTorch (alternate.py)."""
import sys

import torch

import fastgan
from alternate import THREADS, compare, state

NAMES = {"step": "werner-a-step", "generate": "generate"}
CONDITIONS, BATCH, MANY = 6, 4, 64


def conditions(count):
    level, pattern = torch.randint(3, (count,)), torch.randint(3, (count,))
    return torch.cat([torch.eye(3)[level], torch.eye(3)[pattern]], 1)


def main(program, work):
    torch.set_num_threads(THREADS)
    torch.manual_seed(1)
    generator, discriminator = fastgan.Generator(CONDITIONS), fastgan.Discriminator(CONDITIONS)
    images, y, z = torch.rand(BATCH, 1, 64, 64) * 2 - 1, conditions(BATCH), torch.randn(BATCH, 256)
    many_z, many_y = torch.randn(MANY, 256), conditions(MANY)
    tensors = {**state(generator, "generator."), **state(discriminator, "discriminator."), "images": images.numpy(),
               "conditions": y.numpy(), "z": z.numpy(), "many_z": many_z.numpy(), "many_conditions": many_y.numpy()}
    tensors = {name: array.copy() for name, array in tensors.items()}  # the first step changes the weights
    if work == "step":
        optimisers = [torch.optim.Adam(network.parameters(), 2e-4) for network in (generator, discriminator)]
        reference = lambda: fastgan.train_step(generator, discriminator, *optimisers, images, y, z, y, 3, 5)
        expected = [value.item() for value in reference()]
    else:
        generator.eval()

        @torch.no_grad()
        def reference():
            return generator(many_z, many_y)

        expected = [reference().mean((1, 2, 3)).sum().item()]
    compare(NAMES[work], program, work, tensors, expected, reference, rounds=12, repeats=3,
            images=MANY if work == "generate" else 0)


main(*sys.argv[1:])
