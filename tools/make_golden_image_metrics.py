#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/metrics/image_metrics.safetensors and lpips.safetensors: scikit-image, SciPy and PyTorch.

The build never needs this script; it is kept so that anyone can see where the golden numbers come from:
    python3 tools/make_golden_image_metrics.py
All is computed in float64 from float32 voxels. What would be too large to keep (the images of multi-scale SSIM, the weights
of LPIPS) is made of whole numbers by a formula that tests/metrics/ repeats.
"""
import pathlib
import sys

import numpy
import scipy
import scipy.ndimage
import skimage
import skimage.metrics
import torch
from torch import nn

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bench" / "reference"))
import safetensors_file

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
GAUSSIAN = dict(gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
WINDOWS = {"gaussian": (GAUSSIAN, 5), "uniform": ({}, 3)}


def heads(random, depth, height, width):
    """A head in noise and the same blurred, shifted and noisier: slices 0 and 1 empty in both, slice 2 in one."""
    k, j, i = numpy.mgrid[:depth, :height, :width].astype(float)
    radius = ((k - depth / 2) / depth * 1.6)**2 + ((j - height / 2) / (0.42 * height))**2 + ((i - width / 2) / (0.38 * width))**2
    clean = (radius < 1) * (0.6 + 0.3 * numpy.sin(i / 3) * numpy.cos(j / 4 + k / 2))
    a = numpy.clip(clean + 0.04 * random.standard_normal(clean.shape) * (radius < 1), 0, 1)
    b = numpy.clip(scipy.ndimage.gaussian_filter(clean, 0.8) + 0.06 * random.standard_normal(clean.shape) * (radius < 1.2), 0, 1)
    for image, empty in ((a, 3), (b, 2)):
        image[:empty] = 0
    mask = ((radius < 0.55) & (k > 3)).astype(numpy.uint8)
    return a.astype(numpy.float32), b.astype(numpy.float32), mask


def ssim_map(a, b, data_range, window):
    options, border = WINDOWS[window]
    value, full = skimage.metrics.structural_similarity(a, b, data_range=data_range, full=True, **options)
    crop = (slice(border, -border),) * a.ndim
    return value, full[crop], crop


def similarities(a, b, mask, data_range):
    tensors = {}
    counted = [k for k in range(len(a)) if not (a[k].min() == a[k].max() == b[k].min() == b[k].max())]
    for window in WINDOWS:
        whole, in_mask = [], []
        for k in counted:
            value, full, crop = ssim_map(a[k], b[k], data_range, window)
            whole.append(value)
            if mask[k][crop].any():
                in_mask.append(full[mask[k][crop] > 0].mean())
        value, full, crop = ssim_map(a, b, data_range, window)
        tensors[f"ssim_{window}"] = [numpy.mean(whole), numpy.mean(in_mask), len(whole), len(in_mask)]
        tensors[f"ssim_{window}_3d"] = [value, full[mask[crop] > 0].mean()]
    return tensors


def errors(a, b, data_range):
    measure = skimage.metrics
    normalised = lambda by: measure.normalized_root_mse(a, b, normalization=by)
    return [measure.mean_squared_error(a, b)**0.5, numpy.abs(a - b).mean(), normalised("euclidean"), normalised("mean"),
            normalised("min-max"), measure.peak_signal_noise_ratio(a, b, data_range=data_range)]


def psnr_by_slice(a, b, mask, data_range):
    values = []
    for image_a, image_b, inside in zip(a, b, mask):
        square = ((image_a - image_b)[inside > 0]**2).mean() if inside.any() else 0
        if square > 0:
            values.append(10 * numpy.log10(data_range**2 / square))
    return numpy.mean(values)


def formula_pair(depth, height, width):
    """Whole numbers with structure on every scale; tests/metrics/test_structural_similarity.cpp repeats it."""
    k, j, i = numpy.ogrid[:depth, :height, :width]
    wave = lambda x, period: numpy.abs(x % period - period // 2)
    a = 3 * wave(i + k, 64) + 2 * wave(j, 48) + 2 * wave(i + 2 * j + k, 14)
    b = a * 9 // 10 + (31 * i + 17 * j + 13 * k + i * j) % 23
    return a.astype(float), b.astype(float)


def multi_scale(a, b, data_range):
    """Wang, Simoncelli, Bovik 2003, from the dense maps; image sides halve by 2 x 2 means, odd sides repeat their last row."""
    blur = lambda x: scipy.ndimage.gaussian_filter(x, 1.5, truncate=3.5)
    crop = (slice(5, -5),) * a.ndim
    c1, c2, product = (0.01 * data_range)**2, (0.03 * data_range)**2, 1.0
    for scale, weight in enumerate(WEIGHTS):
        mean_a, mean_b = blur(a), blur(b)
        variances = blur(a * a) - mean_a**2 + blur(b * b) - mean_b**2
        structure = ((2 * (blur(a * b) - mean_a * mean_b) + c2) / (variances + c2))[crop]
        light = ((2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1))[crop]
        product *= max((structure * light if scale == 4 else structure).mean(), 0)**weight
        for axis in range(a.ndim):
            even, odd = (slice(None),) * axis + (slice(0, None, 2),), (slice(None),) * axis + (slice(1, None, 2),)
            pad = [(0, a.shape[axis] % 2 if n == axis else 0) for n in range(a.ndim)]
            a, b = (numpy.pad(x, pad, mode="edge") for x in (a, b))
            a, b = ((x[even] + x[odd]) / 2 for x in (a, b))
    return product


def scrambled(count, salt):
    """Numbers in [-0.5, 0.5) in steps of 2^-24 from a hash of 0 .. count - 1; the test repeats it."""
    with numpy.errstate(over="ignore"):
        x = (numpy.arange(count, dtype=numpy.uint64) + numpy.uint64(1)) * numpy.uint64(6364136223846793005) + numpy.uint64(salt)
        x ^= x >> numpy.uint64(33)
        x *= numpy.uint64(0xff51afd7ed558ccd)
        x ^= x >> numpy.uint64(33)
    return (x >> numpy.uint64(40)).astype(numpy.float64) / 2**24 - 0.5


def alex_features():
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(), nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU()), (1, 4, 7, 9, 11)


def vgg_features():
    layers, channels = [], 3
    for width in (64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512, "pool", 512, 512, 512):
        if width == "pool":
            layers.append(nn.MaxPool2d(2, 2))
        else:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
    return nn.Sequential(*layers), (3, 8, 15, 22, 29)


@torch.no_grad()
def lpips(build, a, b):
    """LPIPS 0.1 with made-up weights: convolutions scaled to keep the signal's size, layer weights >= 0."""
    features, taps = build()
    features = features.double()
    for salt, (name, tensor) in enumerate(features.state_dict().items()):
        scale = numpy.float32(numpy.sqrt(24 / tensor[0].numel())) if tensor.dim() == 4 else numpy.float32(0.1)
        values = scrambled(tensor.numel(), salt).astype(numpy.float32) * scale
        tensor.copy_(torch.from_numpy(values.astype(numpy.float64)).view_as(tensor))
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]).double(), torch.tensor([0.458, 0.448, 0.450]).double()
    taken = []
    for image in (a, b):
        x = (torch.from_numpy(image.astype(numpy.float64))[:, None].repeat(1, 3, 1, 1) - shift.view(1, 3, 1, 1)) / scale.view(1, 3, 1, 1)
        outputs = []
        for index, layer in enumerate(features):
            x = layer(x)
            if index in taps:
                outputs.append(x / (torch.linalg.norm(x, dim=1, keepdim=True) + 1e-10))
        taken.append(outputs)
    total = torch.zeros(len(a)).double()
    for layer, (of_a, of_b) in enumerate(zip(*taken)):
        linear = nn.Conv2d(of_a.shape[1], 1, 1, bias=False).double()
        linear.weight.copy_(torch.from_numpy(scrambled(of_a.shape[1], 100 + layer) + 0.5).view_as(linear.weight))
        total += linear((of_a - of_b)**2).mean((1, 2, 3))
    return total.numpy()


def main():
    random = numpy.random.default_rng(20221120)
    a, b, mask = heads(random, 15, 37, 42)
    wide_a, wide_b = a.astype(numpy.float64), b.astype(numpy.float64)
    tensors = {"a": a, "b": b, "mask": mask}
    for name, value in similarities(wide_a, wide_b, mask, 1.0).items():
        tensors[name] = numpy.array(value, dtype=numpy.float64)
    tensors["errors"] = numpy.array(errors(wide_a, wide_b, 1.0))
    tensors["errors_in_mask"] = numpy.array(errors(wide_a[mask > 0], wide_b[mask > 0], 1.0))
    tensors["psnr_by_slice"] = numpy.array([psnr_by_slice(wide_a, wide_b, inside, 1.0) for inside in (mask * 0 + 1, mask)])
    # Bright and flat, where E[x^2] - E[x]^2 cancels: counts near 20,000 with noise of 30, in a range of 1,000.
    bright_a = (20000 + 100 * wide_a + 30 * random.standard_normal(a.shape)).astype(numpy.float32)
    bright_b = (bright_a + 20 * random.standard_normal(a.shape)).astype(numpy.float32)
    tensors.update(bright_a=bright_a, bright_b=bright_b)
    for name, value in similarities(bright_a.astype(numpy.float64), bright_b.astype(numpy.float64), mask, 1000.0).items():
        tensors["bright_" + name] = numpy.array(value, dtype=numpy.float64)
    slices = formula_pair(3, 177, 190)
    tensors["ms_ssim"] = numpy.array(numpy.mean([multi_scale(x, y, 250.0) for x, y in zip(*slices)]))
    tensors["ms_ssim_3d"] = numpy.array(multi_scale(*formula_pair(176, 177, 178), 250.0))
    folder = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "metrics"
    versions = f"scikit-image {skimage.__version__}, SciPy {scipy.__version__}, NumPy {numpy.__version__}, PyTorch {torch.__version__}"
    metadata = {"made_by": "tools/make_golden_image_metrics.py", "versions": versions}
    safetensors_file.write(folder / "image_metrics.safetensors", tensors, metadata)

    images = {"a": scrambled(2 * 45 * 40, 7).reshape(2, 45, 40), "b": scrambled(2 * 45 * 40, 8).reshape(2, 45, 40)}
    images = {name: (2 * scipy.ndimage.gaussian_filter(image, (0, 2, 2)) * 4).astype(numpy.float32) for name, image in images.items()}
    tensors = {**images, "alex": lpips(alex_features, images["a"], images["b"]),
               "vgg": lpips(vgg_features, images["a"], images["b"])}
    safetensors_file.write(folder / "lpips.safetensors", tensors, metadata)


if __name__ == "__main__":
    main()
