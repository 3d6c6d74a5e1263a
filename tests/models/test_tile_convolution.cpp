// SPDX-License-Identifier: Apache-2.0
// Minimal filtering against LibTorch's convolution in float64: result and both gradients.
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include "core/random.h"
#include "models/tile_convolution.h"

namespace scintigen {
namespace {

struct Case {
  int64_t images, height, width, in, out, stride;
};

double distance(const at::Tensor& a, const at::Tensor& b) {
  return ((a.to(torch::kDouble) - b).norm() / b.norm()).item<double>();
}

class TileConvolution : public testing::TestWithParam<Case> {
 protected:
  template <class T>
  void compare(double tolerance) {
    const auto [images, height, width, in, out, stride] = GetParam();
    const TileShape shape{images, height, width, in, out, stride};
    const auto type = c10::CppTypeToScalarType<T>::value;
    if (!tile_convolution_applies(shape, type == torch::kBFloat16)) GTEST_SKIP() << "processor";
    Random random(7, "tile");
    const int64_t side = stride == 1 ? 3 : 4;
    const at::Tensor x = random.normal_tensor({images, height, width, in}).to(type);
    const at::Tensor weight = random.normal_tensor({in, side, side, out});
    const at::Tensor gy =
        random.normal_tensor({images, height / stride, width / stride, out}).to(type);
    const auto plain_x = x.to(torch::kDouble).permute({0, 3, 1, 2}).requires_grad_();
    const auto plain_weight = weight.to(torch::kDouble).permute({3, 0, 1, 2}).requires_grad_();
    const auto plain_y = at::conv2d(plain_x, plain_weight, {}, stride, 1);
    plain_y.backward(gy.to(torch::kDouble).permute({0, 3, 1, 2}));

    at::Tensor y = torch::empty_like(gy), gx = torch::empty_like(x),
               gweight = torch::empty_like(weight);
    tile_convolution_forward(shape, x.data_ptr<T>(), weight.data_ptr<float>(), y.data_ptr<T>());
    tile_convolution_backward(shape, gy.data_ptr<T>(), x.data_ptr<T>(), weight.data_ptr<float>(),
                              gx.data_ptr<T>(), gweight.data_ptr<float>());
    EXPECT_LT(distance(y.permute({0, 3, 1, 2}), plain_y.detach()), tolerance);
    EXPECT_LT(distance(gx.permute({0, 3, 1, 2}), plain_x.grad()), tolerance);
    EXPECT_LT(distance(gweight.permute({3, 0, 1, 2}), plain_weight.grad()), tolerance);
  }
};

TEST_P(TileConvolution, EqualsThePlainSum) { compare<float>(2e-6); }
// One rounding to bfloat16 is 2^-9 = 0.002 relative; pixels, weights and result are rounded once or
// twice each.
TEST_P(TileConvolution, EqualsThePlainSumInBfloat16) { compare<c10::BFloat16>(0.012); }

INSTANTIATE_TEST_SUITE_P(Shapes, TileConvolution,
                         testing::Values(Case{1, 32, 32, 32, 32, 1}, Case{2, 16, 32, 64, 32, 1},
                                         Case{3, 32, 32, 32, 96, 2}, Case{4, 64, 32, 64, 64, 2}));

TEST(TileConvolutionSizes, RefusesSizesThatDoNotFillTheRegisters) {
  EXPECT_FALSE(tile_convolution_applies({1, 32, 32, 31, 32, 1}, false));
  EXPECT_FALSE(tile_convolution_applies({1, 32, 30, 32, 32, 2}, false));
  EXPECT_FALSE(tile_convolution_applies({0, 32, 32, 32, 32, 1}, false));
}

}  // namespace
}  // namespace scintigen
