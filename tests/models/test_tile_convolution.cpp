// SPDX-License-Identifier: Apache-2.0
// Minimal filtering against LibTorch's convolution in float64: result and both gradients.
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <array>
#include <vector>

#include "core/random.h"
#include "models/narrow_convolution.h"
#include "models/tile_convolution.h"

namespace scintigen {
namespace {

double distance(const at::Tensor& a, const at::Tensor& b) {
  return ((a.to(torch::kDouble) - b).norm() / b.norm()).item<double>();
}

class TileConvolution : public testing::TestWithParam<TileShape> {
 protected:
  template <class T>
  void compare(double tolerance) {
    const TileShape shape = GetParam();
    const auto type = c10::CppTypeToScalarType<T>::value;
    if (!tile_convolution_applies(shape, type == torch::kBFloat16)) GTEST_SKIP() << "processor";
    Random random(7, "tile");
    const at::Tensor x =
        random.normal_tensor({shape.images, shape.height, shape.width, shape.in}).to(type);
    const at::Tensor weight =
        random.normal_tensor({shape.in, shape.kernel, shape.kernel, shape.out});
    const at::Tensor gy =
        random.normal_tensor({shape.images, shape.out_height(), shape.out_width(), shape.out})
            .to(type);
    const auto plain_x = x.to(torch::kDouble).permute({0, 3, 1, 2}).requires_grad_();
    const auto plain_weight = weight.to(torch::kDouble).permute({3, 0, 1, 2}).requires_grad_();
    const std::vector<int64_t> around(4, 1);
    const auto plain_y =
        at::conv2d(shape.border == Border::zero      ? at::constant_pad_nd(plain_x, around)
                   : shape.border == Border::reflect ? at::reflection_pad2d(plain_x, around)
                                                     : at::replication_pad2d(plain_x, around),
                   plain_weight, {}, shape.stride);
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

// Coefficients up to 3 amplify float32's rounding.
TEST_P(TileConvolution, EqualsThePlainSum) {
  compare<float>(GetParam().points() < 5 ? 2e-6 : 1e-5);
}
// One rounding to bfloat16 is 2^-9 = 0.002 relative; pixels, weights and result are rounded once or
// twice each.
TEST_P(TileConvolution, EqualsThePlainSumInBfloat16) {
  if (GetParam().points() > 4) GTEST_SKIP() << "for float32 only";
  compare<c10::BFloat16>(0.012);
}

// Sides that are no multiple of a tile, and fewer tiles than registers, too.
INSTANTIATE_TEST_SUITE_P(
    Shapes, TileConvolution,
    testing::Values(TileShape{1, 32, 32, 32, 32, 3, 1}, TileShape{2, 16, 32, 64, 32, 3, 1},
                    TileShape{1, 7, 5, 32, 32, 3, 1}, TileShape{3, 32, 32, 32, 96, 4, 2},
                    TileShape{4, 64, 32, 64, 64, 4, 2}, TileShape{1, 2, 2, 64, 32, 4, 2},
                    TileShape{2, 32, 32, 64, 32, 4, 1, 4}, TileShape{3, 9, 12, 32, 64, 4, 1, 4},
                    TileShape{2, 32, 32, 64, 32, 4, 2, 4}, TileShape{3, 12, 20, 32, 64, 4, 2, 4},
                    TileShape{2, 32, 32, 64, 32, 3, 1, 4}, TileShape{3, 7, 13, 32, 64, 3, 1, 4},
                    TileShape{3, 8, 8, 32, 64, 3, 1, 4, Border::reflect},
                    TileShape{1, 7, 5, 32, 32, 3, 1, 2, Border::reflect},
                    TileShape{40, 8, 6, 32, 32, 3, 1, 4, Border::replicate}));

TEST(TileConvolutionSizes, RefusesSizesThatDoNotFillTheRegisters) {
  EXPECT_FALSE(tile_convolution_applies({1, 32, 32, 31, 32, 3, 1}, false));
  EXPECT_FALSE(tile_convolution_applies({1, 32, 31, 32, 32, 4, 2}, false));
  EXPECT_FALSE(tile_convolution_applies({0, 32, 32, 32, 32, 3, 1}, false));
}

/// {images, height, width, narrow, stride, padding, wide}
using NarrowCase = std::array<int64_t, 7>;
class NarrowConvolution : public testing::TestWithParam<NarrowCase> {};

TEST_P(NarrowConvolution, EqualsThePlainSum) {
  const auto [images, height, width, narrow, stride, padding, wide] = GetParam();
  const NarrowShape shape{images,
                          height,
                          width,
                          narrow,
                          (height + 2 * padding - 4) / stride + 1,
                          (width + 2 * padding - 4) / stride + 1,
                          wide,
                          stride,
                          padding};
  if (!narrow_convolution_applies(shape)) GTEST_SKIP() << "processor";
  Random random(11, "narrow");
  const at::Tensor x = random.normal_tensor({images, height, width, narrow});
  const at::Tensor weight = random.normal_tensor({4, 4, narrow, wide});
  const at::Tensor gy = random.normal_tensor({images, shape.wide_height, shape.wide_width, wide});
  const auto plain_x = x.to(torch::kDouble).permute({0, 3, 1, 2}).requires_grad_();
  const auto plain_weight = weight.to(torch::kDouble).permute({3, 2, 0, 1}).requires_grad_();
  const auto plain_y = at::conv2d(plain_x, plain_weight, {}, stride, padding);
  plain_y.backward(gy.to(torch::kDouble).permute({0, 3, 1, 2}));
  at::Tensor y = torch::empty_like(gy), gx = torch::empty_like(x),
             gweight = torch::empty_like(weight);
  narrow_to_wide(shape, x.data_ptr<float>(), weight.data_ptr<float>(), y.data_ptr<float>());
  wide_to_narrow(shape, gy.data_ptr<float>(), weight.data_ptr<float>(), gx.data_ptr<float>());
  narrow_weight_gradient(shape, x.data_ptr<float>(), gy.data_ptr<float>(),
                         gweight.data_ptr<float>());
  EXPECT_LT(distance(y.permute({0, 3, 1, 2}), plain_y.detach()), 2e-6);
  EXPECT_LT(distance(gx.permute({0, 3, 1, 2}), plain_x.grad()), 2e-6);
  EXPECT_LT(distance(gweight.permute({3, 2, 0, 1}), plain_weight.grad()), 2e-6);
}

INSTANTIATE_TEST_SUITE_P(Shapes, NarrowConvolution,
                         testing::Values(NarrowCase{2, 32, 20, 1, 2, 1, 64},
                                         NarrowCase{3, 16, 16, 2, 2, 1, 32},
                                         NarrowCase{2, 11, 9, 1, 1, 2, 96}));

}  // namespace
}  // namespace scintigen
