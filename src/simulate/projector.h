// SPDX-License-Identifier: Apache-2.0
// Parallel projection of an image by turning it and summing towards the detector, with the blur of
// a collimator that grows with distance and with attenuation, either optional; and the adjoint.
//
//
// Blur: the sum travels from the farthest plane to the nearest and is blurred a little at each, so
// that a source at distance d ends with sigma(d) = sigma + slope d (Zeng and Gullberg 1992, Med
// Phys 19:1283, incremental slab by slab; the linear law and its numbers for a LEHR collimator are
// those of RTK's Zeng projector). Bilinear turning widens by 1/6 voxel^2 on average; the last step
// across the detector is that much narrower.
// Variances are exact, the full width at half maximum is 1.5 % short at 10 cm on 2 mm voxels (the
// short steps' sixth moment).
// Attenuation: each plane multiplies the travelling sum by exp(-mu pixel), half of it for the
// plane's own activity. Photons are thus attenuated where the blurred beam is, not on its axis; for
// a straight edge the two differ within the blur's width only.
// Checked in tests/simulate/test_projector.cpp.
#pragma once
#include <vector>

#include "simulate/rotation.h"

namespace scintigen {

struct ProjectorGeometry {
  int64_t side = 0;    ///< voxels across the image and bins of a view
  int64_t slices = 0;  ///< along the axis of rotation
  int64_t views = 0;
  bool full_turn = true;  ///< views over 360 degrees, else over 180
  double pixel_mm = 1;    ///< of image and views
  /// Axis to collimator face; what is nearer than the face counts as at it.
  double orbit_radius_mm = 0;
  /// Collimator; a sigma and slope of 0 mean lines without width.
  double collimator_sigma_mm = 0, collimator_slope = 0;
};

/// Images are columns [side][side][slices] = [y][x][z], views [views][side][slices]. A view's value
/// is the sum over voxels (times pixel_mm: the line integral). View v looks along the image's y
/// axis turned by 2 pi v / views (full_turn) or pi v / views. Opposite views share a rotation: view
/// r and r + views / 2 are rotation r where full_turn is set and views is even, else rotation r is
/// view r. One projector serves one thread (it owns the memory it works in); results do not depend
/// on which.
class Projector {
 public:
  Projector(const ProjectorGeometry& geometry, Support support);
  Projector(Projector&&) = default;
  Projector(const Projector&) = delete;  // the beam points into its own memory
  /// Linear attenuation in 1/mm, an image; without it there is none.
  void set_attenuation(const std::vector<float>& per_mm);

  const ProjectorGeometry& geometry() const { return geometry_; }
  const Support& support() const { return support_; }
  int64_t rotations() const { return rotations_; }
  std::vector<int64_t> views_of(int64_t rotation) const;
  int64_t view_size() const { return plane_size_; }
  size_t image_size() const { return static_cast<size_t>(geometry_.side * plane_size_); }
  size_t projection_size() const { return static_cast<size_t>(geometry_.views * plane_size_); }

  /// Writes the views of a rotation; `views` holds all views. What is outside the support is not
  /// seen.
  void forward(const float* columns, int64_t rotation, float* views);
  /// Adjoint: adds the views of a rotation to an image, within the support.
  void back(const float* views, int64_t rotation, float* columns);

 private:
  Turn turn_of(int64_t rotation, const Support& support) const;
  void turn_loss(int64_t rotation);
  int64_t plane_at(int64_t side, int64_t step) const;
  bool plain() const { return !blurs_ && loss_.empty(); }
  RowRange pass_plane(int64_t w, RowRange held);
  void sweep(int64_t side, float* view);
  void take_plane(int64_t w, bool add);
  void sweep_back(int64_t side, const float* view, bool add);
  void sum_lines(const float* columns, int64_t rotation, float* views);
  void spread_lines(const float* views, int64_t rotation, float* columns);

  ProjectorGeometry geometry_;
  Support support_, loss_support_;
  int64_t rotations_, plane_size_;
  bool blurs_;
  std::vector<double> step_variance_;  // voxels^2 on the way from the plane before to each plane
  double last_across_ = 0, last_along_ = 0;  // and from the nearest plane into the detector
  PlaneBlur blur_;
  std::vector<float> loss_;                  // 1 - exp(-mu pixel / 2), an image
  std::vector<float> turned_, turned_loss_;  // [w][u][z]
  std::vector<RowRange> rows_, loss_rows_;   // of each turned plane
  std::vector<float> first_plane_, second_plane_;
  float *beam_, *spare_;  // the travelling sum [u][z]
};

}  // namespace scintigen
