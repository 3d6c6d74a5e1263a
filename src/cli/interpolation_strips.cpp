// SPDX-License-Identifier: Apache-2.0
#include "cli/interpolation_strips.h"

#include <algorithm>

#include "core/error.h"
#include "core/progress.h"
#include "synthesis/generate.h"
#include "synthesis/synthetic_set.h"
#include "training/checkpoint.h"

namespace scintigen {
namespace {

constexpr int64_t kSteps = 9;
constexpr size_t kMostStrips = 8;

/// "cortex, normal" for "level=cortex,pattern=normal", as the evaluation names conditions.
std::string label_of(const SliceGenerator& generator, const std::string& assignment) {
  std::string label;
  const auto values = generator.encoder().parse(assignment);
  for (const auto& column : generator.encoder().columns())
    label += (label.empty() ? "" : ", ") + values.at(column.name);
  return label.empty() ? "all" : label;
}

}  // namespace

std::vector<InterpolationStrip> interpolation_strips(const std::filesystem::path& run,
                                                     uint64_t seed) {
  std::vector<InterpolationStrip> strips;
  try {
    SliceGenerator generator(chosen_checkpoint(run), torch::kCPU);
    std::vector<std::string> assignments;
    for (const auto& [assignment, count] : generator.encoder().combinations())
      if (count > 0 && assignments.size() < kMostStrips) assignments.push_back(assignment);
    for (const auto& column : generator.encoder().columns())
      if (column.values.empty()) return strips;  // which number to draw is the user's to say
    const auto plan = plan_interpolation(generator, assignments, kSteps, seed);
    const auto images = generator.generate(plan.latents, plan.conditions);
    for (size_t strip = 0; strip < assignments.size(); ++strip)
      strips.push_back({label_of(generator, assignments[strip]),
                        images.narrow(0, static_cast<int64_t>(strip) * kSteps, kSteps)});
  } catch (const Error& error) {
    warn(fmt::format("{} (no interpolation strip)", error.what()));
  }
  return strips;
}

}  // namespace scintigen
