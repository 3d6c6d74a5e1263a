// SPDX-License-Identifier: Apache-2.0
// One-class machines against scikit-learn (tools/make_golden_one_class.py), on random and on
// degenerate examples, and properties over seeds.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "core/random.h"
#include "core/safetensors.h"
#include "core/temporary_folder.h"
#include "detection/one_class_kernels.h"
#include "detection/one_class_svm.h"
#include "models/aligned_room.h"

namespace scintigen {
namespace {

const TensorFile& golden() {
  static const auto file =
      read_tensors(std::string(SCINTIGEN_TEST_GOLDEN) + "/detection/one_class.safetensors");
  return file;
}

class OneClassGolden : public testing::TestWithParam<const char*> {};

TEST_P(OneClassGolden, DecidesAsScikitLearn) {
  const std::string name = GetParam();
  const auto at = [&](const char* what) { return golden().at(name + "." + what); };
  OneClassSettings settings;
  settings.nu = at("nu").item<double>();
  const auto examples = at("examples").unsqueeze(0), queries = at("queries").unsqueeze(0);
  const auto fits = fit_one_class(examples, settings);
  const auto expected = at("decisions");
  // Where no decision is away from 0 (identical controls), the sum of the coefficients is the
  // scale.
  const double largest = std::max(expected.abs().max().item<double>(),
                                  settings.nu * static_cast<double>(examples.size(1)) * 1e-2);
  const auto found = decide_one_class(fits, examples, queries)[0].to(torch::kDouble);
  EXPECT_LT((found - expected).abs().max().item<double>(), 1e-4 * largest);
  EXPECT_NEAR(fits.rho.item<double>(), at("rho").item<double>(), 1e-4 * largest);
  EXPECT_NEAR(fits.gamma.item<double>() / at("gamma").item<double>(), 1, 1e-4);
  EXPECT_NEAR(fits.coefficients.sum().item<double>(),
              settings.nu * static_cast<double>(examples.size(1)), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Machines, OneClassGolden,
                         testing::Values("random_75_64", "random_35_64", "random_60_16_nu",
                                         "independent", "far_from_zero", "many",
                                         "constant_features", "duplicates", "outlier", "two",
                                         "identical", "all_equal"));

/// Where the solution is unique (no duplicates), so are who supports it and by how much.
TEST(OneClassSvm, SupportIsScikitLearns) {
  for (const std::string name :
       {"random_75_64", "random_35_64", "random_60_16_nu", "independent", "outlier", "two"}) {
    OneClassSettings settings;
    settings.nu = golden().at(name + ".nu").item<double>();
    const auto fits = fit_one_class(golden().at(name + ".examples").unsqueeze(0), settings);
    const auto expected = golden().at(name + ".coefficients");
    const auto found = fits.coefficients[0].to(torch::kDouble);
    EXPECT_LT((found - expected).abs().max().item<double>(), 1e-3) << name;
    EXPECT_TRUE(torch::equal(found > 0, expected > 1e-9)) << name;
  }
}

TEST(OneClassSvm, EverySizeIsOptimal) {
  for (int64_t n = 2; n <= 130; n += n < 40 ? 1 : 15) {
    const auto examples = Random(static_cast<uint64_t>(n), "examples").normal_tensor({3, n, 5});
    for (const double nu : {0.01, 0.1, 0.5, 0.9}) {
      OneClassSettings settings;
      settings.nu = nu;
      const auto fits = fit_one_class(examples, settings);
      EXPECT_LT(fits.gap.max().item<double>(), 1e-5 * std::max(1.0, nu * static_cast<double>(n)));
      EXPECT_GE(fits.coefficients.min().item<double>(), 0);
      EXPECT_LE(fits.coefficients.max().item<double>(), 1);
      // nu bounds who is outside, Schoelkopf 2001, proposition 3.
      const auto outside = (decide_one_class(fits, examples, examples) < -1e-4).sum(1).max();
      EXPECT_LE(outside.item<int64_t>(), static_cast<int64_t>(nu * static_cast<double>(n) + 1e-9));
    }
  }
}

struct Solved {
  torch::Tensor kernel, coefficients;
  DualEnd end;
};

/// The widths of registers that this processor has.
std::vector<const OneClassArithmetic*> widths() {
  std::vector<const OneClassArithmetic*> all{&one_class_eight()};
  if (one_class_sixteen() != nullptr) all.push_back(one_class_sixteen());
  return all;
}

/// Of rows [n,d] by one width of registers.
Solved solved_by(const OneClassArithmetic& arithmetic, const torch::Tensor& rows, double nu) {
  const int64_t n = rows.size(0), d = rows.size(1);
  const int64_t stride = (n + kMachineLanes - 1) / kMachineLanes * kMachineLanes;
  AlignedRoom<float> room;
  float* examples = room.of(2 * d * stride + stride * stride + 8 * stride);
  float *centred = examples + d * stride, *kernel = centred + d * stride,
        *a = kernel + stride * stride, *work = a + stride;
  std::fill(examples, examples + d * stride, 0.0f);
  pack_examples(rows.data_ptr<float>(), n, d, stride, examples);
  const double variance = arithmetic.centre_examples(examples, n, d, stride, centred, work);
  const auto gamma = static_cast<float>(variance > 0 ? 1 / (variance * static_cast<double>(d)) : 1);
  arithmetic.rbf_kernel(centred, work, n, d, stride, gamma, kernel);
  const auto end =
      arithmetic.solve_dual({n, stride, kernel, nu * static_cast<double>(n), a, work}, 3e-6);
  return {torch::from_blob(kernel, {stride, stride}).clone(), torch::from_blob(a, {stride}).clone(),
          end};
}

TEST(OneClassSvm, KernelMatrixIsItsFormula) {
  for (const int64_t n : {2, 15, 16, 35, 75, 130}) {
    const auto rows = Random(static_cast<uint64_t>(n), "rows").normal_tensor({n, 9}) + 3;
    const auto wide = rows.to(torch::kDouble);
    const auto expected = torch::exp(-torch::cdist(wide, wide).square() /
                                     (wide.var(/*unbiased=*/false) * wide.size(1)));
    for (const auto* arithmetic : widths()) {
      const auto kernel = solved_by(*arithmetic, rows, 0.1).kernel.to(torch::kDouble);
      EXPECT_LT((kernel.slice(0, 0, n).slice(1, 0, n) - expected).abs().max().item<double>(), 2e-6);
      EXPECT_EQ(kernel.slice(0, n).abs().sum().item<double>(), 0);
      EXPECT_EQ(kernel.slice(1, n).abs().sum().item<double>(), 0);
    }
  }
}

TEST(OneClassSvm, EveryWidthIsOptimal) {
  for (int64_t n = 2; n <= 130; n += n < 40 ? 1 : 15) {
    const auto rows = Random(static_cast<uint64_t>(n), "rows").normal_tensor({n, 9});
    const auto twice = torch::cat({rows, rows}).slice(0, 0, n).contiguous();
    for (const auto& examples : {rows, twice, torch::ones({n, 9})})
      for (const double nu : {0.01, 0.1, 0.5, 0.9})
        for (const auto* arithmetic : widths()) {
          const auto found = solved_by(*arithmetic, examples, nu);
          const double total = nu * static_cast<double>(n);
          EXPECT_LT(found.end.gap, 1e-5 * std::max(1.0, total)) << n << " " << nu;
          EXPECT_NEAR(found.coefficients.sum().item<double>(), total, 1e-5 * std::max(1.0, total));
          EXPECT_GE(found.coefficients.min().item<float>(), 0);
          EXPECT_LE(found.coefficients.max().item<float>(), 1);
          EXPECT_EQ(found.coefficients.slice(0, n).abs().sum().item<float>(), 0);
        }
  }
}

TEST(OneClassSvm, SixteenLanesAreAsEight) {
  if (one_class_sixteen() == nullptr) GTEST_SKIP() << "this processor has no AVX-512";
  for (int64_t n = 2; n <= 130; n += n < 40 ? 1 : 7) {
    const auto rows = Random(static_cast<uint64_t>(n), "rows").normal_tensor({n, 9});
    const auto eight = solved_by(one_class_eight(), rows, 0.1),
               sixteen = solved_by(*one_class_sixteen(), rows, 0.1);
    EXPECT_LT((eight.kernel - sixteen.kernel).abs().max().item<float>(), 2e-6) << n;
    EXPECT_LT((eight.coefficients - sixteen.coefficients).abs().max().item<float>(), 1e-3) << n;
    EXPECT_NEAR(eight.end.rho, sixteen.end.rho, 1e-5 * std::max(1.0, 0.1 * n)) << n;
  }
}

TEST(OneClassSvm, ThreadsChangeNothing) {
  const auto examples = Random(5, "examples").normal_tensor({100, 20, 8});
  const int threads = at::get_num_threads();
  const auto many = fit_one_class(examples, {});
  at::set_num_threads(1);
  const auto one = fit_one_class(examples, {});
  at::set_num_threads(threads);
  EXPECT_TRUE(torch::equal(many.coefficients, one.coefficients));
  EXPECT_TRUE(torch::equal(many.rho, one.rho));
}

TEST(OneClassSvm, MovingAllExamplesMovesNothing) {
  const auto examples = Random(6, "examples").normal_tensor({5, 30, 16});
  const auto here = fit_one_class(examples, {}), there = fit_one_class(examples + 64, {});
  EXPECT_LT((here.rho - there.rho).abs().max().item<double>(), 1e-4);
}

TEST(OneClassSvm, RefusesWhatItCannotUse) {
  EXPECT_REFUSED(fit_one_class(torch::zeros({1, 1, 4}), {}),
                 "one-class machine: 1 controls; expected 2 to 4096");
  EXPECT_REFUSED(fit_one_class(torch::full({1, 4, 4}, NAN), {}),
                 "one-class machines: an example is not finite; leave its scan out");
  OneClassSettings settings;
  settings.nu = 1;
  EXPECT_REFUSED(fit_one_class(torch::zeros({1, 4, 4}), settings),
                 "one-class machine: nu is 1; expected 0 < nu < 1");
}

}  // namespace
}  // namespace scintigen
