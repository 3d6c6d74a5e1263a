// SPDX-License-Identifier: Apache-2.0
#include "cohort/sampling.h"

#include <algorithm>
#include <map>

#include "core/error.h"
#include "core/permutation.h"
#include "core/progress.h"
#include "core/random.h"

namespace scintigen {

BatchSampler::BatchSampler(PreparedCohort cohort, ConditionEncoder encoder, int64_t batch_size,
                           std::string balance, AugmentSettings augment, uint64_t seed)
    : cohort_(std::move(cohort)),
      encoder_(std::move(encoder)),
      batch_size_(batch_size),
      balance_(std::move(balance)),
      augment_(std::move(augment)),
      seed_(seed) {
  const int64_t rows = cohort_.size();
  require(batch_size_ >= 1 && batch_size_ <= rows,
          "{}: batches of {} from {} slices; expected 1 to {}", cohort_.name, batch_size_, rows,
          rows);
  require(balance_ == "none" || balance_ == "class" || balance_ == "patient",
          "balance: expected none, class or patient; found \"{}\"", balance_);
  cohort_.slices = cohort_.slices.contiguous();
  cohort_.neighbours = cohort_.neighbours.contiguous();
  encoded_ = encoder_.encode(cohort_.table);

  const auto& table = cohort_.table;
  may_flip_.assign(static_cast<size_t>(rows), augment_.flip_where == "all");
  if (!augment_.flip_where.empty() && augment_.flip_where != "all") {
    try {
      may_flip_ = rows_with(table, augment_.flip_where);
    } catch (const Error& error) {
      throw Error("flip_where: {}", error.what());
    }
    if (std::find(may_flip_.begin(), may_flip_.end(), true) == may_flip_.end()) {
      warn(fmt::format("{}: no row has {}; no slice will be flipped", table.name,
                       augment_.flip_where));
    }
  }
  if (balance_ == "none") return;
  std::map<std::string, size_t> class_index;
  std::vector<std::map<std::string, size_t>> patient_index;
  for (int64_t row = 0; row < rows; ++row) {
    const auto index = static_cast<size_t>(row);
    const auto& participant =
        balance_ == "patient" ? table.at(index, "participant_id") : std::string();
    const auto [entry, is_new] =
        class_index.emplace(encoder_.text_values(table, index), strata_.size());
    if (is_new) {
      strata_.emplace_back();
      patient_index.emplace_back();
    }
    auto& patients = strata_[entry->second];
    const auto [patient, is_first] =
        patient_index[entry->second].emplace(participant, patients.size());
    if (is_first) patients.emplace_back();
    patients[patient->second].push_back(row);
  }
}

int64_t BatchSampler::steps_per_epoch() const { return cohort_.size() / batch_size_; }

std::vector<int64_t> BatchSampler::draw_rows(int64_t step, const char* stream) const {
  require(step >= 0, "batch {}: expected 0 or more", step);
  std::vector<int64_t> rows(static_cast<size_t>(batch_size_));
  const auto drawn = [&](int64_t position, int64_t count, uint64_t salt) {
    // `position` runs through permutation after permutation of 0..count-1
    const auto key = stream_seed(seed_ ^ salt, stream, static_cast<uint64_t>(position / count));
    return permuted(position % count, count, key);
  };
  for (int64_t i = 0; i < batch_size_; ++i) {
    auto& row = rows[static_cast<size_t>(i)];
    if (balance_ == "none") {
      const int64_t steps = steps_per_epoch();
      row = permuted((step % steps) * batch_size_ + i, cohort_.size(),
                     stream_seed(seed_, stream, static_cast<uint64_t>(step / steps)));
      continue;
    }
    // Class, patient and slice each in turn, so that frequencies are equal over every few batches,
    // not only on average.
    const int64_t position = step * batch_size_ + i;
    const auto classes = static_cast<int64_t>(strata_.size());
    const auto chosen = drawn(position, classes, 0);
    const auto& patients = strata_[static_cast<size_t>(chosen)];
    const auto patient_count = static_cast<int64_t>(patients.size());
    const int64_t visit = position / classes;
    const auto salt = static_cast<uint64_t>(chosen + 1) << 32;
    const auto patient = drawn(visit, patient_count, salt);
    const auto& slices = patients[static_cast<size_t>(patient)];
    row =
        slices[static_cast<size_t>(drawn(visit / patient_count, static_cast<int64_t>(slices.size()),
                                         salt + static_cast<uint64_t>(patient) + 1))];
  }
  return rows;
}

torch::Tensor BatchSampler::conditions(int64_t step) const {
  const auto rows = draw_rows(step, "conditions");
  return encoded_.index_select(0, torch::tensor(rows, torch::kLong));
}

Batch BatchSampler::batch(int64_t step) const {
  Batch batch;
  batch.rows = draw_rows(step, "batch");
  const int64_t height = cohort_.slices.size(1), width = cohort_.slices.size(2);
  batch.images = torch::empty({batch_size_, 1, height, width}, torch::kFloat);
  float* image = batch.images.data_ptr<float>();
  for (int64_t i = 0; i < batch_size_; ++i, image += height * width) {
    const int64_t row = batch.rows[static_cast<size_t>(i)];
    augment_into(cohort_, row, may_flip_[static_cast<size_t>(row)], augment_, seed_,
                 static_cast<uint64_t>(step * batch_size_ + i), image);
    std::transform(image, image + height * width, image, [](float v) { return 2.f * v - 1.f; });
  }
  batch.conditions = encoded_.index_select(0, torch::tensor(batch.rows, torch::kLong));
  return batch;
}

}  // namespace scintigen
