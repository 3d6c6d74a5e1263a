// SPDX-License-Identifier: Apache-2.0
// Maps between the worlds of two scans that need not be affine: what a point goes through, step by
// step, each step an affine map or a field of displacements.
// Does: points, composition, the inverse. Does not: resample (core/resample.h), read or write
//       files (core/transform_file.h).
#pragma once
#include <torch/types.h>

#include <memory>
#include <vector>

#include "core/affine.h"
#include "core/grid.h"

namespace scintigen {

/// x -> x + d(x): `mm` float32 [3,D,H,W], contiguous, along x, y, z of the world (RAS+), at the
/// voxels of a grid; linear in between; 0 from one voxel outside it on.
struct Displacements {
  torch::Tensor mm;
  Affine voxel_to_world{};
  Grid grid() const;
  Point operator()(const Point& at) const;  ///< x + d(x), mm
};

/// The displacements of the inverse map, on the same grid: d' with x + d'(x) the point whose
/// displaced place is x. By a fixed point, voxel by voxel, whose step shrinks where it does not
/// come nearer; threaded. throws  Error: mm not float32 [3,D,H,W] or not finite, a singular grid; a
/// place that it does not
///         come to (the map folds): says where
/// Checked tests/core/test_spatial_map.cpp: there and back within 0.1 mm between the voxels of a
///         smooth field; one that compresses to a tenth
Displacements inverse(const Displacements& field);

/// Least determinant of the Jacobian of x -> x + d(x) (central differences) over the voxels but the
/// outermost: 1 keeps volume, 0 or less folds.
double least_jacobian(const Displacements& field);

/// World to world, mm, RAS+. Every Affine is one; affine steps that follow one another become one.
class SpatialMap {
 public:
  SpatialMap(const Affine& map);  // NOLINT(google-explicit-constructor): an affine map is a map
  explicit SpatialMap(Displacements field);

  bool is_affine() const { return fields_.empty(); }
  /// The affine steps alone, composed: the whole map where it is affine; else how it scales and
  /// turns, without the deformation.
  Affine affine() const;
  Point operator()(const Point& at) const;

  /// x -> outer(inner(x))
  friend SpatialMap compose(const SpatialMap& outer, const SpatialMap& inner);
  /// The inverse of an inverse is the map itself, not a second approximation.
  /// throws  Error: as inverse(Displacements)
  friend SpatialMap inverse(const SpatialMap& map);

 private:
  struct Field {
    Displacements displacements;
    Affine to_voxel;
  };
  struct Step {
    std::shared_ptr<const Field> forward, backward;  ///< backward: null until it is asked for
  };
  // A point goes through affines_[0], fields_[0], affines_[1], ..., affines_.back().
  std::vector<Affine> affines_;
  std::vector<Step> fields_;
};

}  // namespace scintigen
