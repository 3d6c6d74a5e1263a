// SPDX-License-Identifier: Apache-2.0
// brain_extraction_experiment FOLDER PERSONS SEED PER_TROUBLE THREADS
// Every method of brain extraction on simulated heads and emission scans, against the mask they
// were made with: FOLDER/rows.tsv (a row a scan and method), FOLDER/summary.tsv, and as NIfTI the
// worst of each method among the plain heads.
#include "imaging/brain_extraction.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>

#include "core/error.h"
#include "core/mask_morphology.h"
#include "core/nifti.h"
#include "simulate/activity.h"
#include "simulate/pet_scan.h"
#include "simulate/spect_scan.h"
#include "simulated_heads.h"

namespace scintigen {
namespace {

constexpr double kWanted = 0.95;
constexpr int64_t kWithOtherPerson = 8;   // heads that are also tried with a simulated template
constexpr uint64_t kTemplateSeed = 9000;  // the person who is a template for the others

struct Row {
  std::string kind, variant, method, why;
  int64_t person = 0;
  double dice = 0, missed_ml = 0, extra_ml = 0, true_ml = 0, mean_mm = 0, far_mm = 0, seconds = 0;
  bool doubtful = false;
};

/// What of `mask` lies within the box of `any` and a voxel around it.
torch::Tensor in_box_of(const torch::Tensor& any, torch::Tensor mask) {
  const auto places = any.nonzero();
  const auto low = std::get<0>(places.min(0)), high = std::get<0>(places.max(0));
  for (int64_t axis = 0; axis < 3; ++axis) {
    const auto from = std::max<int64_t>(0, low[axis].item<int64_t>() - 1);
    const auto to = std::min(any.size(axis), high[axis].item<int64_t>() + 2);
    mask = mask.narrow(axis, from, to - from);
  }
  return mask.contiguous();
}

/// mm from the edge of each mask to the edge of the other: mean, and the 95th percentile.
std::pair<double, double> edge_distances(const torch::Tensor& whole_a, const torch::Tensor& whole_b,
                                         const std::array<double, 3>& spacing) {
  const auto any = whole_a.logical_or(whole_b);
  const auto a = in_box_of(any, whole_a), b = in_box_of(any, whole_b);
  std::vector<float> all;
  for (const auto& [from, to] : {std::pair{a, b}, {b, a}}) {
    const auto step = *std::min_element(spacing.begin(), spacing.end());
    const auto edge = from.logical_and(erode(from, step, spacing).logical_not());
    const auto distance = signed_distance_mm(to, spacing).abs().masked_select(edge);
    all.insert(all.end(), distance.data_ptr<float>(),
               distance.data_ptr<float>() + distance.numel());
  }
  double sum = 0;
  for (const float mm : all) sum += mm;
  const auto at = all.begin() + static_cast<int64_t>(0.95 * double(all.size() - 1));
  std::nth_element(all.begin(), at, all.end());
  // An edge's own voxels lie half a voxel inside it: that much is the least that can be found.
  return {sum / double(all.size()), *at};
}

class Experiment {
 public:
  Experiment(std::string folder) : folder_(std::move(folder)), out_(folder_ + "/rows.tsv") {
    out_ << "kind\tvariant\tperson\tmethod\tdice\tmissed_ml\textra_ml\ttrue_ml\tmean_mm\tp95_mm\t"
            "seconds\tdoubtful\twhy\n";
  }

  void measure(const std::string& kind, const std::string& variant, int64_t person,
               const std::string& method, const Volume& scan, const Volume& truth,
               const std::function<BrainMask()>& extract) {
    Row row{kind, variant, method, "", person};
    const auto begin = std::chrono::steady_clock::now();
    BrainMask found;
    try {
      found = extract();
    } catch (const Error& error) {
      found.mask = empty_volume(grid_of(scan), "1");
      found.doubtful = true;
      found.why = error.what();
    }
    row.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    row.doubtful = found.doubtful, row.why = found.why;
    const auto a = found.mask.voxels.gt(0), b = truth.voxels.gt(0);
    const double voxel = std::abs(determinant(scan.voxel_to_world)) / 1000;
    const auto ml = [&](const torch::Tensor& mask) {
      return voxel * double(mask.sum().item<int64_t>());
    };
    row.true_ml = ml(b);
    row.missed_ml = ml(b.logical_and(a.logical_not()));
    row.extra_ml = ml(a.logical_and(b.logical_not()));
    row.dice = 2 * ml(a.logical_and(b)) / (ml(a) + row.true_ml);
    if (ml(a) > 0)
      std::tie(row.mean_mm, row.far_mm) = edge_distances(a, b, spacing_mm(scan.voxel_to_world));
    keep_worst(row, scan, truth, found.mask);
    write(row);
    rows_.push_back(row);
  }

  void summarise() const;

 private:
  void write(const Row& r) {
    out_ << fmt::format(
                "{}\t{}\t{}\t{}\t{:.4f}\t{:.1f}\t{:.1f}\t{:.1f}\t{:.2f}\t{:.2f}\t{:.2f}\t{}\t{}\n",
                r.kind, r.variant, r.person, r.method, r.dice, r.missed_ml, r.extra_ml, r.true_ml,
                r.mean_mm, r.far_mm, r.seconds, r.doubtful ? "yes" : "no",
                r.why.empty() ? "n/a" : r.why)
         << std::flush;
  }

  void keep_worst(const Row& row, const Volume& scan, const Volume& truth, const Volume& mask) {
    if (row.variant != "plain") return;
    const auto key = row.kind + "_" + row.method;
    const auto known = worst_.find(key);
    if (known != worst_.end() && known->second <= row.dice) return;
    worst_[key] = row.dice;
    std::string name = folder_ + "/worst_" + key;
    std::replace(name.begin() + static_cast<int64_t>(folder_.size()) + 1, name.end(), ' ', '-');
    const std::string what = "SYNTHETIC: simulated by scintigen";
    write_nifti(name + "_scan.nii.gz", scan, what);
    write_nifti(name + "_truth.nii.gz", truth, what, 1, NiftiNumber::kUint8);
    write_nifti(name + "_mask.nii.gz", mask, what, 1, NiftiNumber::kUint8);
  }

  std::string folder_;
  std::ofstream out_;
  std::vector<Row> rows_;
  std::map<std::string, double> worst_;
};

void Experiment::summarise() const {
  std::vector<std::string> order;
  std::map<std::string, std::vector<Row>> groups;
  for (const Row& row : rows_) {
    const auto key = row.kind + "\t" + row.variant + "\t" + row.method;
    if (!groups.count(key)) order.push_back(key);
    groups[key].push_back(row);
  }
  std::string text =
      "kind\tvariant\tmethod\tn\tdice_mean\tdice_least\tbelow_0.95\tmean_mm\tp95_mm\tp95_mm_most\t"
      "seconds_median\tdoubtful\n";
  for (const auto& key : order) {
    auto& group = groups[key];
    double sum = 0, least = 1, mm = 0, far = 0, farthest = 0;
    int64_t below = 0, doubtful = 0;
    for (const Row& r : group) {
      sum += r.dice, mm += r.mean_mm, far += r.far_mm;
      least = std::min(least, r.dice), farthest = std::max(farthest, r.far_mm);
      below += r.dice < kWanted, doubtful += r.doubtful;
    }
    std::sort(group.begin(), group.end(),
              [](const Row& a, const Row& b) { return a.seconds < b.seconds; });
    const auto n = double(group.size());
    text += fmt::format("{}\t{}\t{:.4f}\t{:.4f}\t{}\t{:.2f}\t{:.2f}\t{:.2f}\t{:.2f}\t{}\n", key,
                        group.size(), sum / n, least, below, mm / n, far / n, farthest,
                        group[group.size() / 2].seconds, doubtful);
  }
  std::ofstream(folder_ + "/summary.tsv") << text;
  std::cout << text;
}

void measure_head(Experiment& experiment, const TemplateHead& head, const HeadVariant& variant,
                  uint64_t seed, int64_t person, const BrainTemplate& colin,
                  const BrainTemplate& other) {
  const auto scan = simulate_head(head, seed, person, variant);
  const auto measure = [&](const std::string& method, const std::function<BrainMask()>& extract) {
    experiment.measure("T1", variant.name, person, method, scan.image, scan.brain_mask, extract);
  };
  measure("surface", [&] { return extract_brain_surface(scan.image); });
  measure("atlas Colin 27", [&] { return extract_brain_atlas(scan.image, colin); });
  if (variant.name == "plain" && person < kWithOtherPerson)
    measure("atlas other person", [&] { return extract_brain_atlas(scan.image, other); });
}

void measure_emission(Experiment& experiment, const TemplateHead& head, uint64_t seed,
                      int64_t index, double counts, const std::string& variant) {
  const Person person = make_person(head, seed, index, 25 + double(3 * index), index % 2 == 0);
  const auto pose = rigid_affine({0.05, -0.06, 0.08}, {3, -4, 5});
  const auto measure = [&](const char* kind, const Volume& image) {
    const HeadMaps coarse = sample_head(head, person, grid_of(image), pose);
    Volume truth = empty_volume(coarse.grid, "1");
    for (size_t v = 0; v < coarse.voxels(); ++v)
      truth.voxels.data_ptr<float>()[v] = coarse.region[v] != 0;
    experiment.measure(kind, variant, index, "threshold", image, truth,
                       [&] { return extract_brain_emission(image); });
  };
  PetProtocol pet;
  pet.counts *= counts;
  auto maps = sample_head(
      head, person, centred_grid(pet.matrix, pet.matrix, pet.slices, pet.pixel_mm, {-1, -2, 3}),
      pose);
  auto activity =
      make_activity(head, maps, make_metabolism(head, person, Tracer::kFdg, seed, index), {});
  measure("PET", simulate_pet(activity, make_attenuation(maps, Tracer::kFdg), pet,
                              Random(seed, "pet", static_cast<uint64_t>(index)))
                     .image);
  SpectProtocol spect;
  spect.counts *= counts;
  maps = sample_head(head, person,
                     centred_grid(2 * spect.matrix, 2 * spect.matrix, 2 * spect.slices,
                                  spect.pixel_mm / 2, {-1, -2, 3}),
                     pose);
  activity =
      make_activity(head, maps, make_metabolism(head, person, Tracer::kImp, seed, index), {});
  measure("SPECT", simulate_spect(activity, make_attenuation(maps, Tracer::kImp),
                                  make_uniform_attenuation(maps, Tracer::kImp), spect,
                                  Random(seed, "spect", static_cast<uint64_t>(index)))
                       .image);
}

int run(const std::vector<std::string>& words) {
  require(words.size() == 6,
          "usage: brain_extraction_experiment FOLDER PERSONS SEED PER_TROUBLE THREADS");
  const int64_t persons = std::stoll(words[2]), per_trouble = std::stoll(words[4]);
  const auto seed = static_cast<uint64_t>(std::stoull(words[3]));
  at::set_num_threads(std::stoi(words[5]));
  Experiment experiment(words[1]);
  const TemplateHead head = load_template({});
  const TemplateHead longer = with_neck(head, 80);
  const BrainTemplate colin = load_brain_template();
  const auto someone = simulate_head(head, kTemplateSeed, 0, {});
  const std::string stem = words[1] + "/other_person_";
  const std::string what = "SYNTHETIC: simulated by scintigen";
  write_nifti(stem + "T1w.nii.gz", someone.image, what);
  write_nifti(stem + "brain.nii.gz", someone.brain_mask, what, 1, NiftiNumber::kUint8);
  const BrainTemplate other = load_brain_template(stem + "T1w.nii.gz", stem + "brain.nii.gz");
  const auto variants = head_variants();
  for (int64_t person = 0; person < persons; ++person)
    measure_head(experiment, head, variants[0], seed, person, colin, other);
  for (size_t v = 1; v < variants.size(); ++v)
    for (int64_t person = 0; person < per_trouble; ++person)
      measure_head(experiment, variants[v].neck ? longer : head, variants[v], seed, person, colin,
                   other);
  for (int64_t person = 0; person < persons; ++person) {
    measure_emission(experiment, head, seed, person, 1, "plain");
    if (person < per_trouble)
      measure_emission(experiment, head, seed, person, 0.1, "a tenth of the counts");
  }
  experiment.summarise();
  return 0;
}

}  // namespace
}  // namespace scintigen

int main(int argc, char** argv) try {
  return scintigen::run({argv, argv + argc});
} catch (const std::exception& error) {
  std::cerr << argv[0] << ": " << error.what() << "\n";
  return 2;
}
