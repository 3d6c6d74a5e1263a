// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "core/random.h"
#include "core/resample.h"
#include "imaging/deformation.h"
#include "imaging/head_phantom.h"
#include "imaging/prepare_grid.h"

namespace scintigen {
namespace {

const Affine kInMni = {{{0.85, 0, 0, 0}, {0, 0.85, 0, -18}, {0, 0, 0.8, 6}, {0, 0, 0, 1}}};

Volume brain_of(const Volume& head, const Affine& head_to_world) {
  Volume mask = head;
  mask.voxels = torch::zeros_like(head.voxels);
  const Affine to_head = compose(inverse(head_to_world), head.voxel_to_world);
  auto inside = mask.voxels.accessor<float, 3>();
  for (int64_t k = 0; k < inside.size(0); ++k)
    for (int64_t j = 0; j < inside.size(1); ++j)
      for (int64_t i = 0; i < inside.size(2); ++i)
        inside[k][j][i] = depth_in(transform_point(to_head, {double(i), double(j), double(k)}),
                                   {0, 0, 4}, {70, 88, 76}) > 0;
  return mask;
}

/// Smooth displacements of `sd_mm` along each axis over the template's box, 0 at its faces.
Displacements smooth_field(double sd_mm, uint64_t seed) {
  const Grid grid = template_grid(4);
  Random random(seed, "field");
  Displacements field{random.normal_tensor({3, grid.nk, grid.nj, grid.ni}), grid.voxel_to_world};
  auto inner = torch::zeros({grid.nk, grid.nj, grid.ni});
  inner.slice(0, 3, -3).slice(1, 3, -3).slice(2, 3, -3).fill_(1);
  for (int64_t c = 0; c < 3; ++c) {
    auto one = field.mm[c];
    one *= inner;
    gaussian_blur(one.data_ptr<float>(), grid.ni, grid.nj, grid.nk, {5, 5, 5});
  }
  field.mm *= sd_mm / field.mm.std().item<double>();
  return field;
}

struct Made {
  Volume head, mask, t1, brain;
  SpatialMap truth = identity_affine();  ///< template to person
  Affine affine{};                       ///< the same without the deformation
};

Made make(double sd_mm, double noise, uint64_t seed) {
  Made made;
  const Grid grid = template_grid(2);
  made.head = head_phantom(grid, kInMni, PhantomScan::kT1, {true, 0, 1.5, 1});
  made.mask = brain_of(made.head, kInMni);
  const auto field = smooth_field(sd_mm, seed);
  // Another place, size, grid, brightness.
  made.affine =
      compose(rigid_affine({0.05, -0.04, 0.08}, {6, -4, 9}),
              Affine{{{1.05, 0, 0, 0}, {0, 0.97, 0.02, 0}, {0, 0, 1.02, 0}, {0, 0, 0, 1}}});
  const SpatialMap to_template = compose(SpatialMap(field), SpatialMap(inverse(made.affine)));
  made.truth = inverse(to_template);
  const Grid own = centred_grid(100, 120, 96, 2, {-1, 2, 3});
  made.t1 = resample(made.head, own, to_template, Interpolation::kLinear);
  made.t1.voxels = 700 * made.t1.voxels.pow(1.2);
  made.t1.voxels +=
      static_cast<float>(700 * noise) * Random(seed, "noise").normal_tensor(made.t1.voxels.sizes());
  made.brain = resample(made.mask, own, to_template, Interpolation::kNearest);
  return made;
}

/// Mean distance in the template's brain between where `found` and the truth lead.
double mean_error_mm(const Made& made, const SpatialMap& found) {
  const auto inside = made.mask.voxels.accessor<float, 3>();
  double sum = 0;
  int64_t count = 0;
  for (int64_t k = 0; k < inside.size(0); k += 3)
    for (int64_t j = 0; j < inside.size(1); j += 3)
      for (int64_t i = 0; i < inside.size(2); i += 3) {
        if (inside[k][j][i] == 0) continue;
        const auto at =
            transform_point(made.mask.voxel_to_world, {double(i), double(j), double(k)});
        const auto a = made.truth(at), b = found(at);
        sum += std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
        ++count;
      }
  return sum / static_cast<double>(count);
}

Deformation deform(const Made& made) {
  return deform_to_template(made.head, made.mask, made.t1, made.brain, made.affine);
}

TEST(DeformationSlow, AKnownOneIsFound) {
  for (const uint64_t seed : {1U, 2U}) {
    const auto made = make(2.5, 0.03, seed);
    const auto found = deform(made);
    const double without = mean_error_mm(made, made.affine);
    const double with =
        mean_error_mm(made, compose(SpatialMap(made.affine), SpatialMap(found.field)));
    EXPECT_GT(without, 3) << seed;
    EXPECT_LT(with, 0.5 * without) << seed;
    EXPECT_GT(found.least_jacobian, 0.2);
    EXPECT_GT(found.similarity_after, found.similarity_before + 0.05);
    EXPECT_GT(found.overlap_after, 0.97);
    EXPECT_EQ(found.doubt, "");
    inverse(found.field);  // it can be
  }
}

TEST(DeformationSlow, WhereThereIsNoneLittleIsMade) {
  const auto made = make(1e-9, 0.03, 3);
  const auto found = deform(made);
  EXPECT_LT(mean_error_mm(made, compose(SpatialMap(made.affine), SpatialMap(found.field))), 0.6);
  EXPECT_GT(found.least_jacobian, 0.5);
  EXPECT_EQ(found.doubt, "");
}

TEST(DeformationSlow, TheSameWhateverTheThreads) {
  const auto made = make(2, 0.03, 4);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = deform(made);
  at::set_num_threads(2);
  const auto two = deform(made);
  at::set_num_threads(threads);
  EXPECT_TRUE(torch::equal(one.field.mm, two.field.mm));
}

TEST(Deformation, ATemplateWithoutBrainIsRefused) {
  auto made = make(1e-9, 0, 1);
  made.mask.voxels = torch::zeros_like(made.mask.voxels);
  EXPECT_THROW(deform(made), Error);
}

}  // namespace
}  // namespace scintigen
