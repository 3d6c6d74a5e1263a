// SPDX-License-Identifier: Apache-2.0
// Volumes from NIfTI files.
// Does: NIfTI-1 and NIfTI-2, either byte order, .nii and .nii.gz, scaling, the affine in RAS mm.
// Does not: use a library. check_nifti() has judged the header, and what remains is a stream of
// numbers; ITK 5.2.1, say, refuses NIfTI-2 and sheared sforms and holds the file twice.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "core/grid.h"

namespace scintigen {

/// Reads a 3-D volume as float32, scl_slope and scl_inter applied. The affine is the sform where
/// its code is above 0, else the qform, else voxel sizes alone; in millimetres whatever the
/// header's unit of length. Non-finite voxels are kept: slice_problem() refuses where they matter.
/// What is usable but strange is said in `notes` (with warn() where that is null): no orientation
/// in the header, sform and qform over 1e-3 mm apart at a corner, axes that are not orthogonal.
/// throws  Error: all of check_nifti(); 4-D; an affine that is singular; over 4 GiB as float32
/// Uses    the volume as float32 and 1 MiB
/// Checked tests/core/test_volume_io.cpp: 48 orientations x {sform, qform}, every number type,
///         both byte orders, NIfTI-2, against files written byte by byte
Volume read_volume(const std::filesystem::path& path, std::vector<std::string>* notes = nullptr);

/// Shape and place of a volume: the same as of read_volume(), without reading its voxels.
/// throws  Error: all of read_volume() but what its voxels would cause
Grid read_grid(const std::filesystem::path& path, std::vector<std::string>* notes = nullptr);

/// The same of an uncompressed float32 .nii of this machine's byte order, without scaling: pages
/// are read when touched and shared between processes. What is written to the tensor stays private.
/// throws  Error: all of read_volume(); a file of another kind
Volume map_volume(const std::filesystem::path& path);

/// A vector at each voxel.
struct VectorVolume {
  torch::Tensor vectors;    ///< float32 [3,D,H,W]
  Affine voxel_to_world{};  ///< mm, RAS+
  std::string description;  ///< the header's
  int intent = 0;           ///< NIfTI's code of what the numbers are
};

/// Reads what write_nifti_vectors() and ITK write: three numbers a voxel along the fifth dimension,
/// as they stand there (which way they point is the writer's convention).
/// throws  Error: all of read_volume(); another shape than [i,j,k,1,3]
VectorVolume read_nifti_vectors(const std::filesystem::path& path);

}  // namespace scintigen
