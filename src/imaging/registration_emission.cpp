// SPDX-License-Identifier: Apache-2.0
#include "imaging/registration_emission.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "imaging/anatomy_model.h"
#include "imaging/registration_search.h"

namespace scintigen {
namespace {

constexpr int64_t kParts = 16;
constexpr double kNear = 0.02;  // of AnatomyMaps::nearness(): 12 mm around the brain
constexpr size_t kFewestSamples = 500;
constexpr std::array<double, 8> kFwhmMm = {4.5, 5.2, 6, 7.5, 9, 11, 13, 16};
constexpr int kMostSteps = 12;
constexpr double kStopMm = 0.005, kLongestStepMm = 3, kMostMovedMm = 8;
// Times the residuals' SD, from their median size: 95 % efficient where they are Gaussian.
constexpr double kTukey = 4.685, kSdOfMedianSize = 1.4826;
constexpr float kInBrain = 0.5;  // of nearness(): where that median is taken

/// How finely a scan is looked at.
struct Look {
  double scan_mm;       ///< between voxels, about
  size_t most_samples;  ///< of these
};
Look look_of(Emission kind) { return kind == Emission::kPet ? Look{2, 64000} : Look{4, 16000}; }

// Columns of the regression: pose, maps, constant, gain along x, y, z.
constexpr size_t kMotion = 6, kConstant = kMotion + kMaps, kGain = kConstant + 1, kGains = 3,
                 kColumns = kGain + kGains;
using Columns = std::array<double, kColumns>;

struct Sample {
  Point place;  // moving world, mm
  float value, weight, residual;
};

/// Weighted sums of products of columns, of columns and values, of values.
struct Sums {
  std::array<Columns, kColumns> products{};
  Columns with_value{};
  double weight = 0, value = 0, square = 0;

  void add(const Columns& row, size_t first, const Sample& sample) {
    const double w = sample.weight;
    for (size_t i = first; i < kColumns; ++i) {
      const double weighted = w * row[i];
      for (size_t j = first; j <= i; ++j) products[i][j] += weighted * row[j];
      with_value[i] += weighted * sample.value;
    }
    weight += w, value += w * sample.value, square += w * sample.value * sample.value;
  }
  void add(const Sums& other) {
    for (size_t i = 0; i < kColumns; ++i) {
      for (size_t j = 0; j <= i; ++j) products[i][j] += other.products[i][j];
      with_value[i] += other.with_value[i];
    }
    weight += other.weight, value += other.value, square += other.square;
  }
};

/// The scan that the anatomy leads to expect: (sum_k amounts[k] map_k) (1 + gain . place) +
/// constant.
struct Uptake {
  MapValues amounts{};
  float constant = 0;
  std::array<float, kGains> gain{};  // per kRadiusMm
};

/// Least squares by Cholesky's factors; columns before `first` stay 0. A map that is nowhere has a
/// column of zeros: a trace of ridge.
Columns solve(const Sums& sums, size_t first) {
  auto a = sums.products;
  Columns x = sums.with_value;
  for (size_t i = first; i < kColumns; ++i) {
    a[i][i] += 1e-6 * a[i][i] + 1e-9 * sums.weight;
    for (size_t j = first; j <= i; ++j) {
      double sum = a[i][j];
      for (size_t k = first; k < j; ++k) sum -= a[i][k] * a[j][k];
      a[i][j] = i == j ? std::sqrt(std::max(sum, 1e-12 * sums.weight)) : sum / a[j][j];
    }
    for (size_t k = first; k < i; ++k) x[i] -= a[i][k] * x[k];
    x[i] /= a[i][i];
  }
  for (size_t i = kColumns; i-- > first;) {
    for (size_t k = i + 1; k < kColumns; ++k) x[i] -= a[k][i] * x[k];
    x[i] /= a[i][i];
  }
  std::fill(x.begin(), x.begin() + static_cast<int64_t>(first), 0.0);
  return x;
}

/// Part of the variance that columns from kMotion on, so weighed, leave.
double unexplained(const Sums& sums, const Columns& x) {
  double fitted = 0;
  for (size_t i = kMotion; i < kColumns; ++i) fitted += x[i] * sums.with_value[i];
  return (sums.square - fitted) / (sums.square - sums.value * sums.value / sums.weight);
}

/// The scan's voxels about the brain, and where they are looked up.
struct Regression {
  const AnatomyMaps& maps;
  std::vector<Sample> samples;
  Affine to_anatomy{};
  Uptake uptake;

  /// Columns at the present pose; residuals of the present uptake.
  Sums gather(const AnatomyModel& model, bool with_motion);
  void take(const Columns& x);
  void weigh();
};

Sums Regression::gather(const AnatomyModel& model, bool with_motion) {
  std::vector<Sums> parts(kParts);
  const auto count = static_cast<int64_t>(samples.size());
  const Point& centre = maps.centre();
  const size_t first = with_motion ? 0 : kMotion;
  const auto look = [&](Sample& sample, Sums& sums) {
    const Point at = transform_point(to_anatomy, sample.place);
    MapValues found;
    Point slope{};
    sample.residual = 0;
    if (!(with_motion ? model.read(at, uptake.amounts, found, slope) : model.read(at, found)))
      return;
    const Point from_centre = {at[0] - centre[0], at[1] - centre[1], at[2] - centre[2]};
    std::array<float, kGains> place{};
    for (size_t k = 0; k < kGains; ++k) place[k] = static_cast<float>(from_centre[k] / kRadiusMm);
    float plain = 0, gain = 1;
    for (size_t k = 0; k < kMaps; ++k) plain += uptake.amounts[k] * found[k];
    for (size_t k = 0; k < kGains; ++k) gain += uptake.gain[k] * place[k];
    Columns row{};
    for (size_t axis = 0; axis < 3 && with_motion; ++axis) {
      const size_t u = (axis + 1) % 3, v = (axis + 2) % 3;
      row[axis] = gain * (slope[v] * from_centre[u] - slope[u] * from_centre[v]) / kRadiusMm;
      row[3 + axis] = gain * slope[axis];
    }
    for (size_t k = 0; k < kMaps; ++k) row[kMotion + k] = found[k];
    row[kConstant] = 1;
    for (size_t k = 0; k < kGains; ++k) row[kGain + k] = plain * place[k];
    sample.residual = sample.value - plain * gain - uptake.constant;
    sums.add(row, first, sample);
  };
  at::parallel_for(0, kParts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part)
      for (int64_t s = count * part / kParts; s < count * (part + 1) / kParts; ++s)
        look(samples[static_cast<size_t>(s)], parts[static_cast<size_t>(part)]);
  });
  Sums all;
  for (const Sums& part : parts) all.add(part);
  return all;
}

void Regression::take(const Columns& x) {
  for (size_t k = 0; k < kMaps; ++k) uptake.amounts[k] = static_cast<float>(x[kMotion + k]);
  uptake.constant = static_cast<float>(x[kConstant]);
  for (size_t k = 0; k < kGains; ++k) uptake.gain[k] = static_cast<float>(x[kGain + k]);
}

/// Tukey's biweight, on the scale of the residuals in the brain.
void Regression::weigh() {
  std::vector<float> sizes;
  for (const Sample& sample : samples)
    if (maps.nearness(transform_point(to_anatomy, sample.place)) > kInBrain)
      sizes.push_back(std::fabs(sample.residual));
  if (sizes.empty()) return;
  const auto middle = sizes.begin() + static_cast<int64_t>(sizes.size() / 2);
  std::nth_element(sizes.begin(), middle, sizes.end());
  const auto limit = static_cast<float>(kTukey * kSdOfMedianSize * double(*middle));
  for (Sample& sample : samples) {
    const float part = sample.residual / limit, rest = 1 - part * part;
    sample.weight = std::fabs(part) < 1 ? rest * rest : 0;
  }
}

/// Voxels of the scan near the brain, on the scale of their mean.
std::vector<Sample> samples_near(const AnatomyMaps& maps, const Volume& scan,
                                 const Affine& to_anatomy, const Look& look) {
  const Volume coarse =
      reduced({scan.voxels.contiguous(), scan.voxel_to_world, scan.unit}, look.scan_mm);
  const Grid grid = grid_of(coarse);
  const float* value = coarse.voxels.data_ptr<float>();
  std::vector<Sample> near;
  double sum = 0;
  for (int64_t k = 0; k < grid.nk; ++k)
    for (int64_t j = 0; j < grid.nj; ++j)
      for (int64_t i = 0; i < grid.ni; ++i, ++value) {
        const Point place = transform_point(grid.voxel_to_world, {double(i), double(j), double(k)});
        if (!(maps.nearness(transform_point(to_anatomy, place)) > kNear)) continue;
        near.push_back({place, *value, 1, 0});
        sum += std::fabs(double(*value));
      }
  const size_t step = near.size() / look.most_samples + 1;
  std::vector<Sample> some;
  for (size_t s = 0; s < near.size(); s += step) some.push_back(near[s]);
  if (!(sum > 0)) return {};
  for (Sample& sample : some)
    sample.value = static_cast<float>(double(sample.value) * double(near.size()) / sum);
  return some;
}

/// The width at which the maps explain the scan best, with its uptake taken.
AnatomyModel best_width(AnatomyMaps& maps, Regression& regression) {
  AnatomyModel best;
  double least = 2;
  for (double fwhm : kFwhmMm) {
    AnatomyModel model = maps.blurred_to(fwhm);
    const Sums sums = regression.gather(model, false);
    const Columns x = solve(sums, kMotion);
    const double rest = unexplained(sums, x);
    if (rest >= least) continue;
    least = rest, best = std::move(model);
    regression.take(x);
    regression.uptake.gain = {};  // its column was 0
  }
  return best;
}

/// One step of Gauss and Newton on pose and uptake together; its length in mm.
double step(Regression& regression, const AnatomyModel& model, double* explained) {
  regression.weigh();
  const Sums sums = regression.gather(model, true);
  const Columns x = solve(sums, 0);
  *explained = 1 - unexplained(sums, solve(sums, kMotion));
  std::vector<double> motion(x.begin(), x.begin() + kMotion);
  double length = 0;
  for (double part : motion) length += part * part;
  length = std::sqrt(length);
  if (length > kLongestStepMm)
    for (double& part : motion) part *= kLongestStepMm / length;
  const Point& c = regression.maps.centre();
  const Affine about = compose(
      rigid_affine({}, c),
      compose(local_motion(Motion::kRigid, motion), rigid_affine({}, {-c[0], -c[1], -c[2]})));
  regression.to_anatomy = compose(about, regression.to_anatomy);
  regression.take(x);
  return length;
}

}  // namespace

EmissionFit fit_emission(const Volume& anatomy, const Volume& brain, const Volume& scan,
                         const Affine& start, Emission kind) {
  require_scan(anatomy, "fixed");
  require_scan(scan, "moving");
  require(brain.voxels.defined() && brain.voxels.scalar_type() == torch::kFloat &&
              brain.voxels.is_contiguous() && grid_of(brain) == grid_of(anatomy),
          "register: the brain mask is not float32 on the fixed scan's grid");
  AnatomyMaps maps({anatomy.voxels.contiguous(), anatomy.voxel_to_world, anatomy.unit}, brain);
  Regression regression{maps, {}, inverse(start), {}};
  regression.samples = samples_near(maps, scan, regression.to_anatomy, look_of(kind));
  EmissionFit fit;
  fit.fixed_to_moving = start;
  if (regression.samples.size() < kFewestSamples) return fit;
  const AnatomyModel model = best_width(maps, regression);
  if (model.values.empty()) return fit;  // the same value everywhere
  regression.gather(model, false);       // residuals
  double length = kLongestStepMm;
  for (int n = 0; n < kMostSteps && length > kStopMm; ++n)
    length = step(regression, model, &fit.explained);
  fit.fwhm_mm = model.fwhm_mm;
  fit.fixed_to_moving = inverse(regression.to_anatomy);
  const Affine centre = rigid_affine({}, maps.centre());
  fit.moved_mm = pose_distance_mm(compose(fit.fixed_to_moving, centre), compose(start, centre));
  fit.found = std::isfinite(fit.moved_mm);
  if (!fit.found) fit.fixed_to_moving = start;
  return fit;
}

Affine half_way(const Affine& a, const Affine& b) {
  // Square root by Denman and Beavers' iteration (Higham 2008, Functions of Matrices, 6.3).
  const auto mean = [](const Affine& p, const Affine& q) {
    Affine result = identity_affine();
    for (size_t row = 0; row < 3; ++row)
      for (size_t col = 0; col < 4; ++col) result[row][col] = 0.5 * (p[row][col] + q[row][col]);
    return result;
  };
  Affine root = compose(inverse(a), b), inverse_root = identity_affine();
  for (int n = 0; n < 12; ++n) {
    const Affine next = mean(root, inverse(inverse_root));
    inverse_root = mean(inverse_root, inverse(root));
    root = next;
  }
  return compose(a, root);
}

Registration register_emission(const Volume& anatomy, const Volume& brain, const Volume& scan,
                               Emission kind, const RegistrationSettings& settings) {
  Registration result = register_volumes(anatomy, scan, settings);
  if (result.doubtful) return result;
  const EmissionFit fit = fit_emission(anatomy, brain, scan, result.fixed_to_moving, kind);
  if (!fit.found) return result;
  if (fit.moved_mm > kMostMovedMm) {
    result.doubtful = true;
    result.score = std::min(result.score, kRegistrationDoubtful * kMostMovedMm / fit.moved_mm);
    result.why =
        fmt::format("uptake expected from the anatomy fits best {:.0f} mm away", fit.moved_mm);
    return result;
  }
  result.fixed_to_moving = kind == Emission::kPet
                               ? half_way(result.fixed_to_moving, fit.fixed_to_moving)
                               : fit.fixed_to_moving;
  result.fit_explained = fit.explained;
  result.fit_moved_mm = fit.moved_mm;
  result.fit_fwhm_mm = fit.fwhm_mm;
  return result;
}

}  // namespace scintigen
