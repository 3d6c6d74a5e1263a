// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "report/score_report.h"

namespace scintigen {
namespace {

ScoreStudy study(const std::string& name = "PET") {
  std::vector<MethodScores> methods;
  int which = 0;
  for (const auto& input : {std::string("MRI"), name})
    for (const char* space : {"native", "template"}) {
      MethodScores method{{input, space},
                          {"scores.csv", {"participant_id", "slice", "rmse", "ssim"}, {}}};
      for (int p = 0; p < 6; ++p)
        for (int k = 0; k < 10; ++k) {
          const double wave = std::sin(1.0 + 7 * p + 3 * k + 11 * which) * 0.02;
          const double value = 0.6 + 0.02 * p + 0.05 * which + wave;
          method.rows.add_row({"sub-" + std::to_string(p), std::to_string(k),
                               number_text(1 - value), number_text(value)});
        }
      ++which;
      methods.push_back(std::move(method));
    }
  return study_scores(methods, {"input", "space"}, {"rmse", "ssim"});
}

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(ScoreReport, AnswersByPatientAndDrawsEveryMeasure) {
  const auto page = score_page(study(), {"Grid", "Simulated people.", {{"seed", 3}}});
  for (const char* id : {"answers", "plots", "means", "tests", "settings"})
    EXPECT_EQ(count(page, "<section id=\"" + std::string(id) + "\""), 1U) << id;
  for (const char* plot : {"rmse-patients", "rmse-slices", "ssim-patients", "ssim-slices"})
    EXPECT_EQ(count(page, "<figure class=\"plot\" id=\"" + std::string(plot) + "\""), 1U) << plot;
  EXPECT_EQ(count(page, "class=\"violin"), 16U);  // 4 plots of 4 methods
  EXPECT_NE(page.find("PET better"), std::string::npos);
  EXPECT_NE(page.find("template better"), std::string::npos);
  EXPECT_NE(page.find("Simulated people."), std::string::npos);
  EXPECT_NE(page.find("6 patients, 60 slices"), std::string::npos);
}

TEST(ScoreReport, EscapesEveryText) {
  const std::string evil = "<script>alert(1)</script>";
  const auto page = score_page(study(evil), {evil, evil, {{evil, evil}}});
  EXPECT_EQ(page.find(evil), std::string::npos);
  EXPECT_NE(page.find("&lt;script&gt;alert(1)"), std::string::npos);
}

TEST(ScoreReport, OneFactorIsASetOfMethods) {
  auto one = study();
  std::vector<MethodScores> methods;
  for (const char* name : {"level mean", "plain", "scintigen"}) {
    MethodScores method{{name}, {"scores.csv", {"participant_id", "slice", "ssim"}, {}}};
    for (int p = 0; p < 4; ++p)
      for (int k = 0; k < 5; ++k)
        method.rows.add_row({"sub-" + std::to_string(p), std::to_string(k),
                             number_text(0.5 + 0.01 * k * p + 0.1 * (name[0] == 's'))});
    methods.push_back(std::move(method));
  }
  const auto page = score_page(study_scores(methods, {"method"}, {"ssim"}), {});
  EXPECT_NE(page.find("method: scintigen − plain"), std::string::npos);
  EXPECT_EQ(count(page, "class=\"violin"), 6U);
}

}  // namespace
}  // namespace scintigen
