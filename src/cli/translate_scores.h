// SPDX-License-Identifier: Apache-2.0
// Scores of translations and of the baselines beside them (docs/file_formats.md, "Scores of a
// translation").
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "cli/translate_person.h"
#include "core/table.h"

namespace scintigen {

class TranslateScores {
 public:
  /// `method`: what the translations are called in the tables.
  explicit TranslateScores(std::string method);
  /// The person's target must be there. Scored are the planes that training would have taken.
  void add(const TranslateSubject& subject, const TranslatedPerson& made,
           const PairedTranslator& translator, double even_sigma_planes);
  bool empty() const { return slices_.rows.empty(); }
  /// Writes scores.csv, patients.csv, scores.json; returns the text for people.
  std::string write(const std::filesystem::path& out) const;

 private:
  std::string method_;
  Table slices_, counts_;
};

/// A person's target in its unit, float32 [D,H,W].
torch::Tensor real_counts(const PairedPerson& person);

}  // namespace scintigen
