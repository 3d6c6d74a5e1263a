// SPDX-License-Identifier: Apache-2.0
// NIfTI-1 headers and a NIfTI-1 writer (a bare GPU node writes its synthetic scans with it). Does:
// judge a header before any reader allocates; write volumes with both forms set.  Does not: read
// voxels (core/volume_io.h does, in bounded memory).
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/volume.h"

namespace scintigen {

/// What a NIfTI-1/2 header says, after it passed every check of check_nifti().
struct NiftiHeader {
  int version = 1;             ///< 1 or 2
  std::vector<int64_t> shape;  ///< i, j, k, ... (dim[1..dim[0]]), trailing 1s removed beyond three
  int datatype = 0;            ///< NIFTI code
  int64_t voxel_bytes = 0;
  int64_t data_bytes = 0;  ///< what the shape and datatype need
  bool swapped = false;    ///< other byte order
};

/// Reads at most the header (plus one streaming pass over the bytes that follow, nothing kept) and
/// judges it. Accepts .nii and .nii.gz, NIfTI-1 and NIfTI-2, either byte order. throws  Error:
/// missing; not NIfTI (says what it looks like: HTML page, DICOM, gzip of something else, PNG);
///         truncated or corrupt (expected and found bytes); dim[0] not 1..7; a dimension < 1; more
///         than `limit_bytes` of voxels (says the shape claimed); unsupported datatype (complex,
///         RGB, 128-bit); vox_offset, pixdim or scl_slope not finite or senseless.
/// Uses    under 16 MiB whatever the header claims.
NiftiHeader check_nifti(const std::filesystem::path& path, int64_t limit_bytes = int64_t{8} << 30);

/// How voxels are stored. kInt16: whole numbers as they are where they fit, else scaled by their
/// largest magnitude / 32767. kUint8: whole numbers 0 to 255 only (masks, labels).
enum class NiftiNumber { kFloat32, kInt16, kUint8 };

/// Writes NIfTI-1 (.nii or .nii.gz), atomically. sform = qform, both code `form_code` (1 scanner,
/// 2 aligned, 4 MNI). `description` (<= 79 bytes) goes to descrip: synthetic volumes say so there.
/// The header holds nothing else: no names, no dates; unused bytes are zero. throws  Error: voxels
/// not float32 [D,H,W], a side over 32767, an affine whose axes are not orthogonal (1e-3), kInt16
/// or kUint8 of numbers that are not finite, kUint8 of others than 0, 1, .. 255.
void write_nifti(const std::filesystem::path& path, const Volume& volume,
                 const std::string& description, int form_code = 1,
                 NiftiNumber number = NiftiNumber::kFloat32);

/// Writes a vector at each voxel: `vectors` float32 [3,D,H,W], as given, as NIfTI's fifth dimension
/// with intent code 1007 (vector). Which way x, y, z point is the caller's to say in `description`.
void write_nifti_vectors(const std::filesystem::path& path, const torch::Tensor& vectors,
                         const Affine& voxel_to_world, const std::string& description,
                         int form_code = 1);

}  // namespace scintigen
