# SPDX-License-Identifier: Apache-2.0
"""The paired translator of Isola et al. 2017 in plain PyTorch: what scintigen is compared with.

Written as a user of PyTorch would: nn.Sequential, in-place activations, one module a level. Children are named as in the public
implementation, so that state dicts exchange.
"""
import torch
from torch import nn
from torch.nn import functional


class Level(nn.Module):
    """One level of the U-Net and all below it; returns its input beside what comes up (but for the outermost)."""

    def __init__(self, outside, inside, below=None, inputs=None, outermost=False, dropout=0.0):
        super().__init__()
        self.outermost = outermost
        down = nn.Conv2d(outside if inputs is None else inputs, inside, 4, 2, 1, bias=False)
        if outermost:
            parts = [down, below, nn.ReLU(True), nn.ConvTranspose2d(2 * inside, outside, 4, 2, 1), nn.Tanh()]
        elif below is None:
            parts = [nn.LeakyReLU(0.2, True), down, nn.ReLU(True),
                     nn.ConvTranspose2d(inside, outside, 4, 2, 1, bias=False), nn.BatchNorm2d(outside)]
        else:
            parts = [nn.LeakyReLU(0.2, True), down, nn.BatchNorm2d(inside), below, nn.ReLU(True),
                     nn.ConvTranspose2d(2 * inside, outside, 4, 2, 1, bias=False), nn.BatchNorm2d(outside)]
            if dropout:
                parts.append(nn.Dropout(dropout))
        self.model = nn.Sequential(*parts)

    def forward(self, x):
        return self.model(x) if self.outermost else torch.cat([x, self.model(x)], 1)


class UnetGenerator(nn.Module):
    def __init__(self, inputs, outputs, levels, width, dropout=0.5):
        super().__init__()
        block = Level(8 * width, 8 * width)
        for _ in range(levels - 5):
            block = Level(8 * width, 8 * width, block, dropout=dropout)
        for factor in (4, 2, 1):
            block = Level(factor * width, 2 * factor * width, block)
        self.model = Level(outputs, width, block, inputs=inputs, outermost=True)

    def forward(self, x):
        return self.model(x)


class PatchDiscriminator(nn.Module):
    def __init__(self, inputs, width, layers=3):
        super().__init__()
        parts = [nn.Conv2d(inputs, width, 4, 2, 1), nn.LeakyReLU(0.2, True)]
        channels = width
        for n in range(1, layers + 1):
            out = width * min(2 ** n, 8)
            parts += [nn.Conv2d(channels, out, 4, 2 if n < layers else 1, 1, bias=False), nn.BatchNorm2d(out),
                      nn.LeakyReLU(0.2, True)]
            channels = out
        parts.append(nn.Conv2d(channels, 1, 4, 1, 1))
        self.model = nn.Sequential(*parts)

    def forward(self, x):
        return self.model(x)


def adversarial(logits, real, least_squares=False):
    target = torch.full_like(logits, float(real))
    return functional.mse_loss(logits, target) if least_squares else functional.binary_cross_entropy_with_logits(logits, target)


class Trainer:
    """One step as the public implementation does it: the discriminator first, then the generator against the new one."""

    def __init__(self, generator, discriminator, rate=2e-4, beta1=0.5, weight_l1=100.0, least_squares=False):
        self.generator, self.discriminator = generator, discriminator
        self.weight_l1, self.least_squares = weight_l1, least_squares
        self.for_generator = torch.optim.Adam(generator.parameters(), rate, (beta1, 0.999))
        self.for_discriminator = torch.optim.Adam(discriminator.parameters(), rate, (beta1, 0.999))

    def step(self, source, target):
        made = self.generator(source)
        for parameter in self.discriminator.parameters():
            parameter.requires_grad_(True)
        self.for_discriminator.zero_grad()
        fake = adversarial(self.discriminator(torch.cat([source, made.detach()], 1)), False, self.least_squares)
        real = adversarial(self.discriminator(torch.cat([source, target], 1)), True, self.least_squares)
        (0.5 * (fake + real)).backward()
        self.for_discriminator.step()
        for parameter in self.discriminator.parameters():
            parameter.requires_grad_(False)
        self.for_generator.zero_grad()
        fooled = adversarial(self.discriminator(torch.cat([source, made], 1)), True, self.least_squares)
        l1 = functional.l1_loss(made, target)
        (fooled + self.weight_l1 * l1).backward()
        self.for_generator.step()
        return {"real": real.item(), "fake": fake.item(), "adversarial": fooled.item(), "l1": l1.item()}
