// SPDX-License-Identifier: Apache-2.0
#include <algorithm>  // what the headers below need is read before the pragma
#include <cmath>
#include <limits>

#include "detection/one_class_kernels.h"
#include "models/vector_lanes.h"

#ifdef SCINTIGEN_SIXTEEN_LANES
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4")
namespace scintigen {
namespace {
// NOLINTBEGIN(modernize-use-using): GCC bug 88600
typedef Sixteen Floats;
typedef SixteenWhole Wholes;
// NOLINTEND(modernize-use-using)
constexpr int kLanes = 16;
// A tile of the kernel matrix: 8 x 32 sums in 16 registers, enough to hide an addition's latency.
constexpr int kTileRows = 8, kTileParts = 2;
}  // namespace
}  // namespace scintigen
#define SCINTIGEN_VERSIONS

#include "detection/one_class_dual.h"
#include "detection/one_class_matrix.h"
#pragma GCC pop_options
#endif

namespace scintigen {

const OneClassArithmetic* one_class_sixteen() {
#ifdef SCINTIGEN_SIXTEEN_LANES
  static constexpr OneClassArithmetic arithmetic{centre_examples, rbf_kernel, solve_dual};
  return __builtin_cpu_supports("x86-64-v4") ? &arithmetic : nullptr;
#else
  return nullptr;
#endif
}

}  // namespace scintigen
