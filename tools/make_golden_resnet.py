# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/models/resnet_*.safetensors: networks and gradients of bench/reference/cyclegan.py.

/usr/bin/python3 tools/make_golden_resnet.py; the build never needs it. Computed in float64 and stored as float32.
"""
import pathlib
import sys

import torch

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench" / "reference"))
import cyclegan  # noqa: E402
import safetensors_file  # noqa: E402

OUT = ROOT / "tests" / "golden" / "models"
MADE_BY = {"made_by": f"tools/make_golden_resnet.py, torch {torch.__version__}, float64"}
BATCH = 2


def numpy(tensor):
    return tensor.detach().to(torch.float32).numpy()


def pattern(channels, sides, phase):
    """Images that both sides can compute: sums of waves, in [-1,1]."""
    sizes = (BATCH, channels, *([1] * (3 - len(sides))), *sides)
    n, c, k, i, j = torch.meshgrid(*(torch.arange(size, dtype=torch.float64) for size in sizes), indexing="ij")
    value = 0.6 * torch.sin(0.11 * i + 0.05 * j * (1 + n) + 0.23 * k + phase) + 0.4 * torch.cos(0.03 * i * (1 + c) - 0.17 * j + 0.07 * k)
    return value.float().double().reshape(BATCH, channels, *sides)


def prepare(network):
    network.double()
    for parameter in network.parameters():  # large enough that every layer matters
        parameter.data = (parameter.data + 0.05 * torch.randn_like(parameter)).float().double()
    return network


def state(module, prefix):
    return {prefix + name: numpy(value) for name, value in module.state_dict().items() if "num_batches" not in name}


def golden(dimensions, norm, padding, channels, sides):
    generator = prepare(cyclegan.ResnetGenerator(channels, channels, 2, 2, dimensions, norm, padding))
    discriminator = prepare(cyclegan.PatchDiscriminator(channels, 2, 3, dimensions, norm))
    x, target = pattern(channels, sides, 0.0), pattern(channels, sides, 1.0)
    tensors = {**state(generator, "generator."), **state(discriminator, "discriminator.")}
    x.requires_grad_(True)
    made = generator(x)
    logits = discriminator(made)
    loss = cyclegan.squares(logits, True) + 10 * (made - target).abs().mean()
    loss.backward()
    tensors |= {"made": numpy(made), "logits": numpy(logits), "loss": numpy(loss.view(1)), "gradient.input": numpy(x.grad)}
    for prefix, network in (("gradient.generator.", generator), ("gradient.discriminator.", discriminator)):
        tensors |= {prefix + name: numpy(parameter.grad) for name, parameter in network.named_parameters()}
    generator.eval()
    tensors["eval.made"] = numpy(generator(x))
    safetensors_file.write(OUT / f"resnet_{dimensions}d_{norm}_{padding}.safetensors", tensors, MADE_BY)


torch.manual_seed(17)
golden(2, "batch", "reflect", 3, (32, 40))
golden(2, "instance", "replicate", 3, (32, 40))
golden(3, "batch", "replicate", 1, (24, 24, 28))
golden(3, "instance", "reflect", 1, (24, 24, 28))
