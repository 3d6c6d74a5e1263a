// SPDX-License-Identifier: Apache-2.0
#include "simulate/activity.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"

namespace scintigen {
namespace {

constexpr double kRegionSd = 0.05, kTracerSd = 0.02, kHemisphereSd = 0.04, kRegionSideSd = 0.03;
constexpr double kCerebellarSd = 0.02, kCerebellarMost = 0.06;
constexpr double kSmoothSd = 0.04, kSmoothMm = 15;
constexpr double kCerebellarSmooth =
    0.25;  // of that: its hemispheres stay within 10 % of each other
constexpr double kFrontalPerYear = -0.0045, kOtherPerYear = -0.0022, kMiddleAge = 60;
constexpr double kWhiteSd = 0.08;

struct TracerFacts {
  const char *name, *short_name;
  double water, bone;  // 1/mm
  Uptake uptake;
};

// cortex visual medial-temporal caudate putamen pallidum thalamus cerebellum stem | white csf scalp
// | k
const std::array<TracerFacts, 4> kTracers = {{
    {"I-123 IMP", "IMP", 0.01475, 0.0262, {100, 110, 88, 100, 100, 70, 105, 110, 60, 30, 2, 6, 0}},
    {"Tc-99m HMPAO",
     "HMPAO",
     0.01536,
     0.0272,
     {100, 105, 94, 112, 114, 80, 110, 125, 72, 33, 2, 7, 1.5}},
    {"Tc-99m ECD", "ECD", 0.01536, 0.0272, {100, 122, 80, 98, 100, 66, 88, 108, 55, 31, 2, 6, 2.5}},
    {"F-18 FDG", "FDG", 0.0096, 0.0165, {100, 108, 75, 112, 115, 80, 108, 85, 58, 30, 2, 5, 0}},
}};

const TracerFacts& facts(Tracer tracer) { return kTracers[static_cast<size_t>(tracer)]; }

double structure_uptake(const Uptake& u, Structure structure) {
  switch (structure) {
    case Structure::kCortex:
      return u.cortex;
    case Structure::kVisual:
      return u.visual;
    case Structure::kMedialTemporal:
      return u.medial_temporal;
    case Structure::kCaudate:
      return u.caudate;
    case Structure::kPutamen:
      return u.putamen;
    case Structure::kPallidum:
      return u.pallidum;
    case Structure::kThalamus:
      return u.thalamus;
    case Structure::kCerebellum:
      return u.cerebellum;
    case Structure::kBrainStem:
      return u.brain_stem;
  }
  return u.cortex;
}

double age_factor(const Region& region, double age_years) {
  if (region.structure == Structure::kCerebellum) return 1;
  const bool frontal = region.name.find("Frontal") != std::string::npos ||
                       region.name.find("Cingulum_Ant") != std::string::npos;
  return 1 + (frontal ? kFrontalPerYear : kOtherPerYear) * (age_years - kMiddleAge);
}

double side_sign(Side side) { return side == Side::kLeft ? 0.5 : side == Side::kRight ? -0.5 : 0; }

}  // namespace

std::string tracer_name(Tracer tracer) { return facts(tracer).name; }
std::string tracer_short_name(Tracer tracer) { return facts(tracer).short_name; }

Tracer tracer_from_name(const std::string& short_name) {
  for (size_t t = 0; t < kTracers.size(); ++t)
    if (short_name == kTracers[t].short_name) return static_cast<Tracer>(t);
  throw Error("tracer '{}'; expected IMP, HMPAO, ECD or FDG", short_name);
}

double water_attenuation(Tracer tracer) { return facts(tracer).water; }
double bone_attenuation(Tracer tracer) { return facts(tracer).bone; }
const Uptake& uptake_of(Tracer tracer) { return facts(tracer).uptake; }

Metabolism make_metabolism(const TemplateHead& head, const Person& person, Tracer tracer,
                           uint64_t seed, int64_t index) {
  const Uptake& uptake = uptake_of(tracer);
  const auto number = static_cast<uint64_t>(index);
  Random random(seed, "metabolism", number);
  Random of_tracer(seed, "metabolism " + tracer_short_name(tracer), number);
  const double hemispheres = kHemisphereSd * random.normal();
  const double cerebellum =
      std::clamp(kCerebellarSd * random.normal(), -kCerebellarMost, kCerebellarMost);
  std::vector<double> pair_factor(head.pairs()), pair_side(head.pairs());
  for (size_t pair = 0; pair < pair_factor.size(); ++pair) {
    pair_factor[pair] = 1 + kRegionSd * random.normal() + kTracerSd * of_tracer.normal();
    pair_side[pair] = kRegionSideSd * random.normal();
  }
  // The cerebellar lobules rise and fall together, or neighbours would differ without reason.
  const double cerebellar_factor = 1 + kRegionSd * random.normal();
  Metabolism m;
  m.region.assign(head.regions.size(), 0);
  for (size_t r = 1; r < m.region.size(); ++r) {
    const Region& region = head.regions[r];
    const bool cerebellar = region.structure == Structure::kCerebellum;
    const double side = cerebellar ? cerebellum : hemispheres + pair_side[region.pair];
    m.region[r] = structure_uptake(uptake, region.structure) *
                  (cerebellar ? cerebellar_factor : pair_factor[region.pair]) *
                  (1 + side * side_sign(region.side)) * age_factor(region, person.age_years);
  }
  m.white = uptake.white * (1 + kWhiteSd * random.normal());
  m.csf = uptake.csf;
  m.scalp = uptake.scalp;
  m.saturation = uptake.saturation;
  m.variation = CoarseField::smooth_noise(1, kSmoothMm, Random(seed, "smooth metabolism", number));
  for (int64_t p = 0; p < m.variation.points(); ++p)
    m.variation.component(0)[p] *= static_cast<float>(kSmoothSd);
  return m;
}

double perfusion(double disease, double reserve) {
  return disease * (1 + reserve * std::min(disease, 1.0));
}

double dilated(double uptake, double reserve, double saturation) {
  if (saturation <= 0) return uptake * (1 + reserve);
  const double k = saturation;
  const double most = 0.999 * (1 + k);  // flow without bound
  const double flow = k * std::min(uptake, most) / (1 + k - std::min(uptake, most));
  const double more = flow * (1 + reserve);
  return more * (1 + k) / (more + k);
}

Volume make_activity(const TemplateHead& head, const HeadMaps& maps, const Metabolism& metabolism,
                     const std::vector<Lesion>& lesions, double reserve) {
  Volume activity = empty_volume(maps.grid, "1");
  float* const out = activity.voxels.data_ptr<float>();
  for (size_t v = 0; v < maps.voxels(); ++v) {
    const double outside = metabolism.scalp * maps.scalp[v];
    const size_t region = maps.region[v];
    if (region == 0) {
      out[v] = static_cast<float>(outside);
      continue;
    }
    const auto& q = maps.template_point[v];
    const Point at = {q[0], q[1], q[2]};
    const bool cerebellar = head.regions[region].structure == Structure::kCerebellum;
    double factor = 1 + (cerebellar ? kCerebellarSmooth : 1) * metabolism.variation.value(at);
    const double disease = lesions.empty() ? 1 : lesion_factor(head, lesions, at, region);
    const double change = perfusion(disease, reserve) / perfusion(1, reserve);
    const double gray =
        change * dilated(factor * metabolism.region[region] / 100, reserve, metabolism.saturation);
    const double white =
        change * dilated(factor * metabolism.white / 100, reserve, metabolism.saturation);
    out[v] = static_cast<float>(100 * (gray * maps.gray[v] + white * maps.white[v]) +
                                metabolism.csf * maps.csf[v] + outside);
  }
  return activity;
}

Volume make_attenuation(const HeadMaps& maps, Tracer tracer) {
  Volume attenuation = empty_volume(maps.grid, "1/mm");
  float* const out = attenuation.voxels.data_ptr<float>();
  const auto water = static_cast<float>(water_attenuation(tracer));
  const auto bone = static_cast<float>(bone_attenuation(tracer));
  for (size_t v = 0; v < maps.voxels(); ++v)
    out[v] =
        water * (maps.gray[v] + maps.white[v] + maps.csf[v] + maps.scalp[v]) + bone * maps.skull[v];
  return attenuation;
}

Volume make_uniform_attenuation(const HeadMaps& maps, Tracer tracer) {
  Volume attenuation = empty_volume(maps.grid, "1/mm");
  float* const out = attenuation.voxels.data_ptr<float>();
  const auto water = static_cast<float>(water_attenuation(tracer));
  for (size_t v = 0; v < maps.voxels(); ++v)
    out[v] = water * (maps.gray[v] + maps.white[v] + maps.csf[v] + maps.scalp[v] + maps.skull[v]);
  return attenuation;
}

}  // namespace scintigen
