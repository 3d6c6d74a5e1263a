# SPDX-License-Identifier: Apache-2.0
"""plain_pix2pix.py COHORT --held-out A,B,C --scores OUT.csv [--steps N] [--run RUN...]: pix2pix in plain PyTorch, and scores.

Without --run: trains the networks of bench/reference/pix2pix.py (Isola's settings, no augmentation) on everybody who is not
held out, for N steps, and scores the held-out people. With --run NAME=CHECKPOINT: no training; the generator of a checkpoint
of scintigen is loaded into the same PyTorch network and scored likewise, so that nothing of scintigen takes part.
"""
import argparse
import pathlib
import sys
import time

import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench" / "reference"))
import pix2pix  # noqa: E402
from paired_slices import append_scores, read_pairs  # noqa: E402


def read_safetensors(path, prefix):
    import json
    data = pathlib.Path(path).read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    weights = {}
    for name, entry in header.items():
        if name.startswith(prefix):
            begin, end = (8 + size + offset for offset in entry["data_offsets"])
            assert entry["dtype"] == "F32", f"{path}: {name} is {entry['dtype']}"
            weights[name[len(prefix):]] = torch.from_numpy(np.frombuffer(data[begin:end], np.float32).reshape(entry["shape"]).copy())
    return weights


def initialise(module):
    name = type(module).__name__
    if name.startswith("Conv"):
        torch.nn.init.normal_(module.weight, 0, 0.02)
        if module.bias is not None:
            torch.nn.init.zeros_(module.bias)
    elif name.startswith("BatchNorm"):
        torch.nn.init.normal_(module.weight, 1, 0.02)
        torch.nn.init.zeros_(module.bias)


def make_generator(options):
    return pix2pix.UnetGenerator(1, 1, options.side.bit_length() - 1, options.width)


def train(pairs, options):
    torch.manual_seed(options.seed)
    generator, discriminator = make_generator(options), pix2pix.PatchDiscriminator(2, options.width)
    generator.apply(initialise)
    discriminator.apply(initialise)
    trainer = pix2pix.Trainer(generator, discriminator, rate=options.rate)
    source, target = (torch.from_numpy(np.concatenate([pair[c] for pair in pairs]))[:, None] for c in (0, 1))
    order, begin = [], time.time()
    for step in range(1, options.steps + 1):
        if len(order) < options.batch:
            order = torch.randperm(len(source)).tolist()
        rows, order = order[:options.batch], order[options.batch:]
        losses = trainer.step(source[rows], target[rows])
        if step % 50 == 0:
            print(f"step {step} {time.time() - begin:.0f} s", {k: round(v, 3) for k, v in losses.items()}, flush=True)
    return generator


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("cohort")
    parser.add_argument("--held-out", required=True)
    parser.add_argument("--scores", required=True)
    parser.add_argument("--source", default="T2w")
    parser.add_argument("--target", default="spect")
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--steps", type=int, default=360)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--run", action="append", default=[])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    pairs = read_pairs(options.cohort, options.source, options.target, options.side)
    held_out = options.held_out.split(",")
    methods = {}
    for run in options.run:
        name, checkpoint = run.split("=", 1)
        # The averaged weights are what scintigen translates with, where there are such.
        weights = read_safetensors(checkpoint, "average.") or read_safetensors(checkpoint, "generator.")
        methods[name] = make_generator(options)
        missing = methods[name].load_state_dict(weights, strict=False)
        assert not missing.unexpected_keys and all("num_batches" in key for key in missing.missing_keys), missing
    if not options.run:
        methods["plain PyTorch"] = train([pairs[person] for person in pairs if person not in held_out], options)
    for name, generator in methods.items():
        generator.eval()
        for person in held_out:
            with torch.no_grad():
                made = generator(torch.from_numpy(pairs[person][0])[:, None])[:, 0].numpy()
            append_scores(options.scores, name, person, made, pairs[person][1])


if __name__ == "__main__":
    main()
