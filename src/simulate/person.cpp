// SPDX-License-Identifier: Apache-2.0
#include "simulate/person.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace scintigen {
namespace {

constexpr int kSquarings = 7, kInverseRounds = 100;
constexpr double kInverseMm = 1e-4;
constexpr double kAdultAge = 30, kDecadesSpread = 1.5, kMostSpread = 2.5;
constexpr double kSulcalPerDecade = 0.05;
constexpr double kLargestWidening = 0.4;

Point moved(const CoarseField& displacement, const Point& at) {
  float d[3];
  displacement.read(at, d);
  return {at[0] + d[0], at[1] + d[1], at[2] + d[2]};
}

CoarseField scaled(const CoarseField& field, float factor) {
  CoarseField result = field;
  float* const values = result.component(0);
  for (int64_t p = 0; p < result.components() * result.points(); ++p) values[p] *= factor;
  return result;
}

/// The eight voxels around a point and their weights, combined number by number.
TemplateVoxel interpolate(const TemplateHead& head, const Point& place) {
  const auto i = static_cast<int64_t>(place[0]), j = static_cast<int64_t>(place[1]),
             k = static_cast<int64_t>(place[2]);
  const auto x = static_cast<float>(place[0] - double(i)),
             y = static_cast<float>(place[1] - double(j)),
             z = static_cast<float>(place[2] - double(k));
  const int64_t row = head.grid.ni, plane = head.grid.ni * head.grid.nj;
  const TemplateVoxel* const base = head.voxel.data() + i + row * j + plane * k;
  constexpr int kNumbers = sizeof(TemplateVoxel) / sizeof(float);
  static_assert(kNumbers == 8, "read as an array of numbers below");
  float sum[kNumbers] = {};
  const int64_t offsets[4] = {0, row, plane, plane + row};
  const float weights[4] = {(1 - y) * (1 - z), y * (1 - z), (1 - y) * z, y * z};
  for (int corner = 0; corner < 4; ++corner) {
    const auto* const low = reinterpret_cast<const float*>(base + offsets[corner]);
    const float a = weights[corner] * (1 - x), b = weights[corner] * x;
    for (int n = 0; n < kNumbers; ++n) sum[n] += a * low[n] + b * low[n + kNumbers];
  }
  TemplateVoxel voxel;
  std::copy(sum, sum + kNumbers, reinterpret_cast<float*>(&voxel));
  return voxel;
}

}  // namespace

Point Person::to_template(const Point& person) const {
  return moved(displacement, transform_point(affine, person));
}

Point Person::from_template(const Point& at) const {
  Point x = at;  // D(x) = at, by fixed point: x <- at - displacement(x)
  double error = 0;
  for (int round = 0; round < kInverseRounds; ++round) {
    const Point there = moved(displacement, x);
    error = 0;
    for (size_t axis = 0; axis < 3; ++axis) {
      x[axis] += at[axis] - there[axis];
      error = std::max(error, std::abs(at[axis] - there[axis]));
    }
    if (error < kInverseMm) break;
  }
  require(error < kInverseMm,
          "person: the deformation cannot be inverted at {:.1f}, {:.1f}, {:.1f} mm", at[0], at[1],
          at[2]);
  return transform_point(inverse(affine), x);
}

CoarseField flow_displacement(const CoarseField& velocity) {
  CoarseField u = scaled(velocity, 1.0F / (1 << kSquarings));
  for (int round = 0; round < kSquarings; ++round) {
    CoarseField next(3);
    for (int64_t p = 0; p < u.points(); ++p) {
      const Point at = u.point(p);
      float d[3];
      const float own[3] = {u.component(0)[p], u.component(1)[p], u.component(2)[p]};
      u.read({at[0] + own[0], at[1] + own[1], at[2] + own[2]}, d);
      for (int64_t c = 0; c < 3; ++c) next.component(c)[p] = own[c] + d[c];
    }
    u = std::move(next);
  }
  return u;
}

double jacobian(const CoarseField& displacement, const Point& at) {
  const double h = CoarseField::kSpacingMm / 2;
  Affine slope = identity_affine();
  for (size_t axis = 0; axis < 3; ++axis) {
    Point low = at, high = at;
    low[axis] -= h, high[axis] += h;
    float a[3], b[3];
    displacement.read(low, a);
    displacement.read(high, b);
    for (size_t c = 0; c < 3; ++c) slope[c][axis] += (double(b[c]) - a[c]) / (2 * h);
  }
  return determinant(slope);
}

Person make_person(const TemplateHead& head, uint64_t seed, int64_t index, double age_years,
                   bool female, const Variation& variation) {
  Random random(seed, "person shape", static_cast<uint64_t>(index));
  Person person;
  person.age_years = age_years;
  person.female = female;
  const double size = (female ? 0.97 : 1.01) * (1 + variation.size * random.normal());
  for (size_t row = 0; row < 3; ++row)
    for (size_t column = 0; column < 3; ++column)
      person.affine[row][column] = row == column
                                       ? 1 / (size * (1 + variation.axis * random.normal()))
                                       : (row < column ? variation.shear * random.normal() : 0);
  const double decades = std::max(0.0, age_years - kAdultAge) / 10;
  const double spread = std::clamp(random.normal(), -kMostSpread, kMostSpread);
  const double pull = variation.ventricle_mm_per_decade * (decades + kDecadesSpread * spread);
  person.sulcal_widening =
      std::clamp(kSulcalPerDecade * (decades + random.normal()), 0.0, kLargestWidening);

  auto velocity = CoarseField::smooth_noise(
      3, variation.smoothness_mm, Random(seed, "person warp", static_cast<uint64_t>(index)));
  for (int64_t p = 0; p < 3 * velocity.points(); ++p) {
    float& v = velocity.component(0)[p];
    v = static_cast<float>(variation.deformation_mm * v +
                           pull * head.ventricle_pull.component(0)[p]);
  }
  person.displacement = flow_displacement(velocity);
  return person;
}

HeadMaps sample_head(const TemplateHead& head, const Person& person, const Grid& grid,
                     const Affine& person_from_world) {
  HeadMaps maps;
  maps.grid = grid;
  const auto count = static_cast<size_t>(grid.voxels());
  for (auto* const map : {&maps.gray, &maps.white, &maps.csf, &maps.skull, &maps.scalp, &maps.t1})
    map->assign(count, 0);
  maps.region.assign(count, 0);
  maps.template_point.assign(count, {});
  const Affine aligned = compose(person.affine, compose(person_from_world, grid.voxel_to_world));
  const Affine to_voxel = inverse(head.grid.voxel_to_world);
  const auto widening = static_cast<float>(person.sulcal_widening);
  const auto drop = static_cast<float>(head.gray_t1 - head.csf_t1);
  const Point last = {double(head.grid.ni - 1), double(head.grid.nj - 1), double(head.grid.nk - 1)};
  size_t v = 0;
  for (int64_t k = 0; k < grid.nk; ++k)
    for (int64_t j = 0; j < grid.nj; ++j)
      for (int64_t i = 0; i < grid.ni; ++i, ++v) {
        const Point q =
            moved(person.displacement, transform_point(aligned, {double(i), double(j), double(k)}));
        maps.template_point[v] = {float(q[0]), float(q[1]), float(q[2])};
        const Point place = transform_point(to_voxel, q);
        if (!(place[0] >= 0 && place[1] >= 0 && place[2] >= 0 && place[0] < last[0] &&
              place[1] < last[1] && place[2] < last[2]))
          continue;
        const TemplateVoxel voxel = interpolate(head, place);
        const float lost = widening * voxel.sulcal * voxel.gray;
        maps.gray[v] = voxel.gray - lost;
        maps.white[v] = voxel.white;
        maps.csf[v] = voxel.csf + lost;
        maps.skull[v] = voxel.skull;
        maps.scalp[v] = voxel.scalp;
        maps.t1[v] = std::max(0.0F, voxel.t1 - drop * lost);
        maps.region[v] = head.region[static_cast<size_t>(
            std::lround(place[0]) +
            head.grid.ni * (std::lround(place[1]) + head.grid.nj * std::lround(place[2])))];
      }
  return maps;
}

}  // namespace scintigen
