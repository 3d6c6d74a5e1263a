// SPDX-License-Identifier: Apache-2.0
// Convolutions of every form that the networks use, with every border, against LibTorch's in
// float64: result and gradients.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "models/channels_last.h"
#include "models/fused_layers.h"
#include "models/panel_product.h"
#include "models/plane_sums.h"

namespace scintigen {
namespace {

double distance(const torch::Tensor& a, const torch::Tensor& b) {
  EXPECT_EQ(a.sizes(), b.sizes());
  return ((a.to(torch::kDouble) - b).norm() / b.norm()).item<double>();
}

struct Case {
  std::vector<int64_t> sides;
  int64_t in, out, kernel, stride, padding;
  Border border;
};

void PrintTo(const Case& of, std::ostream* out) {
  *out << of.sides.size() << "-D " << of.in << " to " << of.out << ", " << of.kernel << " stride "
       << of.stride << " border " << static_cast<int>(of.border);
}

std::vector<int64_t> shape(int64_t first, int64_t second, std::vector<int64_t> sides) {
  sides.insert(sides.begin(), {first, second});
  return sides;
}

/// Distances of y, gradient of x, gradient of weight from `expected` of the same in float64.
template <class Layer>
std::vector<double> distances(const torch::Tensor& x, const torch::Tensor& weight,
                              const Layer& layer) {
  const auto derive = [&](torch::ScalarType type) {
    const auto in = x.to(type).requires_grad_(), kernel = weight.to(type).requires_grad_();
    const auto y = layer(in, kernel);
    torch::manual_seed(9);
    const auto g = torch::randn(y.sizes()).to(type);
    auto made = torch::autograd::grad({y}, {in, kernel}, {g});
    made.insert(made.begin(), y.detach());
    return made;
  };
  const auto found = derive(torch::kFloat), expected = derive(torch::kDouble);  // plain in double
  std::vector<double> made;
  for (size_t i = 0; i < found.size(); ++i) made.push_back(distance(found[i], expected[i]));
  return made;
}

/// The same in bfloat16, whose values x and the gradient of y already are: each result is rounded
/// once where products are in float32, and weights and transformed pixels too where they are not.
template <class Layer>
void expect_bfloat16(const torch::Tensor& given, const torch::Tensor& weight, const Layer& layer) {
  const auto x = given.to(torch::kBFloat16);
  torch::Tensor g;
  const auto derive = [&](torch::ScalarType type, torch::ScalarType of_weight) {
    const auto in = x.to(type).requires_grad_(), kernel = weight.to(of_weight).requires_grad_();
    const auto y = layer(in, kernel);
    EXPECT_EQ(y.scalar_type(), type);
    if (!g.defined()) g = torch::randn(y.sizes()).to(torch::kBFloat16);
    auto made = torch::autograd::grad({y}, {in, kernel}, {g.to(type)});
    made.insert(made.begin(), y.detach());
    return made;
  };
  const auto found = derive(torch::kBFloat16, torch::kFloat),
             expected = derive(torch::kDouble, torch::kDouble);
  EXPECT_EQ(found[2].scalar_type(), torch::kFloat);
  for (size_t i = 0; i < found.size(); ++i)
    EXPECT_LT(distance(found[i], expected[i]), bfloat16_products_pay() ? 0.012 : 0.003) << i;
}

class BorderedConvolution : public testing::TestWithParam<Case> {};

TEST_P(BorderedConvolution, EqualsLibTorchs) {
  const auto& of = GetParam();
  torch::manual_seed(5);
  const std::vector<int64_t> taps(of.sides.size(), of.kernel);
  const auto made =
      distances(torch::randn(shape(3, of.in, of.sides)), torch::randn(shape(of.out, of.in, taps)),
                [&](const auto& x, const auto& weight) {
                  return convolution(x, weight, {}, of.stride, of.padding, of.border);
                });
  for (const double d : made) EXPECT_LT(d, 1e-5);
  expect_bfloat16(torch::randn(shape(3, of.in, of.sides)), torch::randn(shape(of.out, of.in, taps)),
                  [&](const auto& x, const auto& weight) {
                    return convolution(x, weight, {}, of.stride, of.padding, of.border);
                  });
}

INSTANTIATE_TEST_SUITE_P(Planes, BorderedConvolution,
                         testing::Values(Case{{16, 24}, 32, 64, 3, 1, 1, Border::reflect},
                                         Case{{7, 10}, 64, 32, 3, 1, 1, Border::replicate},
                                         Case{{16, 12}, 3, 64, 7, 1, 3, Border::reflect},
                                         Case{{11, 9}, 7, 32, 7, 1, 3, Border::replicate},
                                         Case{{16, 12}, 64, 3, 7, 1, 3, Border::reflect},
                                         Case{{9, 13}, 32, 7, 7, 1, 3, Border::replicate},
                                         Case{{9, 13}, 32, 2, 7, 1, 3, Border::zero},
                                         Case{{12, 9}, 5, 4, 7, 1, 3, Border::reflect},
                                         Case{{32, 36}, 32, 64, 3, 2, 1, Border::zero},
                                         Case{{9, 11}, 32, 64, 3, 2, 1, Border::zero},
                                         Case{{16, 18}, 3, 64, 4, 2, 1, Border::zero}));

INSTANTIATE_TEST_SUITE_P(Volumes, BorderedConvolution,
                         testing::Values(Case{{8, 8, 12}, 32, 64, 3, 1, 1, Border::replicate},
                                         Case{{6, 8, 8}, 64, 32, 3, 1, 1, Border::reflect},
                                         Case{{5, 8, 8}, 32, 32, 3, 1, 1, Border::reflect},
                                         Case{{4, 6, 6}, 8, 12, 3, 1, 1, Border::zero},
                                         Case{{8, 12, 10}, 1, 32, 7, 1, 3, Border::replicate},
                                         Case{{8, 9, 10}, 32, 1, 7, 1, 3, Border::reflect},
                                         Case{{8, 12, 12}, 32, 64, 3, 2, 1, Border::zero},
                                         Case{{7, 9, 9}, 6, 4, 3, 2, 1, Border::zero},
                                         Case{{8, 8, 8}, 1, 32, 4, 2, 1, Border::zero},
                                         Case{{8, 8, 8}, 32, 64, 4, 2, 1, Border::zero},
                                         Case{{4, 4, 4}, 32, 64, 4, 1, 1, Border::zero},
                                         Case{{3, 3, 3}, 64, 1, 4, 1, 1, Border::zero}));

class DoublingConvolution : public testing::TestWithParam<Case> {};

TEST_P(DoublingConvolution, EqualsLibTorchs) {
  const auto& of = GetParam();
  torch::manual_seed(6);
  const std::vector<int64_t> taps(of.sides.size(), 3);
  const auto bias = torch::randn({of.out});
  const auto made = distances(
      torch::randn(shape(2, of.in, of.sides)), torch::randn(shape(of.in, of.out, taps)),
      [&](const auto& x, const auto& weight) { return transposed_convolution(x, weight, bias); });
  for (const double d : made) EXPECT_LT(d, 1e-5);
  expect_bfloat16(
      torch::randn(shape(2, of.in, of.sides)), torch::randn(shape(of.in, of.out, taps)),
      [](const auto& x, const auto& weight) { return transposed_convolution(x, weight, {}); });
}

INSTANTIATE_TEST_SUITE_P(Sides, DoublingConvolution,
                         testing::Values(Case{{16, 12}, 64, 32, 3, 2, 1, Border::zero},
                                         Case{{5, 7}, 6, 4, 3, 2, 1, Border::zero},
                                         Case{{4, 8, 8}, 64, 32, 3, 2, 1, Border::zero},
                                         Case{{3, 5, 4}, 6, 4, 3, 2, 1, Border::zero}));

/// Where a bias stands before instance norm, the mean takes it away: forward it changes nothing.
TEST(InstanceNorm, EqualsLibTorchsInTwoAndThreeDimensions) {
  torch::manual_seed(8);
  for (const auto& sides : {std::vector<int64_t>{6, 5}, std::vector<int64_t>{4, 6, 5}}) {
    const auto bias = torch::randn({16}), residual = torch::randn(shape(3, 16, sides));
    for (const double slope : {0.0, 0.2, 1.0}) {
      const auto made =
          distances(2 + torch::randn(shape(3, 16, sides)), torch::ones({1}),
                    [&](const auto& x, const auto& factor) {
                      return instance_leaky(x * factor, bias.to(x.scalar_type()), 1e-5, slope,
                                            residual.to(x.scalar_type()));
                    });
      EXPECT_LT(made[0], 1e-5);
      EXPECT_LT(made[1], 1e-5);
    }
  }
}

TEST(PlaneSums, AreTheSumsThatTheirTermsSay) {
  const auto a = torch::randn({2, 3, 4, 5}), b = torch::randn({2, 3, 4, 5});
  const PlaneSum sum{2, 2, 1, {{0, 1, 3, 0, 2}, {0, 1, 0, 0, -1}, {1, 0, 2, 0, 0.5F}}};
  for (const auto type : {torch::kFloat, torch::kBFloat16}) {
    const auto made = sum_planes({a.to(type), b.to(type)}, sum, 2);
    ASSERT_EQ(made.size(), 2u);
    EXPECT_EQ(made[0].sizes(), (std::vector<int64_t>{1, 6, 4, 5}));
    const auto first = torch::cat({torch::zeros({3, 4, 5}), 2 * b[1] - a[0]}),
               second = torch::cat({0.5 * b[0], torch::zeros({3, 4, 5})});
    const double tolerance = type == torch::kFloat ? 1e-6 : 0.01;
    EXPECT_LT(distance(made[0][0], first.to(torch::kDouble)), tolerance);
    EXPECT_LT(distance(made[1][0], second.to(torch::kDouble)), tolerance);
  }
}

}  // namespace
}  // namespace scintigen
