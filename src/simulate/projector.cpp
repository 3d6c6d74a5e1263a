// SPDX-License-Identifier: Apache-2.0
#include "simulate/projector.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/instruction_clones.h"

namespace scintigen {
namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kTurnVariance = 1.0 / 6;  // voxels^2, mean of f (1 - f) over places f

SCINTIGEN_CLONES void pass_row(float* __restrict beam, const float* __restrict source,
                               const float* __restrict loss, int64_t length) {
#pragma omp simd
  for (int64_t z = 0; z < length; ++z) {
    const float kept = 1 - loss[z];
    beam[z] = (beam[z] * kept + source[z]) * kept;
  }
}

SCINTIGEN_CLONES void add_rows(float* __restrict to, const float* __restrict from, int64_t length) {
#pragma omp simd
  for (int64_t z = 0; z < length; ++z) to[z] += from[z];
}

/// Adjoint of pass_row: what the plane receives, and the beam beyond it.
SCINTIGEN_CLONES void take_row(float* __restrict beam, const float* __restrict loss,
                               float* __restrict taken, int64_t length) {
#pragma omp simd
  for (int64_t z = 0; z < length; ++z) {
    const float kept = 1 - loss[z], here = beam[z] * kept;
    taken[z] = here;
    beam[z] = here * kept;
  }
}

void reverse_rows(const float* from, int64_t rows, int64_t length, float* to) {
  for (int64_t row = 0; row < rows; ++row)
    std::copy_n(from + row * length, length, to + (rows - 1 - row) * length);
}

}  // namespace

Projector::Projector(const ProjectorGeometry& geometry, Support support)
    : geometry_(geometry),
      support_(std::move(support)),
      loss_support_(Support::disc(geometry.side)),
      rotations_(geometry.full_turn && geometry.views % 2 == 0 ? geometry.views / 2
                                                               : geometry.views),
      plane_size_(geometry.side * geometry.slices),
      blurs_(geometry.collimator_sigma_mm > 0 || geometry.collimator_slope > 0),
      step_variance_(static_cast<size_t>(geometry.side), 0.0),
      blur_(geometry.side, geometry.slices),
      rows_(static_cast<size_t>(geometry.side)),
      loss_rows_(static_cast<size_t>(geometry.side)),
      first_plane_(static_cast<size_t>(plane_size_)),
      second_plane_(static_cast<size_t>(plane_size_)),
      beam_(first_plane_.data()),
      spare_(second_plane_.data()) {
  if (!blurs_) return;
  const double centre = 0.5 * static_cast<double>(geometry.side - 1);
  const auto variance_at = [&](int64_t step) {  // of a source in that plane, voxels^2
    const double distance_mm =
        geometry.orbit_radius_mm + (centre - static_cast<double>(step)) * geometry.pixel_mm;
    const double sigma_mm =
        geometry.collimator_sigma_mm + geometry.collimator_slope * std::max(distance_mm, 0.0);
    return sigma_mm * sigma_mm / (geometry.pixel_mm * geometry.pixel_mm);
  };
  for (int64_t step = 1; step < geometry.side; ++step)
    step_variance_[static_cast<size_t>(step)] = variance_at(step - 1) - variance_at(step);
  last_along_ = variance_at(geometry.side - 1);
  last_across_ = std::max(last_along_ - kTurnVariance, 0.0);
}

void Projector::set_attenuation(const std::vector<float>& per_mm) {
  loss_.resize(per_mm.size());
  for (size_t i = 0; i < per_mm.size(); ++i)
    loss_[i] = per_mm[i] == 0
                   ? 0.0f
                   : -std::expm1(-0.5f * per_mm[i] * static_cast<float>(geometry_.pixel_mm));
  if (std::all_of(loss_.begin(), loss_.end(), [](float v) { return v == 0; })) return loss_.clear();
  loss_support_ = Support::of(loss_, geometry_.side, geometry_.slices);
  turned_loss_.resize(per_mm.size());
}

std::vector<int64_t> Projector::views_of(int64_t rotation) const {
  if (rotations_ == geometry_.views) return {rotation};
  return {rotation, rotation + rotations_};
}

Turn Projector::turn_of(int64_t rotation, const Support& support) const {
  const double angle = (geometry_.full_turn ? 2 : 1) * kPi * static_cast<double>(rotation) /
                       static_cast<double>(geometry_.views);
  return {&support, geometry_.slices, std::cos(angle), std::sin(angle)};
}

void Projector::turn_loss(int64_t rotation) {
  if (loss_.empty()) return;
  const Turn turn = turn_of(rotation, loss_support_);
  for (int64_t w = 0; w < geometry_.side; ++w)
    loss_rows_[static_cast<size_t>(w)] =
        turn_plane(turn, loss_.data(), w, turned_loss_.data() + w * plane_size_);
}

/// The plane that is `step` from the farthest, seen from the detector at the high side (0) or the
/// low one (1).
int64_t Projector::plane_at(int64_t side, int64_t step) const {
  return side == 0 ? step : geometry_.side - 1 - step;
}

/// The beam, of which `held` rows count, goes through plane w.
RowRange Projector::pass_plane(int64_t w, RowRange held) {
  const int64_t length = geometry_.slices;
  const RowRange source = rows_[static_cast<size_t>(w)], loss = loss_rows_[static_cast<size_t>(w)];
  const RowRange rows = united(held, source);
  for (int64_t u = rows.first; u < rows.last; ++u) {
    float* beam = beam_ + u * length;
    if (!held.holds(u)) std::fill_n(beam, length, 0.0f);
    const int64_t at = w * plane_size_ + u * length;
    if (loss.holds(u))
      pass_row(beam, source.holds(u) ? turned_.data() + at : blur_.zeros(),
               turned_loss_.data() + at, length);
    else if (source.holds(u))
      add_rows(beam, turned_.data() + at, length);
  }
  return rows;
}

void Projector::sweep(int64_t side, float* view) {
  RowRange held;
  double variance = 0;  // not applied yet
  for (int64_t step = 0; step < geometry_.side; ++step) {
    const auto w = static_cast<size_t>(plane_at(side, step));
    variance += step_variance_[static_cast<size_t>(step)];
    if (rows_[w].empty() && loss_rows_[w].empty()) continue;
    held = blur_.apply(variance, variance, held, beam_, spare_);
    variance = 0;
    held = pass_plane(static_cast<int64_t>(w), held);
  }
  held = blur_.apply(last_across_ + variance, last_along_ + variance, held, beam_, spare_);
  std::fill_n(view, plane_size_, 0.0f);
  for (int64_t u = held.first; u < held.last; ++u)
    std::copy_n(beam_ + u * geometry_.slices, geometry_.slices,
                view + (side == 0 ? u : geometry_.side - 1 - u) * geometry_.slices);
}

/// Adjoint of pass_plane: the plane's rows are written or added to.
void Projector::take_plane(int64_t w, bool add) {
  const int64_t length = geometry_.slices;
  const RowRange source = rows_[static_cast<size_t>(w)], loss = loss_rows_[static_cast<size_t>(w)];
  const RowRange rows = united(source, loss);
  for (int64_t u = rows.first; u < rows.last; ++u) {
    float* beam = beam_ + u * length;
    const int64_t at = w * plane_size_ + u * length;
    const float* taken = beam;
    if (loss.holds(u)) {
      take_row(beam, turned_loss_.data() + at, spare_, length);
      taken = spare_;
    }
    if (!source.holds(u)) continue;
    if (add)
      add_rows(turned_.data() + at, taken, length);
    else
      std::copy_n(taken, length, turned_.data() + at);
  }
}

void Projector::sweep_back(int64_t side, const float* view, bool add) {
  if (side == 0)
    std::copy_n(view, plane_size_, beam_);
  else
    reverse_rows(view, geometry_.side, geometry_.slices, beam_);
  double across = last_across_, along = last_along_;  // not applied yet
  for (int64_t step = geometry_.side - 1; step >= 0; --step) {
    const auto w = static_cast<size_t>(plane_at(side, step));
    if (!rows_[w].empty() || !loss_rows_[w].empty()) {
      blur_.apply(across, along, {0, geometry_.side}, beam_, spare_);
      across = along = 0;
      take_plane(static_cast<int64_t>(w), add);
    }
    across += step_variance_[static_cast<size_t>(step)];
    along += step_variance_[static_cast<size_t>(step)];
  }
}

/// Neither blur nor attenuation: opposite views are mirror images, and no plane needs to be kept.
void Projector::sum_lines(const float* columns, int64_t rotation, float* views) {
  const Turn turn = turn_of(rotation, support_);
  float* view = views + rotation * plane_size_;
  std::fill_n(view, plane_size_, 0.0f);
  for (int64_t w = 0; w < geometry_.side; ++w) {
    const RowRange rows = turn_plane(turn, columns, w, beam_);
    if (!rows.empty())
      add_rows(view + rows.first * geometry_.slices, beam_ + rows.first * geometry_.slices,
               (rows.last - rows.first) * geometry_.slices);
  }
  const auto seen = views_of(rotation);
  if (seen.size() == 2)
    reverse_rows(view, geometry_.side, geometry_.slices, views + seen[1] * plane_size_);
}

void Projector::spread_lines(const float* views, int64_t rotation, float* columns) {
  const Turn turn = turn_of(rotation, support_);
  const auto seen = views_of(rotation);
  const float* plane = views + rotation * plane_size_;
  if (seen.size() == 2) {
    reverse_rows(views + seen[1] * plane_size_, geometry_.side, geometry_.slices, beam_);
    add_rows(beam_, plane, plane_size_);
    plane = beam_;
  }
  for (int64_t w = 0; w < geometry_.side; ++w)
    turn_plane_back(turn, plane, {0, geometry_.side}, w, columns);
}

void Projector::forward(const float* columns, int64_t rotation, float* views) {
  if (plain()) return sum_lines(columns, rotation, views);
  turned_.resize(image_size());
  const Turn turn = turn_of(rotation, support_);
  for (int64_t w = 0; w < geometry_.side; ++w)
    rows_[static_cast<size_t>(w)] = turn_plane(turn, columns, w, turned_.data() + w * plane_size_);
  turn_loss(rotation);
  const auto seen = views_of(rotation);
  for (size_t side = 0; side < seen.size(); ++side)
    sweep(static_cast<int64_t>(side), views + seen[side] * plane_size_);
}

void Projector::back(const float* views, int64_t rotation, float* columns) {
  if (plain()) return spread_lines(views, rotation, columns);
  turned_.resize(image_size());
  const Turn turn = turn_of(rotation, support_);
  for (int64_t w = 0; w < geometry_.side; ++w)
    rows_[static_cast<size_t>(w)] = rows_of_plane(turn, w);
  turn_loss(rotation);
  const auto seen = views_of(rotation);
  for (size_t side = 0; side < seen.size(); ++side)
    sweep_back(static_cast<int64_t>(side), views + seen[side] * plane_size_, side > 0);
  for (int64_t w = 0; w < geometry_.side; ++w)
    turn_plane_back(turn, turned_.data() + w * plane_size_, rows_[static_cast<size_t>(w)], w,
                    columns);
}

}  // namespace scintigen
