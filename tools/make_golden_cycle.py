# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/training/cycle_*.safetensors: four steps of Simple-GAN and Cycle-GAN in plain PyTorch.

/usr/bin/python3 tools/make_golden_cycle.py; the build never needs it. Written after Zotova et al. 2021 (equations 1 to 3) and the
description of the public Cycle-GAN code (order of networks and updates, image pool, learning rate), in float64, stored as float32.
"""
import itertools
import pathlib
import sys

import torch
from torch import nn

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench" / "reference"))
import safetensors_file  # noqa: E402

OUT = ROOT / "tests" / "golden" / "training"
MADE_BY = {"made_by": f"tools/make_golden_cycle.py, torch {torch.__version__}, float64"}
STEPS, BATCH, CHANNELS, SIDE, POOL, SEED, RATE = 4, 2, 2, 16, 3, 5, 1e-3
MASK = (1 << 64) - 1


def mixed(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


class Random:
    """scintigen's SplitMix64 streams (src/core/random.h)."""
    STEP = 0x9E3779B97F4A7C15

    def __init__(self, seed, stream, index):
        name = 0xCBF29CE484222325
        for c in stream.encode():
            name = ((name ^ c) * 0x100000001B3) & MASK
        first = mixed((seed + self.STEP) & MASK)
        self.state = mixed((mixed((first + name) & MASK) + index * self.STEP + 1) & MASK)

    def next(self):
        self.state = (self.state + self.STEP) & MASK
        return mixed(self.state)

    def uniform(self):
        return (self.next() >> 11) / 2.0 ** 53

    def below(self, count):
        excess = (MASK % count + 1) % count
        draw = self.next()
        while draw > MASK - excess:
            draw = self.next()
        return draw % count


class ImagePool:
    def __init__(self, size, name):
        self.size, self.name, self.images = size, name, []

    def query(self, images, step):
        shown = []
        for n, image in enumerate(images.detach()):
            if len(self.images) < self.size:
                self.images.append(image.clone())
                shown.append(image)
                continue
            random = Random(SEED, "image pool " + self.name, step * BATCH + n)
            if random.uniform() > 0.5:
                place = random.below(self.size)
                shown.append(self.images[place].clone())
                self.images[place] = image.float().double()  # a pool keeps float32
            else:
                shown.append(image)
        return torch.stack(shown)


def pattern(phase):
    n, c, i, j = torch.meshgrid(*(torch.arange(k, dtype=torch.float64) for k in (BATCH, CHANNELS, SIDE, SIDE)), indexing="ij")
    value = 0.6 * torch.sin(0.11 * i + 0.05 * j * (1 + n) + phase) + 0.4 * torch.cos(0.03 * i * (1 + c) - 0.17 * j)
    return value.float().double()


def generator():
    return nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 3, padding=1), nn.Tanh())


def discriminator():
    return nn.Sequential(nn.Conv2d(2, 4, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4),
                         nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 3, padding=1))


def numpy(tensor):
    return tensor.detach().to(torch.float32).numpy()


def states(networks):
    return {f"{name}.{key}": numpy(value) for name, network in networks.items()
            for key, value in network.state_dict().items() if "num_batches" not in key}


def parameters(names, networks):
    return list(itertools.chain(*(networks[name].parameters() for name in names)))


def judged(logits, real):
    return nn.functional.mse_loss(logits, torch.full_like(logits, float(real)))


def golden(name, cycle, weight_identity, weight_mse, weight_cycle=10.0):
    networks = {"to_target": generator(), "judge_target": discriminator()}
    if cycle:
        networks |= {"to_source": generator(), "judge_source": discriminator()}
    for network in networks.values():
        network.double().train()
        for parameter in network.parameters():
            parameter.data = (parameter.data + 0.2 * torch.randn_like(parameter)).float().double()
    tensors = states(networks)
    made_by = [key for key in ("to_target", "to_source") if key in networks]
    judged_by = [key for key in ("judge_target", "judge_source") if key in networks]
    for_generators = torch.optim.Adam(parameters(made_by, networks), RATE, (0.5, 0.999))
    for_judges = torch.optim.Adam(parameters(judged_by, networks), RATE, (0.5, 0.999))
    pools = {"target": ImagePool(POOL, "target"), "source": ImagePool(POOL, "source")}
    l1 = nn.functional.l1_loss
    for step in range(STEPS):
        source, target = pattern(0.3 * step), pattern(1 + 0.3 * step)
        losses = {}
        fake_target = networks["to_target"](source)
        if cycle:
            again_source = networks["to_source"](fake_target)
            fake_source = networks["to_source"](target)
            again_target = networks["to_target"](fake_source)
        for parameter in parameters(judged_by, networks):
            parameter.requires_grad_(False)
        for_generators.zero_grad()
        if cycle and weight_identity:
            losses["identity"] = l1(networks["to_target"](target), target)
            losses["identity_source"] = l1(networks["to_source"](source), source)
        losses["adversarial"] = judged(networks["judge_target"](fake_target), True)
        total = losses["adversarial"]
        if cycle:
            losses["adversarial_source"] = judged(networks["judge_source"](fake_source), True)
            losses["cycle"], losses["cycle_target"] = l1(again_source, source), l1(again_target, target)
            total = total + losses["adversarial_source"] + weight_cycle * (losses["cycle"] + losses["cycle_target"])
            if weight_identity:
                total = total + weight_identity * (losses["identity"] + losses["identity_source"])
        if weight_mse:
            losses["mse"] = nn.functional.mse_loss(fake_target, target)
            total = total + weight_mse * losses["mse"]
            if cycle:
                losses["mse_source"] = nn.functional.mse_loss(fake_source, source)
                total = total + weight_mse * losses["mse_source"]
        total.backward()
        gradients = [("gradient." + key, p.grad.clone()) for n in made_by for key, p in
                     ((f"{n}.{k}", p) for k, p in networks[n].named_parameters())]
        for_generators.step()
        for parameter in parameters(judged_by, networks):
            parameter.requires_grad_(True)
        for_judges.zero_grad()
        pairs = [("judge_target", target, fake_target, "target", "")]
        if cycle:
            pairs.append(("judge_source", source, fake_source, "source", "_source"))
        for judge, real, fake, pool, suffix in pairs:
            losses["real" + suffix] = judged(networks[judge](real), True)
            losses["fake" + suffix] = judged(networks[judge](pools[pool].query(fake, step)), False)
            (0.5 * (losses["real" + suffix] + losses["fake" + suffix])).backward()
        gradients += [("gradient." + key, p.grad.clone()) for n in judged_by for key, p in
                      ((f"{n}.{k}", p) for k, p in networks[n].named_parameters())]
        for_judges.step()
        if step == 0:
            tensors |= {key: numpy(value) for key, value in gradients}
        tensors |= {f"{step}.{key}": numpy(value.reshape(1)) for key, value in losses.items()}
    tensors |= {"after." + key: value for key, value in states(networks).items()}
    tensors["pool.target"] = numpy(torch.stack(pools["target"].images))
    safetensors_file.write(OUT / f"cycle_{name}.safetensors", tensors, MADE_BY)


def schedule(constant, decay, epochs):
    """The public code's rule through torch.optim.lr_scheduler.LambdaLR, epochs counted from 1 as that code does."""
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    policy = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda epoch: 1.0 - max(0, epoch + 1 - constant) / float(decay + 1))
    rates = []
    for _ in range(epochs):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        policy.step()
    return torch.tensor(rates, dtype=torch.float64)


OUT.mkdir(exist_ok=True)
torch.manual_seed(17)
golden("simple", False, 0.0, 0.0)
golden("simple_mse", False, 0.0, 10.0)
golden("cycle", True, 0.0, 0.0)
golden("cycle_mse_identity", True, 5.0, 10.0)
safetensors_file.write(OUT / "schedule.safetensors", {"rates_100_100": schedule(100, 100, 200).numpy().astype("float32"),
                                                      "rates_3_4": schedule(3, 4, 7).numpy().astype("float32")}, MADE_BY)
