# SPDX-License-Identifier: Apache-2.0
"""The conditional light-weight GAN of Werner et al. 2022 in plain, eager PyTorch.

What the benchmarks are measured against and the goldens are made with: written as a good user of PyTorch would write
it, without tricks. Names of parameters are those of src/models/fastgan.h.
"""
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import spectral_norm


class GatedUpBlock(nn.Module):
    def __init__(self, cin, cout, momentum=0.1, epsilon=1e-5):
        super().__init__()
        self.upsample = nn.Upsample(scale_factor=2, mode="nearest")
        self.conv = nn.Conv2d(cin, 2 * cout, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(2 * cout, eps=epsilon, momentum=momentum)

    def forward(self, x):
        return F.glu(self.norm(self.conv(self.upsample(x))), dim=1)


class GatedInputBlock(nn.Module):
    def __init__(self, cin, cout, momentum=0.1, epsilon=1e-5):
        super().__init__()
        self.conv = nn.ConvTranspose2d(cin, 2 * cout, 4, bias=False)
        self.norm = nn.BatchNorm2d(2 * cout, eps=epsilon, momentum=momentum)

    def forward(self, x):
        return F.glu(self.norm(self.conv(x[:, :, None, None])), dim=1)


class SkipLayerExcitation(nn.Module):
    def __init__(self, coarse, hidden, fine, slope):
        super().__init__()
        self.squeeze = nn.Conv2d(coarse, hidden, 4)
        self.expand = nn.Conv2d(hidden, fine, 1)
        self.activation = nn.LeakyReLU(slope)

    def forward(self, coarse, fine):
        return fine * torch.sigmoid(self.expand(self.activation(self.squeeze(coarse))))


class DownBlock(nn.Module):
    def __init__(self, cin, cout, slope, momentum=0.1, epsilon=1e-5):
        super().__init__()
        self.reduce = nn.Conv2d(cin, cout, 4, stride=2, padding=1, bias=False)
        self.reduce_norm = nn.BatchNorm2d(cout, eps=epsilon, momentum=momentum)
        self.refine = nn.Conv2d(cout, cout, 3, padding=1, bias=False)
        self.refine_norm = nn.BatchNorm2d(cout, eps=epsilon, momentum=momentum)
        self.direct = nn.Conv2d(cin, cout, 1, bias=False)
        self.direct_norm = nn.BatchNorm2d(cout, eps=epsilon, momentum=momentum)
        self.pool = nn.AvgPool2d(2)
        self.activation = nn.LeakyReLU(slope)

    def forward(self, x):
        main = self.activation(self.reduce_norm(self.reduce(x)))
        main = self.activation(self.refine_norm(self.refine(main)))
        return main + self.activation(self.direct_norm(self.direct(self.pool(x))))


class Decoder(nn.Module):
    def __init__(self, cin, widths, momentum=0.1, epsilon=1e-5):
        super().__init__()
        self.count = len(widths)
        for i, width in enumerate(widths):
            setattr(self, f"up{i}", GatedUpBlock(cin, width, momentum, epsilon))
            cin = width
        self.image = nn.Conv2d(cin, 1, 1)

    def forward(self, x):
        for i in range(self.count):
            x = getattr(self, f"up{i}")(x)
        return torch.tanh(self.image(x))


class Generator(nn.Module):
    def __init__(self, conditions, latent=256, embedding=64, widths=(512, 256, 128, 64, 32), excitation_width=32,
                 slope=0.1):
        super().__init__()
        self.embed = nn.Linear(latent + conditions, embedding)
        self.input = GatedInputBlock(embedding, widths[0])
        self.up8 = GatedUpBlock(widths[0], widths[1])
        self.up16 = GatedUpBlock(widths[1], widths[2])
        self.up32 = GatedUpBlock(widths[2], widths[3])
        self.up64 = GatedUpBlock(widths[3], widths[4])
        self.excitation = SkipLayerExcitation(widths[0], excitation_width, widths[4], slope)
        self.output = nn.Conv2d(widths[4], 1, 3, padding=1)

    def forward(self, z, y):
        coarse = self.input(self.embed(torch.cat([z, y], 1)))
        x = self.up64(self.up32(self.up16(self.up8(coarse))))
        return torch.tanh(self.output(self.excitation(coarse, x)))


class Discriminator(nn.Module):
    def __init__(self, conditions, widths=(16, 32, 64, 128, 256), decoder_width=128, slope=0.1, deviation=False):
        super().__init__()
        self.deviation = deviation
        self.input0 = nn.Conv2d(1 + conditions, widths[0], 4)
        self.input1 = nn.Conv2d(widths[0], widths[1], 4, bias=False)
        self.input1_norm = nn.BatchNorm2d(widths[1])
        self.down32 = DownBlock(widths[1], widths[2], slope)
        self.down16 = DownBlock(widths[2], widths[3], slope)
        self.down8 = DownBlock(widths[3], widths[4], slope)
        judged = widths[4] // 2
        self.output0 = nn.Conv2d(widths[4] + (1 if deviation else 0), judged, 1, bias=False)
        self.output0_norm = nn.BatchNorm2d(judged)
        self.output1 = nn.Conv2d(judged, 1, 4)
        self.whole = Decoder(widths[4], (decoder_width, decoder_width // 2, decoder_width // 4))
        self.part = Decoder(widths[3], (decoder_width // 2, decoder_width // 4))
        self.same = nn.ZeroPad2d((1, 2, 1, 2))
        self.activation = nn.LeakyReLU(slope)

    def features(self, image, y):
        planes = y[:, :, None, None].expand(-1, -1, *image.shape[2:])
        x = self.activation(self.input0(self.same(torch.cat([image, planes], 1))))
        x = self.activation(self.input1_norm(self.input1(self.same(x))))
        middle = self.down16(self.down32(x))
        return middle, self.down8(middle)

    def logits(self, coarse):
        if self.deviation:
            deviation = torch.sqrt(coarse.var(0, unbiased=False) + 1e-8).mean()
            coarse = torch.cat([coarse, deviation.expand(coarse.shape[0], 1, *coarse.shape[2:])], 1)
        return self.output1(self.activation(self.output0_norm(self.output0(coarse))))

    def forward(self, image, y):
        return self.logits(self.features(image, y)[1])

    def judge_and_reconstruct(self, image, y, row, column):
        middle, coarse = self.features(image, y)
        cropped = middle[:, :, row:row + 8, column:column + 8]
        return self.logits(coarse), self.part(cropped), self.whole(coarse)


def with_spectral_norm(network):
    """Spectral norm on every convolution, transposed convolution and linear layer."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            spectral_norm(module)
    return network


def losses(generator, discriminator, images, y, z, y_fake, row, column, margins=(1.0, 1.0), weight=1.0):
    """Equations 1-5: (real, fake, part, whole, generator); G(z) and D(G(z)) once."""
    fake = generator(z, y_fake)
    logits, part, whole = discriminator.judge_and_reconstruct(images, y, row, column)
    fake_logits = discriminator(fake, y_fake)
    crop = images[:, :, 4 * row:4 * row + 32, 4 * column:4 * column + 32]
    return (F.relu(margins[0] - logits).mean(), F.relu(margins[1] + fake_logits).mean(),
            F.l1_loss(part, crop), F.l1_loss(whole, images), -fake_logits.mean())


def gradients(generator, discriminator, *batch, weight=1.0, **options):
    """Both gradients from the same weights, as the paper's steps (i)-(vi)."""
    real, fake, part, whole, fooling = values = losses(generator, discriminator, *batch, weight=weight, **options)
    for_d = torch.autograd.grad(real + fake + weight * (part + whole), list(discriminator.parameters()),
                                retain_graph=True)
    for_g = torch.autograd.grad(fooling, list(generator.parameters()))
    return for_g, for_d, [value.detach() for value in values]


def train_step(generator, discriminator, optimiser_g, optimiser_d, *batch):
    for_g, for_d, values = gradients(generator, discriminator, *batch)
    for network, optimiser, grads in ((discriminator, optimiser_d, for_d), (generator, optimiser_g, for_g)):
        for parameter, grad in zip(network.parameters(), grads):
            parameter.grad = grad
        optimiser.step()
    return values
