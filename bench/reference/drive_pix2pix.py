# SPDX-License-Identifier: Apache-2.0
"""drive_pix2pix.py PROGRAM step|translate: times ours and plain PyTorch (alternate.py).

U-Net-256 and the 70 x 70 discriminator of width 64, one channel in and out. step: batch 8, one training step. translate: 192 slices
of 256 x 256 in batches of 8. CHANNELS_LAST=1 also times the reference with its memory laid out channels-last.
"""
import copy
import os
import sys

import torch

import pix2pix
from alternate import THREADS, compare, state

NAMES = {"step": "pix2pix-step", "translate": "translate"}
LEVELS, WIDTH, BATCH, SIDE, SLICES = 8, 64, 8, 256, 192


def images(count):
    """Smooth patterns in [-1,1]: noise of 16 x 16, enlarged."""
    return torch.nn.functional.interpolate(torch.rand(count, 1, 16, 16) * 2 - 1, size=(SIDE, SIDE), mode="bilinear")


def networks(dropout):
    torch.manual_seed(1)
    return pix2pix.UnetGenerator(1, 1, LEVELS, WIDTH, dropout), pix2pix.PatchDiscriminator(2, WIDTH)


def main(program, work):
    torch.set_num_threads(THREADS)
    generator, discriminator = networks(0.0)
    tensors = {**state(generator, "generator."), **state(discriminator, "discriminator.")}
    tensors = {name: array.copy() for name, array in tensors.items()}  # the first step changes the weights
    wanted = [("channels-last reference", torch.channels_last)] if os.environ.get("CHANNELS_LAST") else []
    if work == "step":
        source, target = images(BATCH), images(BATCH)
        tensors |= {"source": source.numpy(), "target": target.numpy()}
        expected = list(pix2pix.Trainer(generator, discriminator).step(source, target).values())

        def side(layout):
            trainer = pix2pix.Trainer(*(network.to(memory_format=layout) for network in networks(0.5)))
            inputs = [image.contiguous(memory_format=layout) for image in (source, target)]
            return lambda: trainer.step(*inputs)
    else:
        volume = images(SLICES)
        tensors |= {"volume": volume.numpy()}
        generator.eval()

        def side(layout):
            network = copy.deepcopy(generator).to(memory_format=layout)

            @torch.no_grad()
            def translate():
                return torch.cat([network(slices.contiguous(memory_format=layout)) for slices in volume.split(BATCH)])

            return translate

        made = side(torch.contiguous_format)()
        expected = [made.mean().item(), made.abs().mean().item()]
    compare(NAMES[work], program, work, tensors, expected, side(torch.contiguous_format), rounds=5, repeats=1, warm=1 if work == "step" else 0,
            images=SLICES if work == "translate" else 0, others=[(label, side(layout)) for label, layout in wanted])


main(*sys.argv[1:])
