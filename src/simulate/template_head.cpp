// SPDX-License-Identifier: Apache-2.0
#include "simulate/template_head.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>

#include "core/error.h"
#include "core/label_image.h"
#include "core/same_grid.h"
#include "core/volume_io.h"
#include "simulate/tissue_classes.h"

namespace scintigen {
namespace {

// Reaches and blurs below are in voxels of about 1 mm.
constexpr double kLeastSpacingMm = 0.8, kMostSpacingMm = 1.25;
constexpr double kNucleusGray = 0.85;  // of a voxel that a label calls a nucleus
constexpr float kFluid = 0.5F;
constexpr int64_t kSkullReach = 14, kFluidReach = 2;  // steps of a voxel from the brain
constexpr float kSkullDarkness = 0.48F;               // of white matter: bone is darker
constexpr float kAirDarkness = 0.2F;

struct Box {
  Point low, high;  // mm
  bool holds(const Point& p) const {
    for (size_t axis = 0; axis < 3; ++axis)
      if (p[axis] < low[axis] || p[axis] > high[axis]) return false;
    return true;
  }
};
// MNI space, as measured on Colin 27.
constexpr Box kBrainStem = {{-15, -44, -80}, {15, -10, -6}};
constexpr Box kVentricleSeeds = {{-22, -35, 8}, {22, 18, 26}};
constexpr Box kVentricles = {{-36, -52, -10}, {36, 36, 31}};
constexpr double kSkullBaseZ = -45;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

bool contains_any(const std::string& text, const std::vector<std::string>& parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](const auto& part) { return contains(text, part); });
}

Structure structure_of(const std::string& name) {
  if (contains_any(name, {"Cerebel", "Vermis"})) return Structure::kCerebellum;
  if (contains(name, "Caudate")) return Structure::kCaudate;
  if (contains(name, "Putamen")) return Structure::kPutamen;
  if (contains(name, "Pallidum")) return Structure::kPallidum;
  if (contains(name, "Thalamus")) return Structure::kThalamus;
  if (contains_any(name, {"Hippocamp", "Amygdala"})) return Structure::kMedialTemporal;
  if (contains_any(name, {"Calcarine", "Cuneus", "Lingual"})) return Structure::kVisual;
  return Structure::kCortex;
}

/// Territories of the large arteries by region; sources: methods.md E4 (S41, S42), simplified to
/// whole regions.
Territory territory_of(const std::string& name) {
  if (contains_any(name, {"Cerebel", "Vermis"})) return Territory::kNone;
  if (contains_any(name, {"Frontal_Sup", "Supp_Motor", "Cingulum", "Paracentral", "Rectus",
                          "Frontal_Med", "Olfactory", "Precuneus"}))
    return Territory::kAnterior;
  if (contains_any(name, {"Occipital", "Calcarine", "Cuneus", "Lingual", "Fusiform", "Hippocamp",
                          "Thalamus", "Temporal_Inf"}))
    return Territory::kPosterior;
  return Territory::kMiddle;
}

/// Labels index the result (gaps are "no region").
std::vector<Region> read_regions(const std::string& file) {
  std::vector<Region> regions(1);
  std::map<std::string, size_t> pairs;
  for (const auto& [label, name] : read_label_names(file)) {
    require(label >= 1 && label <= 254, "{}: label {}; expected 1 to 254", file, label);
    if (regions.size() <= static_cast<size_t>(label))
      regions.resize(static_cast<size_t>(label) + 1);
    Region& region = regions[static_cast<size_t>(label)];
    const auto end = name.size() >= 2 ? name.substr(name.size() - 2) : "";
    region.side = end == "_L" ? Side::kLeft : end == "_R" ? Side::kRight : Side::kMiddle;
    region.name = region.side == Side::kMiddle ? name : name.substr(0, name.size() - 2);
    region.structure = structure_of(region.name);
    region.territory = territory_of(region.name);
    region.pair = pairs.emplace(region.name, pairs.size() + 1).first->second;
  }
  Region stem;
  stem.name = "Brain_Stem";
  stem.structure = Structure::kBrainStem;
  stem.pair = pairs.size() + 1;
  regions.push_back(stem);
  return regions;
}

Volume read_finite(const std::string& file) {
  Volume volume = read_volume(file);
  require(volume.voxels.isfinite().all().item<bool>(), "{}: voxels that are not finite", file);
  return volume;
}

Volume read_like(const std::string& file, const Volume& first, const std::string& first_file) {
  Volume volume = read_finite(file);
  require_same_grid(volume, file, first, first_file);
  return volume;
}

/// Works on the arrays of one template.
class Builder {
 public:
  Builder(const TemplateSettings& settings) : settings_(settings) {}
  TemplateHead build();

 private:
  void read();
  void grow_regions();
  void fill_fractions(const TissueClasses& classes);
  void fill_outside(double white);
  void find_ventricles();
  void fill_fields();
  void smooth();
  /// Calls visit(neighbour) for the six beside `v`.
  template <class Visit>
  void neighbours(int64_t v, Visit visit) const {
    const int64_t i = v % ni_, j = v / ni_ % nj_, k = v / plane_;
    if (i > 0) visit(v - 1);
    if (i + 1 < ni_) visit(v + 1);
    if (j > 0) visit(v - ni_);
    if (j + 1 < nj_) visit(v + ni_);
    if (k > 0) visit(v - plane_);
    if (k + 1 < nk_) visit(v + plane_);
  }
  Point point(int64_t v) const {
    return transform_point(head_.grid.voxel_to_world,
                           {static_cast<double>(v % ni_), static_cast<double>(v / ni_ % nj_),
                            static_cast<double>(v / plane_)});
  }
  bool in_brain(int64_t v) const { return brain_[v] > 0; }

  const TemplateSettings& settings_;
  TemplateHead head_;
  Volume t1_, brain_volume_, labels_;
  const float *brain_ = nullptr, *t1_voxels_ = nullptr;
  int64_t ni_ = 0, nj_ = 0, nk_ = 0, plane_ = 0, count_ = 0;
  std::vector<uint8_t> ventricle_;
};

void Builder::read() {
  t1_ = read_finite(settings_.template_head);
  for (const double mm : spacing_mm(t1_.voxel_to_world))
    require(mm > kLeastSpacingMm && mm < kMostSpacingMm,
            "{}: voxels of {:.3g} mm; expected 1 mm ({} to {}); resample the template",
            settings_.template_head, mm, kLeastSpacingMm, kMostSpacingMm);
  brain_volume_ = read_like(settings_.template_brain, t1_, settings_.template_head);
  labels_ = read_like(settings_.template_labels, t1_, settings_.template_head);
  head_.regions = read_regions(settings_.template_names);
  nk_ = t1_.voxels.size(0), nj_ = t1_.voxels.size(1), ni_ = t1_.voxels.size(2);
  plane_ = ni_ * nj_, count_ = plane_ * nk_;
  head_.grid = {ni_, nj_, nk_, t1_.voxel_to_world};
  brain_ = brain_volume_.voxels.data_ptr<float>();
  t1_voxels_ = t1_.voxels.data_ptr<float>();
  head_.voxel.resize(static_cast<size_t>(count_));
  head_.region.assign(static_cast<size_t>(count_), 0);
}

/// Labels spread from voxel to voxel through the brain, the brain stem apart.
void Builder::grow_regions() {
  const float* const label = labels_.voxels.data_ptr<float>();
  const auto stem = head_.regions.size() - 1;
  std::deque<int64_t> front;
  for (int64_t v = 0; v < count_; ++v) {
    if (!in_brain(v)) continue;
    const auto value = static_cast<int64_t>(std::lround(label[v]));
    require(value == 0 || (value > 0 && value < static_cast<int64_t>(stem) &&
                           head_.regions[static_cast<size_t>(value)].pair != 0),
            "{}: label {} has no name in {}", settings_.template_labels, value,
            settings_.template_names);
    auto& region = head_.region[static_cast<size_t>(v)];
    region = static_cast<uint8_t>(value);
    if (value == 0 && kBrainStem.holds(point(v))) region = static_cast<uint8_t>(stem);
    if (region != 0 && region != stem) front.push_back(v);
  }
  while (!front.empty()) {
    const int64_t v = front.front();
    front.pop_front();
    neighbours(v, [&](int64_t next) {
      auto& region = head_.region[static_cast<size_t>(next)];
      if (region != 0 || !in_brain(next)) return;
      region = head_.region[static_cast<size_t>(v)];
      front.push_back(next);
    });
  }
}

void Builder::fill_fractions(const TissueClasses& classes) {
  for (int64_t v = 0; v < count_; ++v) {
    auto& voxel = head_.voxel[static_cast<size_t>(v)];
    voxel.t1 = static_cast<float>(t1_voxels_[v] / classes.white);
    if (!in_brain(v)) continue;
    const auto fractions = classes.fractions(brain_[v]);
    voxel.csf = fractions[0], voxel.gray = fractions[1], voxel.white = fractions[2];
    const auto& region = head_.regions[head_.region[static_cast<size_t>(v)]];
    const bool nucleus = labels_.voxels.data_ptr<float>()[v] > 0 &&
                         region.structure >= Structure::kCaudate &&
                         region.structure <= Structure::kThalamus;
    if (nucleus && voxel.csf < kFluid) {
      voxel.gray = std::max(voxel.gray, static_cast<float>(kNucleusGray) * (1 - voxel.csf));
      voxel.white = 1 - voxel.csf - voxel.gray;
    }
  }
}

/// What lies outside the brain: fluid next to it, then bone where it is dark, else soft tissue.
void Builder::fill_outside(double white) {
  std::vector<float> smooth(t1_voxels_, t1_voxels_ + count_);
  gaussian_blur(smooth.data(), ni_, nj_, nk_, {1.5, 1.5, 1.5});
  std::vector<uint8_t> air(static_cast<size_t>(count_), 0), steps(static_cast<size_t>(count_), 255);
  std::deque<int64_t> front;
  const auto dark = static_cast<float>(kAirDarkness * white);
  const auto to_air = [&](int64_t v) {
    if (air[static_cast<size_t>(v)] || in_brain(v) || smooth[static_cast<size_t>(v)] > dark) return;
    air[static_cast<size_t>(v)] = 1;
    front.push_back(v);
  };
  for (int64_t v = 0; v < count_; ++v) {  // from every face but the lowest, where the neck is cut
    const int64_t i = v % ni_, j = v / ni_ % nj_, k = v / plane_;
    if (i == 0 || i == ni_ - 1 || j == 0 || j == nj_ - 1 || k == nk_ - 1) to_air(v);
  }
  while (!front.empty()) {
    const int64_t v = front.front();
    front.pop_front();
    neighbours(v, to_air);
  }
  for (int64_t v = 0; v < count_; ++v)
    if (in_brain(v)) steps[static_cast<size_t>(v)] = 0, front.push_back(v);
  while (!front.empty()) {
    const int64_t v = front.front();
    front.pop_front();
    const auto step = static_cast<uint8_t>(steps[static_cast<size_t>(v)] + 1);
    if (step > kSkullReach) continue;
    neighbours(v, [&](int64_t next) {
      if (steps[static_cast<size_t>(next)] <= step) return;
      steps[static_cast<size_t>(next)] = step;
      front.push_back(next);
    });
  }
  for (int64_t v = 0; v < count_; ++v) {
    auto& voxel = head_.voxel[static_cast<size_t>(v)];
    const auto step = steps[static_cast<size_t>(v)];
    if (air[static_cast<size_t>(v)] || step == 0) continue;
    const bool bone = step <= kSkullReach && voxel.t1 < kSkullDarkness && point(v)[2] > kSkullBaseZ;
    (step <= kFluidReach ? voxel.csf : bone ? voxel.skull : voxel.scalp) = 1;
  }
}

void Builder::find_ventricles() {
  ventricle_.assign(static_cast<size_t>(count_), 0);
  std::deque<int64_t> front;
  const auto fluid = [&](int64_t v) {
    return !ventricle_[static_cast<size_t>(v)] && in_brain(v) &&
           head_.voxel[static_cast<size_t>(v)].csf > kFluid;
  };
  const auto take = [&](int64_t v) {
    ventricle_[static_cast<size_t>(v)] = 1;
    front.push_back(v);
  };
  for (int64_t v = 0; v < count_; ++v)
    if (fluid(v) && kVentricleSeeds.holds(point(v))) take(v);
  while (!front.empty()) {
    const int64_t v = front.front();
    front.pop_front();
    neighbours(v, [&](int64_t next) {
      if (fluid(next) && kVentricles.holds(point(next))) take(next);
    });
  }
  // Half white matter, half fluid looks like gray matter: the rim of the ventricles is not.
  for (int64_t v = 0; v < count_; ++v) {
    if (!ventricle_[static_cast<size_t>(v)]) continue;
    const auto to_white = [&](int64_t next) {
      auto& voxel = head_.voxel[static_cast<size_t>(next)];
      const auto structure = head_.regions[head_.region[static_cast<size_t>(next)]].structure;
      if (structure == Structure::kCaudate || structure == Structure::kThalamus) return;
      voxel.white += voxel.gray;
      voxel.gray = 0;
    };
    neighbours(v, [&](int64_t next) {
      to_white(next);
      neighbours(next, to_white);
    });
  }
}

void Builder::fill_fields() {
  CoarseField ventricle(1), territory(3);
  const double cell =
      std::pow(CoarseField::kSpacingMm, 3) / std::abs(determinant(head_.grid.voxel_to_world));
  const Affine to_cell = inverse(ventricle.grid().voxel_to_world);
  const auto& n = ventricle.shape();
  for (int64_t v = 0; v < count_; ++v) {
    if (!in_brain(v)) continue;
    const Point place = transform_point(to_cell, point(v));
    const int64_t i = std::lround(place[0]), j = std::lround(place[1]), k = std::lround(place[2]);
    if (i < 0 || j < 0 || k < 0 || i >= n[0] || j >= n[1] || k >= n[2]) continue;
    const int64_t at = i + n[0] * (j + n[1] * k);
    const auto part = static_cast<float>(1 / cell);
    if (ventricle_[static_cast<size_t>(v)]) ventricle.component(0)[at] += part;
    const auto owner = head_.regions[head_.region[static_cast<size_t>(v)]].territory;
    if (owner != Territory::kNone) territory.component(int64_t(owner) - 1)[at] += part;
  }
  const double sigma = 8 / CoarseField::kSpacingMm;
  gaussian_blur(ventricle.component(0), n[0], n[1], n[2], {sigma, sigma, sigma});
  for (int64_t c = 0; c < 3; ++c)
    gaussian_blur(territory.component(c), n[0], n[1], n[2], {sigma, sigma, sigma});
  float longest = 0;
  const std::array<int64_t, 3> step = {1, n[0], n[0] * n[1]};
  for (int64_t p = 0; p < ventricle.points(); ++p) {
    const std::array<int64_t, 3> place = {p % n[0], p / n[0] % n[1], p / (n[0] * n[1])};
    float squares = 0;
    for (size_t axis = 0; axis < 3; ++axis) {
      if (place[axis] == 0 || place[axis] == n[axis] - 1) continue;
      const float* const b = ventricle.component(0) + p;
      const float slope = (b[step[axis]] - b[-step[axis]]) / 2;
      head_.ventricle_pull.component(int64_t(axis))[p] = slope;
      squares += slope * slope;
    }
    longest = std::max(longest, std::sqrt(squares));
    const float a = territory.component(0)[p], m = territory.component(1)[p],
                o = territory.component(2)[p], all = a + m + o;
    if (all > 0.05F)
      head_.watershed.component(0)[p] = 4 * m * (a + o) / (all * all) * std::min(1.0F, 2 * all);
  }
  require(longest > 0,
          "{}: no ventricles found between gray and white matter; is it a T1 in MNI space?",
          settings_.template_brain);
  for (int64_t p = 0; p < 3 * ventricle.points(); ++p)
    head_.ventricle_pull.component(0)[p] /= longest;
}

/// Fractions over about 2 mm, and how near fluid is.
void Builder::smooth() {
  std::vector<float> map(static_cast<size_t>(count_));
  const double sigma = 0.7;
  for (const auto member : {&TemplateVoxel::gray, &TemplateVoxel::white, &TemplateVoxel::csf,
                            &TemplateVoxel::skull, &TemplateVoxel::scalp}) {
    for (size_t v = 0; v < map.size(); ++v) map[v] = head_.voxel[v].*member;
    gaussian_blur(map.data(), ni_, nj_, nk_, {sigma, sigma, sigma});
    for (size_t v = 0; v < map.size(); ++v) head_.voxel[v].*member = map[v];
  }
  for (size_t v = 0; v < map.size(); ++v) map[v] = 1 - head_.voxel[v].gray - head_.voxel[v].white;
  gaussian_blur(map.data(), ni_, nj_, nk_, {2, 2, 2});
  for (size_t v = 0; v < map.size(); ++v)
    head_.voxel[v].sulcal = std::clamp(2 * map[v], 0.0F, 1.0F);
}

TemplateHead Builder::build() {
  read();
  const auto classes = fit_tissue_classes(brain_, count_, settings_.template_brain);
  head_.gray_t1 = classes.gray / classes.white;
  head_.csf_t1 = classes.csf / classes.white;
  grow_regions();
  fill_fractions(classes);
  fill_outside(classes.white);
  find_ventricles();
  fill_fields();
  smooth();
  return std::move(head_);
}

}  // namespace

void TemplateSettings::visit(SettingsVisitor& v) {
  v.visit(text("template_head",
               "T1 of a head in MNI space, NIfTI (default: Colin 27 of Debian's mricron-data)"),
          template_head);
  v.visit(text("template_brain", "the same without skull and scalp: 0 outside the brain"),
          template_brain);
  v.visit(text("template_labels", "label image on the same grid (default: AAL)"), template_labels);
  v.visit(text("template_names", "names of the labels, a line each: '1 Precentral_L'"),
          template_names);
}

size_t TemplateHead::pairs() const {
  size_t most = 0;
  for (const auto& one : regions) most = std::max(most, one.pair);
  return most + 1;
}

size_t TemplateHead::region_at(const Point& at) const {
  const Point place = transform_point(inverse(grid.voxel_to_world), at);
  const int64_t i = std::lround(place[0]), j = std::lround(place[1]), k = std::lround(place[2]);
  if (i < 0 || j < 0 || k < 0 || i >= grid.ni || j >= grid.nj || k >= grid.nk) return 0;
  return region[static_cast<size_t>(i + grid.ni * (j + grid.nj * k))];
}

TemplateHead load_template(const TemplateSettings& settings) { return Builder(settings).build(); }

}  // namespace scintigen
