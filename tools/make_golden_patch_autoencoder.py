# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/models/patch_autoencoder.safetensors: bench/reference/patch_autoencoder.py in float64, stored as float32.

/usr/bin/python3 tools/make_golden_patch_autoencoder.py; the build never needs it.
"""
import pathlib
import sys

import torch

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench" / "reference"))
import patch_autoencoder  # noqa: E402
import safetensors_file  # noqa: E402

torch.manual_seed(4)
network = patch_autoencoder.PatchAutoencoder(2).double()
for parameter in network.parameters():  # large enough that every layer matters, and representable in float32
    parameter.data = (1.5 * parameter.data + 0.03).float().double()
first, second = (torch.rand(5, 2, 15, 15).double() for _ in range(2))
latents = network.encode(first)
loss = patch_autoencoder.siamese_loss(network, first, second, alpha=0.5)  # at 0.005 its gradient would drown
loss.backward()
tensors = {"first": first, "second": second, "latents": latents, "decoded": network.decode(latents), "loss": loss.view(1)}
tensors |= {f"weight.{name}": value for name, value in network.state_dict().items()}
tensors |= {f"gradient.{name}": value.grad for name, value in network.named_parameters()}
safetensors_file.write(ROOT / "tests" / "golden" / "models" / "patch_autoencoder.safetensors",
                       {name: value.detach().float().numpy() for name, value in tensors.items()},
                       {"made_by": f"tools/make_golden_patch_autoencoder.py, torch {torch.__version__}, float64"})
