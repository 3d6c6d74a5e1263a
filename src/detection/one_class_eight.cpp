// SPDX-License-Identifier: Apache-2.0
#include "detection/one_class_kernels.h"
#include "models/vector_lanes.h"

namespace scintigen {
namespace {
// NOLINTBEGIN(modernize-use-using): GCC bug 88600
typedef Eight Floats;
typedef EightWhole Wholes;
// NOLINTEND(modernize-use-using)
constexpr int kLanes = 8;
// A tile of the kernel matrix: 5 x 16 sums in 10 registers of AVX2.
constexpr int kTileRows = 5, kTileParts = 2;
}  // namespace
}  // namespace scintigen
#define SCINTIGEN_VERSIONS SCINTIGEN_CLONES

#include "detection/one_class_dual.h"
#include "detection/one_class_matrix.h"

namespace scintigen {

const OneClassArithmetic& one_class_eight() {
  static constexpr OneClassArithmetic arithmetic{centre_examples, rbf_kernel, solve_dual};
  return arithmetic;
}

}  // namespace scintigen
