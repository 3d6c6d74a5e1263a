// SPDX-License-Identifier: Apache-2.0
// The machines of an axial plane, in memory and as a file.
//
// A support vector is the 64 latents of a control's patch: 16 channels at the four corners (0,0),
// (0,2), (2,0), (2,2) of the control's feature map. Neighbouring voxels share these corners, so a
// plane keeps each piece (16 channels of one control at one place of its map) once, in order of
// control and place, and which piece is whose follows from `voxel` and `control` alone: no index is
// stored. Nothing is lost: the same float16 values come back (docs/performance.md has the sizes).
// Checked tests/detection/test_voxel_machines.cpp
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace scintigen {

/// Voxels in the order of their index.
struct PlaneMachines {
  int64_t width = 0;              ///< of the plane
  torch::Tensor voxel;            ///< int32 [V]: row * width + column
  torch::Tensor rho, gamma;       ///< float32 [V]
  torch::Tensor count;            ///< int16 [V]: support vectors
  torch::Tensor control;          ///< int16 [S]: whose they are
  torch::Tensor coefficient;      ///< float32 [S]
  torch::Tensor pieces;           ///< float16 [U,16]
  torch::Tensor piece;            ///< int32 [S,4]: rows of `pieces`; made by index_pieces()
  torch::Tensor mean, deviation;  ///< float32 [V] of controls' held-out scores; undefined without
  torch::Tensor healthy;          ///< int64: ZDistribution of the plane; undefined without
  double largest_gap = 0;         ///< of the fits, as OneClassFit::gap

  /// Makes `piece` from voxel, count and control; returns for each row of `pieces` its control and
  /// its place (row * (width + 3) + column of the map).
  struct Piece {
    int32_t control, place;
  };
  std::vector<Piece> index_pieces();

  /// The 64 values of support vectors first .. first + count as float16 [count][64].
  void support_vectors(int64_t first, int64_t count, uint16_t* out) const;
};

/// One safetensors file; `key` says what it was made of and must be the same when it is read.
void write_plane(const std::filesystem::path& path, const PlaneMachines& machines,
                 const std::string& key);
/// A plane of height x width voxels, machines of so many controls.
/// throws  Error: read_tensors(); tensors missing or of other shapes or types; another key
PlaneMachines read_plane(const std::filesystem::path& path, const std::string& key, int64_t height,
                         int64_t width, int64_t controls);

}  // namespace scintigen
