// SPDX-License-Identifier: Apache-2.0
#include "training/cycle_data.h"

#include <algorithm>
#include <utility>

#include "cohort/people_split.h"
#include "core/error.h"

namespace scintigen {
namespace {

void check_together(const CycleTraining& settings) {
  const auto& data = settings.data;
  require(data.inputs.size() == 1,
          "--inputs {}: a Cycle-GAN goes from one modality to another; name one",
          fmt::join(data.inputs, ","));
  require(data.scale == "volume",
          "--scale {}: pieces with depth are scaled by the volume they are of; give --scale volume",
          data.scale);
  require(data.side % 4 == 0, "--side {}: expected a multiple of 4", data.side);
  require(settings.pieces.patch_side % 4 == 0, "--patch-side {}: expected a multiple of 4",
          settings.pieces.patch_side);
  require(!settings.pieces.patches() || data.slices == 0,
          "--slices {}: patches are cut of the whole volume; leave it out", data.slices);
  require(!(settings.unpaired || !settings.target_cohort.empty()) || settings.weight_mse == 0,
          "--weight-mse compares pairs, and with --unpaired or --target-cohort there are none");
}

/// A modality as a list of pieces, and as its own target: for what is learned of it alone.
PairedSlices alone(const VolumeCohort& cohort, const std::vector<std::string>& people,
                   PairedSettings data, const std::string& modality) {
  data.inputs = {modality};
  data.target = modality;
  return PairedSlices(cohort, people, data);
}

void add_pieces(const std::vector<PairedPerson>& people, bool of_targets, PieceList& into) {
  for (const auto& person : people) {
    const int64_t first = std::max<int64_t>(person.first, 0);
    into.add(of_targets ? person.target : person.inputs.front(), first,
             std::min(person.count, person.grid.nk - first));
  }
}

/// Nobody who is kept out of training is in the cohort that targets come from.
void require_other_people(const CycleTraining& settings, const std::vector<std::string>& held_out) {
  if (settings.target_cohort.empty()) return;
  const auto others = read_volume_cohort(settings.target_cohort).participants();
  for (const auto& kept_out : {held_out, settings.leave_out})
    for (const auto& id : kept_out)
      require(std::find(others.begin(), others.end(), id) == others.end(),
              "--target-cohort {}: holds {}, who is kept out of training; expected other people",
              settings.target_cohort, id);
}

}  // namespace

CycleData read_cycle_data(const std::string& cohort_folder, CycleTraining& settings,
                          uint64_t seed) {
  check_together(settings);
  if (!settings.target_cohort.empty()) settings.unpaired = true;
  const auto cohort = read_volume_cohort(cohort_folder);
  CycleData data;
  data.name = cohort.name;
  data.space = cohort.space;
  const auto people =
      split_people(cohort, settings.hold_out, settings.held_out, settings.leave_out, seed);
  PieceList sources(settings.pieces, settings.data.side), targets = sources;
  if (settings.target_cohort.empty()) {
    auto training = std::make_shared<PairedSlices>(cohort, people.training, settings.data);
    add_pieces(training->people(), false, sources);
    add_pieces(training->people(), true, targets);
    data.source_people = data.target_people = training->people().size();
    data.key = training->key();
    data.summarise = [training] { return summarise(*training); };
    data.shown = std::make_unique<PairedSlices>(*training);
  } else {
    const auto other = read_volume_cohort(settings.target_cohort);
    const auto from = std::make_shared<PairedSlices>(
        alone(cohort, people.training, settings.data, settings.data.inputs.front()));
    const auto to = std::make_shared<PairedSlices>(
        alone(other, other.participants(), settings.data, settings.data.target));
    add_pieces(from->people(), false, sources);
    add_pieces(to->people(), true, targets);
    data.source_people = from->people().size();
    data.target_people = to->people().size();
    data.key = from->key() + "-" + to->key();
    data.summarise = [from, to, inputs = settings.data.inputs] {
      return summarise_unpaired(from->people(), inputs, *to);
    };
  }
  data.held_out = std::make_unique<PairedSlices>(cohort, people.held_out, settings.data);
  require_other_people(settings, people.held_out);
  if (data.held_out->size() > 0) data.shown = std::make_unique<PairedSlices>(*data.held_out);
  data.pieces =
      std::make_unique<VolumePieces>(std::move(sources), std::move(targets), !settings.unpaired);
  require(data.pieces->size() >= settings.batch_size,
          "{}: {} pieces to train on; expected at least a batch of {}", cohort_folder,
          data.pieces->size(), settings.batch_size);
  return data;
}

}  // namespace scintigen
