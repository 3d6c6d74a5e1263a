# SPDX-License-Identifier: Apache-2.0
"""The siamese patch auto-encoder in plain PyTorch, as the layer table of docs/methods.md says it."""
import torch
from torch import nn


class PatchAutoencoder(nn.Module):
    def __init__(self, modalities):
        super().__init__()
        self.encode1, self.encode2, self.encode3 = nn.Conv2d(modalities, 16, 3), nn.Conv2d(16, 16, 3), nn.Conv2d(16, 16, 3)
        self.decode1, self.decode2, self.decode3 = (nn.ConvTranspose2d(16, 16, 3) for _ in range(3))
        self.decode4 = nn.ConvTranspose2d(16, modalities, 2)

    def encode(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.encode1(x)), 2)
        return torch.relu(self.encode3(torch.relu(self.encode2(x)))).flatten(1)

    def decode(self, z):
        x = torch.relu(self.decode2(torch.relu(self.decode1(z.view(-1, 16, 2, 2)))))
        x = nn.functional.interpolate(x, scale_factor=2, mode="nearest")
        return torch.sigmoid(self.decode4(torch.relu(self.decode3(x))))


def siamese_loss(network, first, second, alpha=0.005):
    z1, z2 = network.encode(first), network.encode(second)
    mse = nn.functional.mse_loss
    return (mse(network.decode(z1), first) + mse(network.decode(z2), second)
            - alpha * nn.functional.cosine_similarity(z1, z2).mean())
