# SPDX-License-Identifier: Apache-2.0
"""Cycle-GAN (Zhu et al. 2017; Zotova et al. 2021) in plain PyTorch: what scintigen is compared with.

Written as a user of PyTorch would: nn.Sequential, in-place activations. Children are named as in the public implementation (padding
layers counted), so that state dicts exchange; in three dimensions every layer is its three-dimensional sister.
"""
import torch
from torch import nn
from torch.nn import functional


def layers(dimensions, norm, padding):
    """The classes of a network of two or three dimensions: convolution, transposed one, norm, padding."""
    name = f"{dimensions}d"
    pad = {"reflect": "ReflectionPad", "replicate": "ReplicationPad"}[padding]
    return (getattr(nn, "Conv" + name), getattr(nn, "ConvTranspose" + name),
            getattr(nn, {"batch": "BatchNorm", "instance": "InstanceNorm"}[norm] + name), getattr(nn, pad + name))


class Block(nn.Module):
    def __init__(self, channels, dimensions, norm, padding):
        super().__init__()
        convolution, _, normalise, pad = layers(dimensions, norm, padding)
        bias = norm == "instance"
        self.conv_block = nn.Sequential(pad(1), convolution(channels, channels, 3, bias=bias), normalise(channels), nn.ReLU(True),
                                        pad(1), convolution(channels, channels, 3, bias=bias), normalise(channels))

    def forward(self, x):
        return x + self.conv_block(x)


class ResnetGenerator(nn.Module):
    def __init__(self, inputs, outputs, width=64, blocks=9, dimensions=2, norm="batch", padding="reflect"):
        super().__init__()
        convolution, transposed, normalise, pad = layers(dimensions, norm, padding)
        bias = norm == "instance"
        parts = [pad(3), convolution(inputs, width, 7, bias=bias), normalise(width), nn.ReLU(True)]
        for channels in (width, 2 * width):
            parts += [convolution(channels, 2 * channels, 3, 2, 1, bias=bias), normalise(2 * channels), nn.ReLU(True)]
        parts += [Block(4 * width, dimensions, norm, padding) for _ in range(blocks)]
        for channels in (4 * width, 2 * width):
            parts += [transposed(channels, channels // 2, 3, 2, 1, 1, bias=bias), normalise(channels // 2), nn.ReLU(True)]
        parts += [pad(3), convolution(width, outputs, 7), nn.Tanh()]
        self.model = nn.Sequential(*parts)

    def forward(self, x):
        return self.model(x)


class PatchDiscriminator(nn.Module):
    def __init__(self, inputs, width=64, halvings=3, dimensions=2, norm="batch"):
        super().__init__()
        convolution, _, normalise, _ = layers(dimensions, norm, "reflect")
        parts = [convolution(inputs, width, 4, 2, 1), nn.LeakyReLU(0.2, True)]
        channels = width
        for n in range(1, halvings + 1):
            out = width * min(2 ** n, 8)
            parts += [convolution(channels, out, 4, 2 if n < halvings else 1, 1, bias=norm == "instance"), normalise(out),
                      nn.LeakyReLU(0.2, True)]
            channels = out
        parts.append(convolution(channels, 1, 4, 1, 1))
        self.model = nn.Sequential(*parts)

    def forward(self, x):
        return self.model(x)


def squares(logits, real):
    return functional.mse_loss(logits, torch.full_like(logits, float(real)))


class Trainer:
    """One step as the public implementation does it: both generators first, then both discriminators. Least squares, cycle L1, no
    identity term and no pool."""

    def __init__(self, to_b, to_a, judge_b, judge_a, rate=2e-4, beta1=0.5, weight_cycle=10.0):
        self.to_b, self.to_a, self.judge_b, self.judge_a, self.weight_cycle = to_b, to_a, judge_b, judge_a, weight_cycle
        self.generators = [*to_b.parameters(), *to_a.parameters()]
        self.judges = [*judge_b.parameters(), *judge_a.parameters()]
        self.for_generators = torch.optim.Adam(self.generators, rate, (beta1, 0.999))
        self.for_judges = torch.optim.Adam(self.judges, rate, (beta1, 0.999))

    def step(self, a, b):
        for parameter in self.judges:
            parameter.requires_grad_(False)
        self.for_generators.zero_grad()
        made_b = self.to_b(a)
        again_a = self.to_a(made_b)
        made_a = self.to_a(b)
        again_b = self.to_b(made_a)
        adversarial_b, adversarial_a = squares(self.judge_b(made_b), True), squares(self.judge_a(made_a), True)
        cycle_a, cycle_b = functional.l1_loss(again_a, a), functional.l1_loss(again_b, b)
        (adversarial_b + adversarial_a + self.weight_cycle * (cycle_a + cycle_b)).backward()
        self.for_generators.step()
        for parameter in self.judges:
            parameter.requires_grad_(True)
        self.for_judges.zero_grad()
        judged = []
        for judge, real, made in ((self.judge_b, b, made_b), (self.judge_a, a, made_a)):
            of_real, of_fake = squares(judge(real), True), squares(judge(made.detach()), False)
            (0.5 * (of_real + of_fake)).backward()
            judged += [of_real.item(), of_fake.item()]
        self.for_judges.step()
        return [*judged, adversarial_b.item(), adversarial_a.item(), cycle_a.item(), cycle_b.item()]
