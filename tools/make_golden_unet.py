# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/models/unet_*.safetensors: networks and gradients of bench/reference/pix2pix.py.

/usr/bin/python3 tools/make_golden_unet.py; the build never needs it. Computed in float64 and stored as float32.
"""
import pathlib
import sys

import torch

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench" / "reference"))
import pix2pix  # noqa: E402
import safetensors_file  # noqa: E402

OUT = ROOT / "tests" / "golden" / "models"
MADE_BY = {"made_by": f"tools/make_golden_unet.py, torch {torch.__version__}, float64"}


def numpy(tensor):
    return tensor.detach().to(torch.float32).numpy()


def pattern(batch, channels, side, phase):
    """Images that both sides can compute: sums of waves, in [-1,1]."""
    n, c, i, j = torch.meshgrid(*(torch.arange(k, dtype=torch.float64) for k in (batch, channels, side, side)), indexing="ij")
    value = 0.6 * torch.sin(0.11 * i + 0.05 * j * (1 + n) + phase) + 0.4 * torch.cos(0.03 * i * (1 + c) - 0.17 * j)
    return value.float().double()


def prepare(network):
    network.double()
    for parameter in network.parameters():  # large enough that every layer matters
        parameter.data = (parameter.data + 0.05 * torch.randn_like(parameter)).float().double()
    return network


def state(module, prefix):
    return {prefix + name: numpy(value) for name, value in module.state_dict().items() if "num_batches" not in name}


def golden(side, levels):
    generator = prepare(pix2pix.UnetGenerator(2, 1, levels, 2, dropout=0))
    discriminator = prepare(pix2pix.PatchDiscriminator(3, 4))
    source, target = pattern(2, 2, side, 0.0), pattern(2, 1, side, 1.0)
    tensors = {**state(generator, "generator."), **state(discriminator, "discriminator.")}
    generator.train(), discriminator.train()
    made = generator(source)
    logits = discriminator(torch.cat([source, made], 1))
    loss = pix2pix.adversarial(logits, True) + 100 * (made - target).abs().mean()
    loss.backward()
    tensors |= {"made": numpy(made), "logits": numpy(logits), "loss": numpy(loss)}
    for prefix, network in (("gradient.generator.", generator), ("gradient.discriminator.", discriminator)):
        tensors |= {prefix + name: numpy(parameter.grad) for name, parameter in network.named_parameters()}
    generator.eval()
    tensors["eval.made"] = numpy(generator(source))
    safetensors_file.write(OUT / f"unet_{side}.safetensors", tensors, MADE_BY)


def step_golden(name, least_squares):
    """Two steps of the trainer, from the weights of unet_128: losses and the weights after."""
    generator = prepare(pix2pix.UnetGenerator(2, 1, 5, 2, dropout=0))
    discriminator = prepare(pix2pix.PatchDiscriminator(3, 4))
    tensors = {**state(generator, "generator."), **state(discriminator, "discriminator.")}
    generator.train(), discriminator.train()
    trainer = pix2pix.Trainer(generator, discriminator, rate=1e-3, least_squares=least_squares)
    for step in range(2):
        losses = trainer.step(pattern(2, 2, 64, 0.3 * step), pattern(2, 1, 64, 1 + 0.3 * step))
        tensors |= {f"{step}.{key}": numpy(torch.tensor([value])) for key, value in losses.items()}
    tensors |= {**state(generator, "after.generator."), **state(discriminator, "after.discriminator.")}
    safetensors_file.write(OUT / f"pix2pix_step_{name}.safetensors", tensors, MADE_BY)


torch.manual_seed(11)
golden(256, 8)
golden(128, 7)
step_golden("cross_entropy", False)
step_golden("least_squares", True)
