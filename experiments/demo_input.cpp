// SPDX-License-Identifier: Apache-2.0
// demo_input FOLDER [PATIENTS [SEED]]: made-up perfusion volumes and their slice table, the input
// of scripts/demo and of the command tests until `scintigen simulate` exists. Ellipsoids, not
// anatomy: a head with folded cortex, white matter, ventricles, basal ganglia, thalami and
// cerebellum, a random shape a patient, an ischaemic territory in two of three patients, blur and
// counting noise. No acquisition physics.
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/nifti.h"
#include "core/random.h"
#include "core/table.h"

namespace scintigen {
namespace {

constexpr int64_t kSide = 64, kSlices = 40;
constexpr double kPixelMm = 3.6;
constexpr double kBlurMm = 9;        // full width at half maximum of a reconstructed slice
constexpr double kPeakCounts = 250;  // per voxel at cortex, before the blur

struct Ellipsoid {
  double x, y, z, rx, ry, rz;                            // mm, RAS about the head's centre
  double level(double px, double py, double pz) const {  // 1 at the centre, 0 on the surface
    const double dx = (px - x) / rx, dy = (py - y) / ry, dz = (pz - z) / rz;
    return 1 - std::sqrt(dx * dx + dy * dy + dz * dz);
  }
};

/// One made-up person.
struct Person {
  std::string pattern;
  double width, length, height, ventricles, fold_phase, ganglia, cerebellum, asymmetry, tilt_rad;
  double severity[2] = {0, 0};  // right, left middle cerebral artery territory
  Person(Random random, int64_t number) {
    const auto around = [&](double mean, double spread) {
      return mean * (1 + spread * random.normal());
    };
    width = around(66, 0.04);
    length = around(84, 0.04);
    height = around(66, 0.04);
    ventricles = std::abs(around(1, 0.25));
    fold_phase = 6.283 * random.uniform();
    ganglia = around(1.0, 0.06);
    cerebellum = around(1.05, 0.06);
    asymmetry = 0.03 * random.normal();
    tilt_rad = 0.04 * random.normal();
    pattern = std::vector<std::string>{"normal", "unilateral",
                                       "bilateral"}[static_cast<size_t>(number % 3)];
    const bool left = random.uniform() < 0.5;
    if (pattern == "unilateral") severity[left] = 0.35 + 0.3 * random.uniform();
    if (pattern == "bilateral")
      for (double& side : severity) side = 0.3 + 0.35 * random.uniform();
  }

  /// Tracer uptake at a point, cortex = 1.
  double uptake(double px, double py, double pz) const {
    const double x = px * std::cos(tilt_rad) - py * std::sin(tilt_rad);
    const double y = px * std::sin(tilt_rad) + py * std::cos(tilt_rad);
    const double z = pz;
    const double side = x > 0 ? -1 : 1;  // +x is the patient's right
    double value = 0;
    const double brain = Ellipsoid{0, 0, 12, width, length, height}.level(x, y, z);
    if (brain > 0 && z > -28) value = cerebrum(brain, x, y, z);
    const double mirrored = std::abs(x);
    if (Ellipsoid{24, -48, -38, 27, 24, 18}.level(mirrored, y, z) > 0)
      value = std::max(value, cerebellum);
    return value * (1 + asymmetry * side) * (1 - defect(x, y, z));
  }

 private:
  double cerebrum(double depth, double x, double y, double z) const {
    const double angle = std::atan2(y, x);
    const double fold = 0.035 * std::sin(9 * angle + fold_phase + 0.06 * z) +
                        0.025 * std::sin(17 * angle - fold_phase);
    double value = depth < 0.24 + fold ? 1.0 : 0.35;
    const double mirrored = std::abs(x);
    if (mirrored < 5 && depth > 0.02) value = std::abs(y) > 18 ? 0.95 : value;  // medial cortex
    if (Ellipsoid{14, 12, 4, 7, 15, 11}.level(mirrored, y, z) > 0) value = ganglia;
    if (Ellipsoid{25, 4, 2, 7, 16, 11}.level(mirrored, y, z) > 0) value = ganglia;
    if (Ellipsoid{10, -16, 6, 9, 12, 9}.level(mirrored, y, z) > 0) value = 1.02 * ganglia;
    if (Ellipsoid{9, 2, 20, 5 * ventricles, 26, 8 * ventricles}.level(mirrored, y, z) > 0)
      value = 0.08;
    return value;
  }
  double defect(double x, double y, double z) const {
    const double sector = std::atan2(y, std::abs(x));  // lateral: about 0
    const double weight = 1 / (1 + std::exp((std::abs(sector + 0.1) - 0.75) / 0.12)) /
                          (1 + std::exp(-(std::abs(x) - 22) / 3)) / (1 + std::exp(-(z + 10) / 4));
    return severity[x > 0 ? 0 : 1] * weight;
  }
};

/// Separable Gaussian along one axis of [D,H,W].
void blur_axis(std::vector<float>& voxels, int64_t stride, int64_t length, double sigma_px) {
  const auto radius = static_cast<int64_t>(std::ceil(3 * sigma_px));
  std::vector<double> kernel;
  double sum = 0;
  for (int64_t k = -radius; k <= radius; ++k)
    sum += kernel.emplace_back(std::exp(-0.5 * double(k * k) / (sigma_px * sigma_px)));
  std::vector<float> line(static_cast<size_t>(length));
  for (size_t start = 0; start < voxels.size(); ++start) {
    if ((static_cast<int64_t>(start) / stride) % length != 0) continue;
    for (int64_t i = 0; i < length; ++i) {
      double total = 0;
      for (int64_t k = -radius; k <= radius; ++k)
        if (i + k >= 0 && i + k < length)
          total += kernel[size_t(k + radius)] * voxels[start + size_t((i + k) * stride)];
      line[size_t(i)] = static_cast<float>(total / sum);
    }
    for (int64_t i = 0; i < length; ++i) voxels[start + size_t(i * stride)] = line[size_t(i)];
  }
}

Volume make_volume(const Person& person, Random random) {
  std::vector<float> voxels(static_cast<size_t>(kSlices * kSide * kSide));
  for (int64_t k = 0; k < kSlices; ++k)
    for (int64_t j = 0; j < kSide; ++j)
      for (int64_t i = 0; i < kSide; ++i) {
        const double x = (31.5 - double(i)) * kPixelMm, y = (31.5 - double(j)) * kPixelMm,
                     z = (double(k) - 17) * kPixelMm;
        const double mean = kPeakCounts * person.uptake(x, y, z);
        // Poisson counts, near enough at these means by a normal draw.
        voxels[size_t((k * kSide + j) * kSide + i)] =
            static_cast<float>(std::max(0.0, mean + std::sqrt(mean * 12) * random.normal()));
      }
  const double sigma_px = kBlurMm / 2.3548 / kPixelMm;
  blur_axis(voxels, 1, kSide, sigma_px);
  blur_axis(voxels, kSide, kSide, sigma_px);
  blur_axis(voxels, kSide * kSide, kSlices, sigma_px);
  Volume volume;
  volume.voxels = torch::tensor(voxels).view({kSlices, kSide, kSide});
  // Columns run patient right to left, rows anterior to posterior: the radiological display.
  volume.voxel_to_world = {{{-kPixelMm, 0, 0, 31.5 * kPixelMm},
                            {0, -kPixelMm, 0, 31.5 * kPixelMm},
                            {0, 0, kPixelMm, -17 * kPixelMm},
                            {0, 0, 0, 1}}};
  volume.unit = "counts";
  return volume;
}

void make_input(const std::filesystem::path& folder, int64_t patients, uint64_t seed) {
  Table table;
  table.columns = {"participant_id", "slice", "level", "pattern"};
  const std::vector<std::pair<std::string, std::vector<int64_t>>> levels = {
      {"cerebellum", {6, 7, 8}}, {"basal_ganglia", {17, 18, 19}}, {"cortex", {27, 28, 29}}};
  for (int64_t number = 0; number < patients; ++number) {
    const auto name = fmt::format("sub-{:02d}", number + 1);
    const Person person(Random(seed, "person", uint64_t(number)), number);
    write_nifti(folder / name / (name + "_spect.nii.gz"),
                make_volume(person, Random(seed, "counts", uint64_t(number))),
                "scintigen demo: made-up volume");
    for (const auto& [level, slices] : levels)
      for (const auto slice : slices)
        table.add_row({name, std::to_string(slice), level, person.pattern});
  }
  write_table(folder / "slices.tsv", table);
}

}  // namespace
}  // namespace scintigen

int main(int argc, char** argv) try {
  if (argc < 2) throw scintigen::Error("usage: demo_input FOLDER [PATIENTS [SEED]]");
  scintigen::make_input(argv[1], argc > 2 ? std::stoll(argv[2]) : 24,
                        argc > 3 ? std::stoull(argv[3]) : 1);
  return 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "demo_input: {}\n", error.what());
  return 2;
}
