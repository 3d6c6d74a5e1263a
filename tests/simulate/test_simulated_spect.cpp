// SPDX-License-Identifier: Apache-2.0
// The whole way from person to SPECT image against what is published of real ones (methods.md E4).
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "simulate/cohort_plan.h"
#include "simulate/colin.h"
#include "simulate/slice_truth.h"

namespace scintigen {
namespace {

struct Scanned {
  HeadMaps maps;  // 2 mm
  Volume image;   // 4 mm
  float at(size_t fine) const {
    const auto v = static_cast<int64_t>(fine);
    const int64_t i = v % maps.grid.ni / 2, j = v / maps.grid.ni % maps.grid.nj / 2,
                  k = v / (maps.grid.ni * maps.grid.nj) / 2;
    return image.voxels
        .data_ptr<float>()[i + image.voxels.size(2) * (j + image.voxels.size(1) * k)];
  }
};

Scanned scanned(int64_t index, const std::vector<Lesion>& lesions, Tracer tracer = Tracer::kImp) {
  const SpectProtocol protocol;
  const auto person = make_person(colin(), 21, index, 60, false);
  const Grid grid = centred_grid(2 * protocol.matrix, 2 * protocol.matrix, 2 * protocol.slices,
                                 protocol.pixel_mm / 2, {-1, -2, 3});
  Scanned result;
  result.maps = sample_head(colin(), person, grid, rigid_affine({}, {0, -18, 8}));
  const auto metabolism = make_metabolism(colin(), person, tracer, 21, index);
  result.image = simulate_spect(make_activity(colin(), result.maps, metabolism, lesions),
                                make_attenuation(result.maps, tracer),
                                make_uniform_attenuation(result.maps, tracer), protocol,
                                Random(21, "scan", uint64_t(index)))
                     .image;
  return result;
}

/// 2 (L - R) / (L + R) of the image's mean over a structure's voxels, by template height.
double asymmetry(const Scanned& scan, bool cerebellum, double low_z, double high_z) {
  double sum[2] = {}, count[2] = {};
  for (size_t v = 0; v < scan.maps.voxels(); ++v) {
    const Region& region = colin().regions[scan.maps.region[v]];
    const double z = scan.maps.template_point[v][2];
    if (region.pair == 0 || region.side == Side::kMiddle || z < low_z || z > high_z) continue;
    if ((region.structure == Structure::kCerebellum) != cerebellum) continue;
    const size_t right = region.side == Side::kRight;
    sum[right] += scan.at(v), count[right] += 1;
  }
  const double left = sum[0] / count[0], right = sum[1] / count[1];
  return 2 * (left - right) / (left + right);
}

/// Cortex against white matter away from it, as a reader would place regions: voxels that are all
/// gray, and white ones with no gray matter within 8 mm along any axis.
double gray_to_white(const Scanned& scan) {
  const auto& m = scan.maps;
  const int64_t steps[3] = {1, m.grid.ni, m.grid.ni * m.grid.nj};
  double gray = 0, grays = 0, white = 0, whites = 0;
  for (size_t v = 0; v < m.voxels(); ++v) {
    const Region& region = colin().regions[m.region[v]];
    if (region.pair == 0 || region.structure != Structure::kCortex) continue;
    if (m.gray[v] > 0.9F) gray += scan.at(v), grays += 1;
    bool deep = m.white[v] > 0.98F;
    for (const auto step : steps)
      for (int64_t reach = -4; reach <= 4 && deep; ++reach)
        deep = m.gray[static_cast<size_t>(static_cast<int64_t>(v) + reach * step)] < 0.1F;
    if (deep) white += scan.at(v), whites += 1;
  }
  EXPECT_GT(whites, 50);
  return gray / grays / (white / whites);
}

TEST(SimulatedSpect, GrayMatterStandsOutFromWhiteAsInRealScans) {
  for (const auto tracer : {Tracer::kImp, Tracer::kHmpao, Tracer::kEcd}) {
    const double ratio = gray_to_white(scanned(0, {}, tracer));
    RecordProperty("gray_to_white_" + tracer_short_name(tracer), std::to_string(ratio));
    EXPECT_GT(ratio, 1.6) << tracer_name(tracer);
    EXPECT_LT(ratio, 2.2) << tracer_name(tracer);
  }
}

TEST(SimulatedSpectSlow, SidesDifferAsInRealPeople) {
  constexpr int64_t kPeople = 24;
  double sum = 0, squares = 0, normal_worst = 0, planted_least = 1;
  for (int64_t index = 0; index < kPeople; ++index) {
    const auto normal = scanned(index, {});
    const double difference = asymmetry(normal, false, -10, 60);
    sum += difference, squares += difference * difference;
    normal_worst = std::max(normal_worst, std::abs(asymmetry(normal, true, -60, -15)));
    if (index % 3 != 0) continue;
    Random random(21, "lesion", uint64_t(index));
    const Side side = index % 2 ? Side::kLeft : Side::kRight;
    const auto remote = make_diaschisis(make_ischaemia(colin(), side, random), random);
    const double planted = asymmetry(scanned(index, {remote}), true, -60, -15);
    EXPECT_EQ(planted > 0, remote.side == Side::kRight);
    planted_least = std::min(planted_least, std::abs(planted));
  }
  const double mean = sum / kPeople,
               sd = std::sqrt((squares - kPeople * mean * mean) / (kPeople - 1));
  RecordProperty("left_right_sd", std::to_string(sd));
  RecordProperty("cerebellum_normal_worst", std::to_string(normal_worst));
  RecordProperty("cerebellum_planted_least", std::to_string(planted_least));
  std::printf("left-right SD %.4f, cerebellum: normal at most %.4f, planted at least %.4f\n", sd,
              normal_worst, planted_least);
  EXPECT_GT(sd, 0.03);
  EXPECT_LT(sd, 0.07);
  EXPECT_LT(normal_worst, 0.1);
  EXPECT_GT(planted_least, 0.1);
}

}  // namespace
}  // namespace scintigen
