// SPDX-License-Identifier: Apache-2.0
#include "imaging/registration_search.h"

#include <algorithm>
#include <cmath>

namespace scintigen {
namespace {

using Vector = std::vector<double>;

double dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

Vector times(const std::vector<Vector>& matrix, const Vector& v) {
  Vector result;
  for (const auto& row : matrix) result.push_back(dot(row, v));
  return result;
}

/// The function that is minimised: less the agreement, by the parameters about `start`.
struct Objective {
  const SamplePoints& points;
  const MovingLevel& moving;
  const Affine& start;
  const Climb& settings;

  Agreement operator()(const Vector& at, Vector& gradient) const {
    const Affine pose = compose(start, local_motion(settings.motion, at));
    const Agreement found = agreement(points, moving, pose_of(pose), true, settings.parts);
    const auto slopes = local_slopes(settings.motion, at);
    gradient.assign(at.size(), 0);
    for (size_t p = 0; p < at.size(); ++p) {
      const Affine moved = compose(start, slopes[p]);
      for (size_t row = 0; row < 3; ++row)
        for (size_t col = 0; col < 4; ++col)
          gradient[p] -= found.gradient[row][col] * moved[row][col];
    }
    return found;
  }
};

/// Inverse Hessian after a step s along which the gradient changed by y.
void update(std::vector<Vector>& inverse_hessian, const Vector& s, const Vector& y, bool first) {
  const double sy = dot(s, y);
  if (!(sy > 1e-12 * std::sqrt(dot(s, s) * dot(y, y)))) return;
  const size_t n = s.size();
  if (first)
    for (size_t i = 0; i < n; ++i)
      for (size_t j = 0; j < n; ++j) inverse_hessian[i][j] = i == j ? sy / dot(y, y) : 0;
  const Vector hy = times(inverse_hessian, y);
  const double scale = (1 + dot(y, hy) / sy) / sy;
  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j < n; ++j)
      inverse_hessian[i][j] += scale * s[i] * s[j] - (hy[i] * s[j] + s[i] * hy[j]) / sy;
}

}  // namespace

Pose pose_of(const Affine& affine) { return {affine[0], affine[1], affine[2]}; }

double pose_distance_mm(const Affine& a, const Affine& b) {
  double sum = 0;
  for (int corner = 0; corner < 8; ++corner) {
    const Point at = {(corner & 1) != 0 ? 60.0 : -60.0, (corner & 2) != 0 ? 60.0 : -60.0,
                      (corner & 4) != 0 ? 60.0 : -60.0};
    const Point p = transform_point(a, at), q = transform_point(b, at);
    for (size_t c = 0; c < 3; ++c) sum += (p[c] - q[c]) * (p[c] - q[c]);
  }
  return std::sqrt(sum / 8);
}

Affine local_motion(Motion motion, const Vector& p) {
  if (motion == Motion::kRigid)
    return rigid_affine({p[0] / kRadiusMm, p[1] / kRadiusMm, p[2] / kRadiusMm}, {p[3], p[4], p[5]});
  Affine result = identity_affine();
  for (size_t row = 0; row < 3; ++row) {
    for (size_t col = 0; col < 3; ++col) result[row][col] += p[3 * row + col] / kRadiusMm;
    result[row][3] = p[9 + row];
  }
  return result;
}

std::vector<Affine> local_slopes(Motion motion, const Vector& p) {
  const size_t turns = motion == Motion::kRigid ? 3 : 9;
  std::vector<Affine> slopes(p.size());
  for (size_t row = 0; row < 3; ++row) slopes[turns + row][row][3] = 1;
  if (motion == Motion::kAffine) {
    for (size_t entry = 0; entry < 9; ++entry) slopes[entry][entry / 3][entry % 3] = 1 / kRadiusMm;
    return slopes;
  }
  // R = Rz Ry Rx: the derivative of one factor is the factor times the generator of its axis.
  for (size_t axis = 0; axis < 3; ++axis) {
    Affine product = identity_affine();
    for (size_t factor = 3; factor-- > 0;) {
      Point angle{};
      angle[factor] = p[factor] / kRadiusMm;
      product = compose(product, rigid_affine(angle, {}));
      if (factor != axis) continue;
      Affine generator{};
      const size_t u = (axis + 1) % 3, v = (axis + 2) % 3;
      generator[v][u] = 1 / kRadiusMm, generator[u][v] = -1 / kRadiusMm;
      product = compose(product, generator);
    }
    slopes[axis] = product;
    for (auto& row : slopes[axis]) row[3] = 0;
    slopes[axis][3] = {};
  }
  return slopes;
}

Found climb(const SamplePoints& points, const MovingLevel& moving, const Affine& start,
            const Climb& settings) {
  const Objective objective{points, moving, start, settings};
  const size_t n = settings.motion == Motion::kRigid ? 6 : 12;
  Vector at(n), gradient, next_gradient;
  Agreement here = objective(at, gradient);
  std::vector<Vector> inverse_hessian(n, Vector(n));
  const double steepness = std::sqrt(dot(gradient, gradient));
  for (size_t i = 0; i < n && steepness > 0; ++i)
    inverse_hessian[i][i] = settings.first_step_mm / steepness;
  bool first = true;
  for (int iteration = 0; iteration < settings.max_iterations && steepness > 0; ++iteration) {
    Vector step = times(inverse_hessian, gradient);
    double length = std::sqrt(dot(step, step));
    const double shrink = std::min(1.0, settings.largest_step_mm / length);
    for (double& s : step) s *= -shrink;
    length *= shrink;
    const double slope = dot(step, gradient);
    if (!(slope < 0)) break;
    Vector next(n);
    Agreement there;
    double part = 1;
    for (; part * length > settings.stop_mm / 4; part *= 0.4) {
      for (size_t i = 0; i < n; ++i) next[i] = at[i] + part * step[i];
      there = objective(next, next_gradient);
      if (there.value - here.value >= -1e-4 * part * slope) break;
    }
    if (!(there.value > here.value)) break;
    Vector s(n), y(n);
    for (size_t i = 0; i < n; ++i) s[i] = next[i] - at[i], y[i] = next_gradient[i] - gradient[i];
    update(inverse_hessian, s, y, first);
    first = false;
    at = next, gradient = next_gradient, here = there;
    if (part * length < settings.stop_mm) break;
  }
  return {compose(start, local_motion(settings.motion, at)), here.value, here.overlap};
}

}  // namespace scintigen
