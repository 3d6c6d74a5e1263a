#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/core/* with NumPy, nibabel and the standard library.

The build never needs this script; it is kept so that anyone can see where the golden bytes come from:
    python3 tools/make_golden_core.py
"""
import gzip
import json
import math
import pathlib
import struct

import nibabel
import numpy

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "core"
ORIGIN = f"NumPy {numpy.__version__}, nibabel {nibabel.__version__}"
MASK = (1 << 64) - 1


def write_safetensors(path, tensors, metadata, order=None):
    """tensors: name -> (dtype, shape, bytes). The data lie in `order`, the header names sort."""
    places, offset = {}, 0
    for name in order or list(tensors):
        places[name] = offset
        offset += len(tensors[name][2])
    header = {"__metadata__": metadata}
    for name in sorted(tensors):
        dtype, shape, data = tensors[name]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [places[name], places[name] + len(data)]}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(tensors[n][2] for n in order or list(tensors)))


def every_dtype():
    """n[i] = i - 3 in each dtype (U8: i), so that a reader's every branch is seen."""
    values = numpy.arange(6) - 3
    bfloat16 = (values.astype("<f4").view("<u4") >> 16).astype("<u2")  # small whole numbers: exact
    tensors = {
        "f64": ("F64", [2, 3], values.astype("<f8").tobytes()),
        "f32": ("F32", [2, 3], values.astype("<f4").tobytes()),
        "f16": ("F16", [2, 3], values.astype("<f2").tobytes()),
        "bf16": ("BF16", [2, 3], bfloat16.tobytes()),
        "i64": ("I64", [2, 3], values.astype("<i8").tobytes()),
        "i32": ("I32", [2, 3], values.astype("<i4").tobytes()),
        "i16": ("I16", [2, 3], values.astype("<i2").tobytes()),
        "i8": ("I8", [2, 3], values.astype("i1").tobytes()),
        "u8": ("U8", [2, 3], numpy.arange(6).astype("u1").tobytes()),
        "bool": ("BOOL", [2, 3], (values > 0).astype("u1").tobytes()),
        "scalar": ("F32", [], struct.pack("<f", 2.5)),
        "empty": ("F32", [0, 4], b""),
    }
    order = ["u8", "f64", "empty", "bool", "i16", "f32", "scalar", "i8", "bf16", "i64", "f16", "i32"]
    write_safetensors(GOLDEN / "every_dtype.safetensors", tensors, {"origin": ORIGIN, "a key": "text é"}, order)


def mixed(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def stream_seed(seed, stream, index):
    step, name = 0x9E3779B97F4A7C15, 0xCBF29CE484222325
    for byte in stream.encode():
        name = ((name ^ byte) * 0x100000001B3) & MASK
    return mixed((mixed((mixed((seed + step) & MASK) + name) & MASK) + index * step + 1) & MASK)


def draws(state, count):
    return [mixed((state + (i + 1) * 0x9E3779B97F4A7C15) & MASK) for i in range(count)]


def randomness():
    """Box-Muller in the C library's own log, cos and sin."""
    raw = draws(stream_seed(7, "noise", 3), 500)
    normal = []
    for a, b in zip(raw[::2], raw[1::2]):
        radius = math.sqrt(-2 * math.log(((a >> 11) + 1) / 2**53))
        angle = 2 * math.pi * ((b >> 11) / 2**53)
        normal += [radius * math.cos(angle), radius * math.sin(angle)]
    bits = [stream_seed(s, n, i) for s in (0, 1, MASK) for n in ("", "batch", "noise") for i in (0, 1, 10**9)]
    tensors = {
        "normal": ("F32", [500], numpy.array(normal).astype("<f4").tobytes()),
        "uniform": ("F32", [500], numpy.array([(r >> 40) / 2**24 for r in raw]).astype("<f4").tobytes()),
        "draws": ("I64", [500], numpy.array(raw, dtype="<u8").tobytes()),
        "stream_seeds": ("I64", [27], numpy.array(bits, dtype="<u8").tobytes()),
    }
    write_safetensors(GOLDEN / "random.safetensors", tensors, {"origin": ORIGIN})


def oblique_affine():
    """Left-handed (as most brain SPECT is stored), turned about two axes, 2 x 3 x 4 mm."""
    a, b = 0.3, -0.2
    turn = numpy.array([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0], [0, 0, 1]]) @ numpy.array(
        [[1, 0, 0], [0, math.cos(b), -math.sin(b)], [0, math.sin(b), math.cos(b)]])
    affine = numpy.eye(4)
    affine[:3, :3] = turn @ numpy.diag([-2.0, 3.0, 4.0])
    affine[:3, 3] = [90.5, -126.25, -72.0]
    return affine


def scans():
    affine = oblique_affine()
    voxels = numpy.arange(5 * 4 * 3, dtype=numpy.float32).reshape(5, 4, 3).transpose(2, 1, 0)  # [i,j,k], i fastest
    # What write_nifti() writes, field by field through nibabel.
    header = nibabel.Nifti1Header(endianness="<")
    header.set_data_shape(voxels.shape)
    header.set_data_dtype(numpy.float32)
    header.set_qform(affine, code=2)
    header.set_sform(affine, code=2)
    header.set_xyzt_units(xyz="mm")
    header["descrip"] = b"synthetic, scintigen"
    header["pixdim"][4:] = 0  # there is no fourth axis
    header["regular"] = b""
    header["magic"] = b"n+1"
    header["vox_offset"] = 352
    header["scl_slope"], header["scl_inter"] = 1, 0
    (GOLDEN / "oblique.nii").write_bytes(header.binaryblock + bytes(4) + voxels.tobytes(order="F"))
    read = nibabel.load(GOLDEN / "oblique.nii")
    numpy.testing.assert_allclose(read.affine, affine, atol=1e-5)
    numpy.testing.assert_allclose(read.get_qform(), affine, atol=1e-5)
    numpy.testing.assert_array_equal(read.get_fdata(), voxels)
    # What nibabel writes of itself: both versions, both byte orders, 3-D and 4-D.
    counts = numpy.arange(3 * 4 * 5 * 2).reshape(3, 4, 5, 2)
    big_endian = nibabel.Nifti1Header(endianness=">")
    big_endian.set_data_dtype(numpy.uint16)
    for name, image in {
        "version_1.nii.gz": nibabel.Nifti1Image(counts[..., 0].astype("<i2"), affine),
        "version_2.nii": nibabel.Nifti2Image(counts.astype("<f4"), affine),
        "big_endian.nii": nibabel.Nifti1Image(counts[..., :1].astype(">u2"), affine, big_endian),
    }.items():
        nibabel.save(image, GOLDEN / name)
    plain = gzip.decompress((GOLDEN / "version_1.nii.gz").read_bytes())
    (GOLDEN / "version_1.nii.gz").write_bytes(gzip.compress(plain, mtime=0))


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    every_dtype()
    randomness()
    scans()
