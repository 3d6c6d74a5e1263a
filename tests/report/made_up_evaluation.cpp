// SPDX-License-Identifier: Apache-2.0
#include "report/made_up_evaluation.h"

#include <ATen/ATen.h>

#include <cmath>

#include "core/random.h"

namespace scintigen {
namespace {

/// A head of ellipses with a cold fleck; `seed` moves everything.
torch::Tensor drawn_slice(uint64_t seed, double cold) {
  const auto axis = at::linspace(-1, 1, 64, at::kDouble);
  const auto y = axis.view({64, 1}), x = axis.view({1, 64});
  const auto random = [&](double reach) {
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return reach * (static_cast<double>(seed >> 40) / (1 << 23) - 1);
  };
  const auto blob = [&](double cx, double cy, double sx, double sy) {
    return at::exp(
        -(((x - cx - random(0.03)) / sx).pow(4) + ((y - cy - random(0.03)) / sy).pow(4)));
  };
  auto slice = blob(0, 0, 0.66 + random(0.04), 0.82 + random(0.04));
  slice = slice - 0.5 * blob(0, 0.02, 0.5, 0.62);
  slice = slice + (0.42 + random(0.1)) * blob(-0.2, 0.05, 0.13, 0.22) +
          (0.42 + random(0.1)) * blob(0.2, 0.05, 0.13, 0.22) + 0.3 * blob(0, 0.55, 0.3, 0.14);
  slice = slice - 0.3 * blob(0, -0.05, 0.05, 0.25) -
          cold * blob(0.45 + random(0.1), -0.1 + random(0.3), 0.2, 0.25);
  for (int i = 0; i < 6; ++i)
    slice = slice + random(0.12) * blob(random(0.6), random(0.6), 0.14, 0.14);
  slice = slice.clamp_min(0);
  return (slice / slice.max()).to(at::kFloat);
}

double jitter(uint64_t seed) {  // about normal: three uniform draws
  double sum = 0;
  for (int i = 0; i < 3; ++i) {
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    sum += static_cast<double>(seed >> 40) / (1 << 24) - 0.5;
  }
  return 2 * sum;
}

SliceSet drawn_set(const std::string& name, const MadeUpSize& size, uint64_t seed) {
  SliceSet set;
  set.name = name;
  set.table.name = name;
  set.table.columns = {"participant_id", "condition"};
  std::vector<torch::Tensor> slices;
  for (size_t c = 0; c < size.conditions.size(); ++c)
    for (int64_t i = 0; i < size.slices; ++i) {
      slices.push_back(drawn_slice(seed + 1000003 * c + 7919 * static_cast<uint64_t>(i),
                                   c % 2 == 1 ? 0.35 : 0.02));
      set.table.rows.push_back({fmt::format("sub-{:03}", i % size.people + 1), size.conditions[c]});
    }
  set.slices = at::stack(slices);
  return set;
}

QuantityDifference difference_of(const std::string& set, int64_t n, size_t s, size_t c) {
  QuantityDifference difference;
  difference.set = set;
  difference.n = n;
  const double gap = std::vector<double>{0.08, -0.62, 0.27, 1.1}[(c + s) % 4];
  difference.mean = 0.42 + 0.03 * gap, difference.sd = 0.031;
  difference.difference = gap;
  difference.interval = ConfidenceInterval{gap - 0.3, gap + 0.3, 0.9};
  difference.p = std::vector<double>{0.61, 0.004, 0.11, 0.00002}[(c + s) % 4];
  difference.adjusted_p = std::min(1.0, *difference.p * 3);
  difference.test = "Welch's t test of patients' means, Holm-adjusted";
  difference.agreement =
      std::vector<Agreement>{Agreement::equivalent, Agreement::different, Agreement::undecided,
                             Agreement::different}[(c + s) % 4];
  return difference;
}

Comparison comparison_of(const std::vector<std::string>& sets, int64_t n) {
  Comparison comparison;
  comparison.unit = "row";
  const auto test = [&](const char* figure, double value, double p) {
    TestResult result;
    result.n = n * static_cast<int64_t>(sets.size());
    result.figures = {{figure, value}, {"df1", 1}, {"df2", 91.4}};
    result.p = p;
    return result;
  };
  for (const std::string& set : sets)
    comparison.groups.push_back(
        {set, n, n / 2, 0.421, 0.03, 0.42, 0.33, 0.51, ConfidenceInterval{0.41, 0.43, 0.95}});
  comparison.tests = {{"anova", test("F", 5.21, 0.024)},
                      {"welch_anova", test("F", 5.03, 0.027)},
                      {"kruskal", test("H", 4.4, 0.036)}};
  ManyComparisons dunnett;
  dunnett.name = "dunnett";
  TwoGroups two;
  for (size_t s = 1; s < sets.size(); ++s) {
    PairComparison pair;
    pair.a = sets[s], pair.b = sets[0], pair.n_a = n, pair.n_b = n, pair.difference = 0.01;
    pair.test = test("q", 2.2, 0.031);
    pair.test.interval = ConfidenceInterval{0.001, 0.02, 0.95};
    dunnett.pairs.push_back(pair);
    two.a = sets[s], two.b = sets[0];
    two.tests.emplace_back("welch_t", test("t", 2.24, 0.027));
    two.tests.emplace_back("mann_whitney", test("U", 918, 0.04));
    two.tests.emplace_back("tost_welch", not_computed(n, "no margin was given"));
    two.adjusted = {0.054, 0.08, std::nullopt};
  }
  comparison.many.push_back(dunnett);
  comparison.pairs.push_back(two);
  comparison.warnings = {"slices of one patient are not independent; see the tests by patient"};
  return comparison;
}

Quantity quantity_of(const MadeUp& made, const MadeUpSize& size, const std::string& key,
                     const std::string& name, const std::string& definition, bool judged,
                     uint64_t seed) {
  Quantity quantity{key,        name,   key == "mean_counts" ? "share of the maximum" : "",
                    definition, judged, {}};
  const auto& sets = made.evaluation.sets;
  for (size_t c = 0; c < size.conditions.size(); ++c) {
    QuantityInCondition here;
    here.condition = size.conditions[c];
    here.reference_n = size.slices, here.reference_patients = size.people;
    here.reference_mean = 0.42, here.reference_sd = 0.03;
    for (size_t s = 0; s < sets.size(); ++s) {
      auto& values = here.values.emplace_back();
      for (int64_t i = 0; i < size.slices; ++i)
        values.push_back(
            0.42 + 0.012 * static_cast<double>(c % 5) + 0.009 * static_cast<double>(s) +
            0.03 * jitter(seed + 31 * c + 977 * s + 104729 * static_cast<uint64_t>(i)));
      if (key == "left_lower")
        for (double& value : values) value = value > 0.43 ? 1 : 0;
      if (s > 0) here.sets.push_back(difference_of(sets[s], size.slices, s - 1, c));
    }
    here.comparison = comparison_of(sets, size.slices);
    quantity.conditions.push_back(std::move(here));
  }
  return quantity;
}

void add_maps(MadeUp& made, const MadeUpSize& size) {
  const auto of = [&](const SliceSet& set, size_t c) {
    const auto begin = static_cast<int64_t>(c) * size.slices;
    return set.slices.slice(0, begin, begin + size.slices).to(at::kDouble);
  };
  for (size_t c = 0; c < size.conditions.size(); ++c) {
    ConditionMaps maps;
    maps.condition = size.conditions[c];
    for (size_t s = 0; s < made.evaluation.sets.size(); ++s) {
      const auto slices = of(s == 0 ? made.input.reference : made.input.synthetic[s - 1], c);
      maps.mean.push_back(slices.mean(0));
      maps.deviation.push_back(slices.std(0, true));
      maps.deviation_ratio.emplace_back(s == 0 ? 1.0 : 0.93 - 0.02 * static_cast<double>(c));
      maps.ratio_interval.emplace_back(ConfidenceInterval{0.84, 1.02, 0.95});
    }
    made.evaluation.maps.push_back(std::move(maps));
  }
}

void add_distances(MadeUp& made) {
  FeatureSpace space{"pixels_pca",
                     "principal components of the pixels",
                     "The slices' pixels, projected on the first 40 components of the reference.",
                     40,
                     {}};
  for (const auto& [key, name, ideal] :
       {std::array<const char*, 3>{"frechet", "Fréchet distance", "0"},
        {"energy", "Energy distance", "0"},
        {"classifier", "Classifier two-sample AUC", "0.5"},
        {"recall", "Recall", "1"}}) {
    Distance distance{key, name, std::string("What ") + name + " is, in a line.", ideal, {}};
    for (size_t s = 1; s < made.evaluation.sets.size(); ++s)
      distance.values.push_back({made.evaluation.sets[s], 0.31 + 0.1 * static_cast<double>(s),
                                 ConfidenceInterval{0.28, 0.45, 0.95}, ""});
    distance.values.push_back({"training", 0.19, ConfidenceInterval{0.12, 0.27, 0.95}, ""});
    space.distances.push_back(std::move(distance));
  }
  space.distances.back().values.back() = {"training", {}, {}, "fewer than 5 people"};
  made.evaluation.features = {space, space};
  made.evaluation.features[1].name = "radiomic features";
}

void add_audits(MadeUp& made) {
  for (const SliceSet& set : made.input.synthetic) {
    SetAudit audit;
    audit.set = set.name;
    CopyAudit figures;
    const auto ramp = [](int64_t n, double from, double to) {
      return from + (to - from) * at::linspace(0, 1, n, at::kDouble).pow(1.6);
    };
    figures.synthetic = ramp(set.size(), 0.12, 0.52);
    figures.held_out = ramp(made.input.reference.size(), 0.17, 0.58);
    figures.nearest = at::zeros({set.size()}, at::kLong);
    figures.threshold = 0.181;
    figures.suspects = {{0, 1, 0.121}, {3, 5, 0.14}, {7, 8, 0.171}};
    figures.membership_auc = 0.54;
    audit.audit = figures;
    audit.auc_interval = ConfidenceInterval{0.49, 0.6, 0.95};
    audit.suspect_share = 3.0 / static_cast<double>(set.size());
    made.evaluation.audits.push_back(std::move(audit));
  }
}

void add_words(MadeUp& made) {
  using Grade = Finding::Grade;
  Evaluation& e = made.evaluation;
  e.headline =
      "Mean counts and left-right balance agree with real slices in most conditions; "
      "variety is a little low, and three slices are nearer to training slices than real "
      "strangers are.";
  for (size_t s = 1; s < e.sets.size(); ++s) {
    const std::string& set = e.sets[s];
    e.findings.push_back({Grade::good, set, "Mean counts",
                          "Equivalent within 0.5 SD in 2 of 3 conditions (largest difference 0.27 "
                          "SD in cortex, unilateral)."});
    e.findings.push_back({Grade::caution, set, "Variety",
                          "SD ratio 0.81 to 0.93; the lower end of the interval is below 0.8 in "
                          "basal ganglia, normal."});
    e.findings.push_back({Grade::bad, set, "Left-right balance",
                          "Different in cortex, unilateral: −0.62 SD [−0.92, −0.32]."});
    e.findings.push_back({Grade::unknown, set, "Regions", "No atlas was given."});
  }
  e.warnings = {
      "Only 12 patients in the reference: intervals are wide, and absence of a "
      "difference is weak evidence of agreement.",
      "p by slice treats 24 slices of 12 patients as independent; the tests by patient "
      "are the ones to quote."};
  e.methods =
      "Synthetic slices were compared with slices of patients who were not trained on. "
      "Means of each quantity by patient were compared by Welch's t test with Holm's "
      "adjustment over conditions, and by two one-sided tests with a margin of 0.5 "
      "standard deviations of the real slices (90 % intervals by a bootstrap of patients, "
      "2000 resamples). Variety is the ratio of the mean pixel-wise standard deviation "
      "within the brain mask.";
}

}  // namespace

MadeUpSize full_size() {
  MadeUpSize size;
  size.conditions.clear();
  for (const char* level : {"basal_ganglia", "cerebellum", "cortex", "high_cortex"})
    for (const char* pattern : {"normal", "unilateral"})
      size.conditions.push_back(std::string(level) + ", " + pattern);
  size.slices = 117;  // 8 x 117 = 936
  size.people = 60;
  return size;
}

MadeUp made_up_evaluation(const MadeUpSize& size) {
  MadeUp made;
  made.input.reference = drawn_set("real", size, 11);
  made.input.training = drawn_set("training", size, 999);
  made.input.reference_is_held_out = true;
  Evaluation& e = made.evaluation;
  e.sets = {"real"};
  for (size_t s = 0; s < size.sets.size(); ++s) {
    made.input.synthetic.push_back(drawn_set(size.sets[s], size, 5000 + 77 * s));
    e.sets.push_back(size.sets[s]);
  }
  e.conditions = size.conditions;
  e.counts.assign(e.sets.size(), std::vector<int64_t>(size.conditions.size(), size.slices));
  e.patients.assign(size.conditions.size(), size.people);
  e.quantities = {
      quantity_of(made, size, "mean_counts", "Mean counts",
                  "Mean of the slice within the brain mask, share of the slice's maximum.", true,
                  1),
      quantity_of(made, size, "left_right_ratio", "Left-right ratio",
                  "Counts left of the midline over counts right of it.", true, 2),
      quantity_of(made, size, "left_lower", "Side balance",
                  "share of slices whose left half has the lower mean.", false, 5),
      quantity_of(made, size, "asymmetry_index", "Asymmetry index",
                  "200 (left − right) / (left + right).", false, 3),
      quantity_of(made, size, "region_frontal_left", "Frontal lobe, left",
                  "Mean of the region over the mean of the brain mask.", false, 4)};
  e.slices.name = "slices";
  e.slices.columns = {"set", "participant_id", "condition"};
  const auto add_rows = [&](const SliceSet& set, bool real) {
    for (const auto& row : set.table.rows)
      e.slices.rows.push_back({set.name, real ? row[0] : "n/a", row[1]});
  };
  add_rows(made.input.reference, true);
  for (const SliceSet& set : made.input.synthetic) add_rows(set, false);
  add_maps(made, size);
  add_distances(made);
  add_audits(made);
  add_words(made);
  made.extras.title = "Werner A, improved preset: synthetic perfusion slices of five levels";
  made.extras.interpolations = {
      {"cortex, normal: from latent 1 to latent 2", made.input.reference.slices.slice(0, 0, 10)}};
  made.extras.settings = {
      {"command", "scintigen evaluate --real cohort --synthetic set --report report.html"},
      {"version", "0.1.0"},
      {"settings", {{"by", {"level", "pattern"}}, {"margin", 0.5}, {"resamples", 2000}}},
      {"inputs",
       {{{"path", "cohort/slices.safetensors"},
         {"bytes", 15368192},
         {"sha256", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}},
        {{"path", "set/synthetic.nii.gz"},
         {"bytes", 9152033},
         {"sha256", "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"}}}}};
  return made;
}

void put_everywhere(MadeUp& made, const std::string& text) {
  Evaluation& e = made.evaluation;
  const auto around = [&](std::string& place) { place = text + place; };
  for (std::string& name : e.sets) around(name);
  for (std::string& name : e.conditions) around(name);
  around(made.input.reference.name);
  for (SliceSet* set : {&made.input.reference, &made.input.training})
    for (auto& row : set->table.rows) around(row[0]);
  for (SliceSet& set : made.input.synthetic) {
    around(set.name);
    for (auto& row : set.table.rows) around(row[0]);
  }
  for (auto& row : e.slices.rows)
    for (std::string& cell : row) around(cell);
  for (Quantity& quantity : e.quantities) {
    for (std::string* place : {&quantity.name, &quantity.unit, &quantity.definition})
      around(*place);
    for (QuantityInCondition& here : quantity.conditions) {
      around(here.condition);
      for (QuantityDifference& difference : here.sets)
        for (std::string* place : {&difference.set, &difference.test, &difference.why})
          around(*place);
      if (!here.comparison) continue;
      for (GroupSummary& group : here.comparison->groups) around(group.name);
      for (std::string& warning : here.comparison->warnings) around(warning);
    }
  }
  for (ConditionMaps& maps : e.maps) around(maps.condition);
  for (FeatureSpace& space : e.features) {
    around(space.name), around(space.definition);
    for (Distance& distance : space.distances) {
      around(distance.name);
      for (DistanceValue& value : distance.values) around(value.set);
    }
  }
  for (SetAudit& audit : e.audits) around(audit.set);
  for (Finding& finding : e.findings)
    for (std::string* place : {&finding.set, &finding.subject, &finding.sentence}) around(*place);
  for (std::string& warning : e.warnings) around(warning);
  around(e.headline), around(e.methods), around(made.extras.title);
  for (auto& strip : made.extras.interpolations) around(strip.label);
  auto& settings = made.extras.settings;
  settings[text + "key"] = text;
  for (auto& input : settings["inputs"]) input["path"] = text + input["path"].get<std::string>();
}

}  // namespace scintigen
