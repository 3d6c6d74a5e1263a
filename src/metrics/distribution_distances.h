// SPDX-License-Identifier: Apache-2.0
// How far two sets of images are apart in a feature space, and whether one covers the other.
// Does: measures on features [N,K] (principal_components() makes them from slices, or any network).
// Does not: choose features; compare values from different feature spaces.
// All throw Error for features that are not [N,K] of floating point, not finite, of unlike K, or
// fewer rows than a measure needs. Checked tests/metrics/test_distribution_distances.cpp against
// NumPy and scikit-learn.
#pragma once
#include <torch/types.h>

#include <cstdint>

namespace scintigen {

/// Kernel inception distance's estimator on any features: the unbiased squared maximum mean
/// discrepancy with kernel (x.y / K + 1)^3 of all rows; may be below 0. Binkowski 2018.
double kernel_distance(const torch::Tensor& a, const torch::Tensor& b);

/// The same over random subsets of min(size, N, M) rows of each: mean and standard deviation over
/// subsets, as usually reported.
struct SubsetDistance {
  double mean = 0, deviation = 0;
  int64_t subsets = 0, size = 0;
};
SubsetDistance kernel_distance_of_subsets(const torch::Tensor& a, const torch::Tensor& b,
                                          int64_t subsets = 100, int64_t size = 1000,
                                          uint64_t seed = 1);

/// Mean over random unit directions of the 1-Wasserstein distance of the projections; exact on each
/// line for any N and M. Bonneel 2015.
double sliced_wasserstein(const torch::Tensor& a, const torch::Tensor& b, int64_t directions = 256,
                          uint64_t seed = 1);

/// Manifold measures of `synthetic` against `real` with the k-th nearest neighbour's distance as
/// each image's radius. precision, recall: Kynkaanniemi 2019; density, coverage: Naeem 2020.
struct ManifoldMeasures {
  double precision = 0;  ///< synthetic images within the radius of some real one
  double recall = 0;     ///< real images within the radius of some synthetic one
  double density = 0;    ///< how many real balls hold a synthetic image / k; above 1 is possible
  double coverage = 0;   ///< real images whose ball holds a synthetic one
};
/// throws  Error: k < 1, or a set of k rows or fewer
ManifoldMeasures manifold_measures(const torch::Tensor& real, const torch::Tensor& synthetic,
                                   int64_t k = 5);

/// Leave-one-out accuracy of the nearest neighbour in telling the sets apart; 0.5 = cannot. Real
/// images taken for real are `real`; both matter: 1 and 0 is a collapsed generator. Lopez-Paz 2017.
/// Give sets of the same size: else the larger one wins more neighbours by chance.
struct NeighbourTest {
  double accuracy = 0, real = 0, synthetic = 0;
};
NeighbourTest nearest_neighbour_test(const torch::Tensor& real, const torch::Tensor& synthetic);

/// Frechet distance of Gaussians fitted to both sets: |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^1/2).
/// Heusel 2017. throws  Error unless both sets have more rows than features: below, the covariances
/// are singular and the distance says more about N than about the images.
double frechet_distance(const torch::Tensor& a, const torch::Tensor& b);

}  // namespace scintigen
