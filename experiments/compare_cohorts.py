# SPDX-License-Identifier: Apache-2.0
"""compare_cohorts.py PICTURE.png COHORT COHORT...: prepared cohorts beside one another, the first as the yardstick.

Prints, for the slices at basal_ganglia and cortex: the radial power spectrum (log10, relative to frequencies 1 to 3 per
field of view) and the distance between the histograms of gray levels above 5 % of the maximum (Kolmogorov-Smirnov D).
Draws each cohort's slices by level and pattern in the perfusion colours of scintigen's sheets. NumPy alone.
"""
import csv
import json
import struct
import sys
import zlib

import numpy as np

STOPS = [(0, 0, 0, 0), (.12, 22, 6, 88), (.26, 28, 48, 196), (.38, 0, 138, 216), (.48, 0, 184, 150), (.58, 64, 206, 58),
         (.69, 238, 226, 30), (.8, 255, 140, 0), (.9, 226, 24, 24), (1, 255, 255, 255)]
LEVELS, PATTERNS, EACH, ZOOM = ["cerebellum", "basal_ganglia", "cortex"], ["normal", "unilateral", "bilateral"], 2, 2
FREQUENCIES = [2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 24, 28]


def read(folder):
    data = open(f"{folder}/slices.safetensors", "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    entry = json.loads(data[8:8 + size])["slices"]
    begin, end = entry["data_offsets"]
    slices = np.frombuffer(data[8 + size + begin:8 + size + end], np.float32).reshape(entry["shape"])
    return slices, list(csv.DictReader(open(f"{folder}/slices.tsv"), delimiter="\t"))


def radial_power(slices):
    side = slices.shape[1]
    index = np.fft.fftfreq(side) * side
    radius = np.hypot(index[:, None], index).round().astype(int)
    power = np.mean([np.abs(np.fft.fft2(one)) ** 2 for one in slices], 0)
    profile = np.array([power[radius == k].mean() for k in range(side // 2)])
    return np.log10(profile / profile[1:4].mean())


def gray_levels(slices):
    return np.sort(slices[slices > 0.05])


def ks(a, b):
    both = np.concatenate([a, b])
    return np.abs(np.searchsorted(a, both, "right") / len(a) - np.searchsorted(b, both, "right") / len(b)).max()


def coloured(image):
    stops = np.array(STOPS)
    return np.stack([np.interp(image, stops[:, 0], stops[:, c]) for c in (1, 2, 3)], -1).astype(np.uint8)


def row_of(slices, rows):
    """Per level and pattern EACH slices of different participants; black where there are none."""
    tiles = []
    for level in LEVELS:
        for pattern in PATTERNS:
            seen, chosen = set(), []
            for index, row in enumerate(rows):
                if row["level"] == level and row["pattern"] == pattern and row["participant_id"] not in seen:
                    seen.add(row["participant_id"])
                    chosen.append(coloured(slices[index]))
            tiles += chosen[:EACH] + [np.zeros((*slices.shape[1:], 3), np.uint8)] * max(0, EACH - len(chosen))
    return np.concatenate(tiles, 1)


def write_png(path, image):
    image = image.repeat(ZOOM, 0).repeat(ZOOM, 1)
    lines = b"".join(b"\0" + line.tobytes() for line in image)
    chunk = lambda kind, body: struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    header = struct.pack(">IIBBBBB", image.shape[1], image.shape[0], 8, 2, 0, 0, 0)
    open(path, "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b""))


def main(picture, *folders):
    print("columns of the picture:", ", ".join(f"{level} {pattern}" for level in LEVELS for pattern in PATTERNS))
    bands, first = [], None
    for folder in folders:
        slices, rows = read(folder)
        here = [row["level"] in LEVELS[1:] for row in rows]
        chosen = slices[here]
        people = {row["participant_id"] for row, is_here in zip(rows, here) if is_here}
        power, levels = radial_power(chosen), gray_levels(chosen)
        first = first or (power, levels)
        print(f"{folder}: {len(chosen)} slices of {len(people)} participants")
        print("  log10 power at", " ".join(f"{k}:{power[k]:.2f}" for k in FREQUENCIES))
        print(f"  largest difference to the first, frequencies 2 to 18: {np.abs(power - first[0])[2:19].max():.2f}")
        print(f"  gray levels: median {np.median(levels):.3f}, quartiles {np.quantile(levels, .25):.3f} {np.quantile(levels, .75):.3f}, "
              f"KS D to the first {ks(first[1], levels):.3f}")
        bands.append(row_of(slices, rows))
    write_png(picture, np.concatenate(bands, 0))


if __name__ == "__main__":
    main(*sys.argv[1:])
