# SPDX-License-Identifier: Apache-2.0
"""drive_cyclegan.py PROGRAM step|step3d|translate|translate3d: times ours and plain PyTorch (alternate.py).

Zotova's networks at width 64. step: triplets of 128 x 128, batch 5, one Cycle-GAN step. step3d: cubes of 32, batch 10, 2 residual
blocks. translate: the 46 triplets of a volume; translate3d: 64 cubes; both in batches of 8. CHANNELS_LAST=1 also times the reference
with its memory laid out channels-last.
"""
import copy
import os
import sys

import torch

import cyclegan
from alternate import THREADS, compare, state

NAMES = {"step": "cyclegan-step", "step3d": "cyclegan3d-step", "translate": "cyclegan-translate", "translate3d": "cyclegan3d-translate"}
SLICES = {"channels": 3, "blocks": 9, "dimensions": 2, "padding": "reflect", "sides": (128, 128), "batch": 5, "pieces": 46}
PATCHES = {"channels": 1, "blocks": 2, "dimensions": 3, "padding": "replicate", "sides": (32, 32, 32), "batch": 10, "pieces": 64}


def images(count, of):
    """Smooth patterns in [-1,1]: noise of an eighth of the sides, enlarged."""
    few = torch.rand(count, of["channels"], *(side // 8 for side in of["sides"])) * 2 - 1
    return torch.nn.functional.interpolate(few, size=of["sides"], mode="trilinear" if of["dimensions"] == 3 else "bilinear")


def networks(of):
    torch.manual_seed(1)
    generators = [cyclegan.ResnetGenerator(of["channels"], of["channels"], 64, of["blocks"], of["dimensions"], "batch", of["padding"])
                  for _ in range(2)]
    judges = [cyclegan.PatchDiscriminator(of["channels"], 64, 3, of["dimensions"]) for _ in range(2)]
    return dict(zip(("to_b", "to_a", "judge_b", "judge_a"), generators + judges))


def main(program, work):
    torch.set_num_threads(THREADS)
    of = PATCHES if work.endswith("3d") else SLICES
    layouts = [torch.contiguous_format]
    if os.environ.get("CHANNELS_LAST"):
        layouts.append(torch.channels_last_3d if of is PATCHES else torch.channels_last)
    made = networks(of)
    tensors = {}
    for name, network in made.items():
        tensors |= {key: array.copy() for key, array in state(network, name + ".").items()}
    if work.startswith("step"):
        a, b = images(of["batch"], of), images(of["batch"], of)
        tensors |= {"a": a.numpy(), "b": b.numpy()}
        expected = cyclegan.Trainer(*made.values()).step(a, b)

        def side(layout):
            trainer = cyclegan.Trainer(*(network.to(memory_format=layout) for network in networks(of).values()))
            inputs = [image.contiguous(memory_format=layout) for image in (a, b)]
            return lambda: trainer.step(*inputs)
    else:
        pieces = images(of["pieces"], of)
        tensors |= {"pieces": pieces.numpy()}
        generator = made["to_b"].eval()

        def side(layout):
            network = copy.deepcopy(generator).to(memory_format=layout)

            @torch.no_grad()
            def translate():
                return torch.cat([network(some.contiguous(memory_format=layout)) for some in pieces.split(8)])

            return translate

        result = side(torch.contiguous_format)()
        expected = [result.mean().item(), result.abs().mean().item()]
    compare(NAMES[work], program, work, tensors, expected, side(layouts[0]), rounds=5, repeats=1, warm=1 if work.startswith("step") else 0,
            images=0 if work.startswith("step") else of["pieces"], others=[("channels-last reference", side(x)) for x in layouts[1:]])


main(*sys.argv[1:])
