# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/models/*.safetensors: networks, losses and gradients of bench/reference/fastgan.py, and torch.optim.Adam.

/usr/bin/python3 tools/make_golden_models.py; the build never needs it. Computed in float64 and stored as float32.
"""
import pathlib
import sys

import torch

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench" / "reference"))
import fastgan  # noqa: E402
import safetensors_file  # noqa: E402

OUT = ROOT / "tests" / "golden" / "models"
MADE_BY = {"made_by": f"tools/make_golden_models.py, torch {torch.__version__}, float64"}
CONDITIONS, BATCH, LATENT = 3, 3, 16


def numpy(tensor):
    return tensor.detach().to(torch.float32).numpy()


def state(module, prefix):
    return {prefix + name: numpy(value) for name, value in module.state_dict().items() if "num_batches" not in name}


def networks(deviation):
    generator = fastgan.Generator(CONDITIONS, LATENT, 8, (16, 16, 8, 8, 4), 8).double()
    discriminator = fastgan.Discriminator(CONDITIONS, (4, 4, 8, 8, 16), 16, deviation=deviation).double()
    for network in (generator, discriminator):
        for parameter in network.parameters():  # away from the special values 0 and 1, or half the golden says nothing
            parameter.data += 0.1 * torch.randn_like(parameter)
    return generator, discriminator


def round_trip(*modules):
    """The weights as float32 stores them, so that both sides start from the same numbers."""
    for module in modules:
        for tensor in list(module.parameters()) + list(module.buffers()):
            if tensor.is_floating_point():
                tensor.data = tensor.data.float().double()


def fastgan_golden(name, deviation, margins, weight):
    generator, discriminator = networks(deviation)
    round_trip(generator, discriminator)
    images = (torch.rand(BATCH, 1, 64, 64) * 2 - 1).float().double()
    z = torch.randn(BATCH, LATENT).float().double()
    y, fake_y = torch.eye(3)[[0, 1, 2]].double(), torch.eye(3)[[2, 0, 0]].double()
    tensors = {**state(generator, "generator."), **state(discriminator, "discriminator.")}
    tensors |= {"images": numpy(images), "z": numpy(z), "conditions": numpy(y), "fake_conditions": numpy(fake_y)}
    generator.eval(), discriminator.eval()
    logits, part, whole = discriminator.judge_and_reconstruct(images, y, 2, 7)
    tensors |= {"eval.image": numpy(generator(z, y)), "eval.logits": numpy(logits), "eval.part": numpy(part),
                "eval.whole": numpy(whole)}
    generator.train(), discriminator.train()
    for_g, for_d, values = fastgan.gradients(generator, discriminator, images, y, z, fake_y, 2, 7, weight=weight,
                                             margins=margins)
    for loss, value in zip(("real", "fake", "part", "whole", "generator"), values):
        tensors["loss." + loss] = numpy(value)
    for network, grads, prefix in ((generator, for_g, "gradient.generator."), (discriminator, for_d, "gradient.discriminator.")):
        for (parameter, _), gradient in zip(network.named_parameters(), grads):
            tensors[prefix + parameter] = numpy(gradient)
    for prefix, network in (("after.generator.", generator), ("after.discriminator.", discriminator)):
        tensors |= {key: value for key, value in state(network, prefix).items() if "running" in key}
    safetensors_file.write(OUT / f"{name}.safetensors", tensors, MADE_BY)


def spectral_golden():
    from torch import nn
    from torch.nn.utils import spectral_norm
    tensors = {}
    for name, layer in (("conv", nn.Conv2d(3, 5, 3)), ("transposed", nn.ConvTranspose2d(6, 4, 4)), ("linear", nn.Linear(7, 5))):
        layer = spectral_norm(layer.double(), dim=1 if name == "transposed" else 0)
        tensors |= {f"{name}.weight": layer.weight_orig, f"{name}.u": layer.weight_u.clone(), f"{name}.v": layer.weight_v.clone()}
        x = {"conv": torch.randn(1, 3, 5, 5), "transposed": torch.randn(1, 6, 1, 1), "linear": torch.randn(1, 7)}[name]
        layer.train()
        layer(x.double())  # one power iteration
        tensors |= {f"{name}.normalised": layer.weight, f"{name}.u_after": layer.weight_u, f"{name}.v_after": layer.weight_v}
    safetensors_file.write(OUT / "spectral_norm.safetensors", {k: numpy(v) for k, v in tensors.items()}, MADE_BY)


def adam_golden():
    parameters = [torch.randn(7, 5).double(), torch.randn(11).double()]
    tensors = {f"start.{i}": numpy(p) for i, p in enumerate(parameters)}
    parameters = [p.float().double().requires_grad_() for p in parameters]
    optimiser = torch.optim.Adam(parameters, 1e-2, (0.8, 0.99), 1e-7)
    averages = [p.detach().clone() for p in parameters]
    gradients = torch.randn(100, 46).float()
    tensors["gradients"] = numpy(gradients)
    for row in gradients.double():
        parameters[0].grad, parameters[1].grad = row[:35].view(7, 5), row[35:]
        optimiser.step()
        averages = [0.9 * a + 0.1 * p.detach() for a, p in zip(averages, parameters)]
    for i, p in enumerate(parameters):
        tensors |= {f"end.{i}": numpy(p), f"average.{i}": numpy(averages[i]), f"exp_avg.{i}": numpy(optimiser.state[p]["exp_avg"]),
                    f"exp_avg_sq.{i}": numpy(optimiser.state[p]["exp_avg_sq"])}
    safetensors_file.write(OUT / "adam.safetensors", tensors, MADE_BY)


OUT.mkdir(parents=True, exist_ok=True)
torch.manual_seed(7)
fastgan_golden("fastgan", False, (1.0, 1.0), 1.0)
fastgan_golden("fastgan_deviation", True, (0.9, 0.8), 2.0)
spectral_golden()
adam_golden()
