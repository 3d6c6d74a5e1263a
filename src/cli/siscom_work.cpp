// SPDX-License-Identifier: Apache-2.0
#include "cli/siscom_work.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/grid.h"
#include "core/progress.h"
#include "core/resample.h"
#include "core/same_grid.h"
#include "imaging/brain_extraction.h"
#include "imaging/prepare_grid.h"
#include "imaging/prepare_patient.h"
#include "imaging/registration_doubt.h"
#include "imaging/registration_emission.h"

namespace scintigen {
namespace {

constexpr double kFwhmOfSigma = 2.354820045030949;
constexpr Point kBox_mm = {192, 232, 192};  // around the brain
constexpr float kHalf = 0.5F;

/// An interictal scan, real or synthetic.
struct Interictal {
  std::string name;
  Volume scan;
  Affine mri_to_scan{}, ictal_to_scan{};
};

class Work {
 public:
  explicit Work(const SiscomSettings& settings) : settings_(settings) {}

  SiscomResult run() {
    read();
    find_brain();
    register_scans();
    register_template();
    find_doubt();
    if (!result_.left_out.empty()) return std::move(result_);
    place();
    for (const auto& interictal : interictals_) result_.made.push_back(subtract_one(interictal));
    if (result_.made.size() == 2) {
      const auto &real = result_.made[0].mri, &synthetic = result_.made[1].mri;
      result_.agreement = agreement_of(real.z.voxels, real.above, synthetic.z.voxels,
                                       synthetic.above, result_.brain.voxels);
    }
    return std::move(result_);
  }

 private:
  Volume read_one(const std::string& path, const char* flag);
  void read();
  void find_brain();
  Affine register_pair(const std::string& name, const Volume& fixed, const Volume& moving);
  void register_scans();
  bool template_is_there() const;
  void register_template();
  void find_doubt();
  void place();
  Volume on_working(const Volume& scan, const Affine& mri_to_scan, double smooth_mm) const;
  torch::Tensor seen(const Volume& scan, const Grid& grid, const Affine& to_scan) const;
  torch::Tensor reference() const;
  SiscomMaps subtract_one(const Interictal& interictal);
  Maps maps_of(const torch::Tensor& difference, const torch::Tensor& score, double threshold,
               const torch::Tensor& mask) const;
  void onto_ictal(const Interictal& interictal, SiscomMaps& made) const;
  Maps compare_with_normal(const Interictal& interictal) const;

  const SiscomSettings& settings_;
  SiscomResult result_;
  Volume ictal_, brain_;  // brain_: on the MRI's grid
  std::vector<Interictal> interictals_;
  std::optional<PrepareTemplate> template_;
  std::optional<LabelImage> atlas_;
  Affine mri_to_template_ = identity_affine();
  bool template_sure_ = false;
  Grid working_;
};

Volume smoothed(Volume volume, double fwhm_mm) {
  if (fwhm_mm <= 0) return volume;
  const auto spacing = spacing_mm(volume.voxel_to_world);
  std::array<double, 3> sigma{};
  for (size_t axis = 0; axis < 3; ++axis) sigma[axis] = fwhm_mm / kFwhmOfSigma / spacing[axis];
  const auto grid = grid_of(volume);
  volume.voxels = volume.voxels.clone();
  gaussian_blur(volume.voxels.data_ptr<float>(), grid.ni, grid.nj, grid.nk, sigma);
  return volume;
}

/// Where a volume is at least half inside, on another grid.
torch::Tensor brought(const Volume& mask, const Grid& grid, const Affine& grid_to_mask) {
  return resample(mask, grid, grid_to_mask, Interpolation::kLinear).voxels.ge(kHalf);
}

Volume as_mask(Volume volume) {
  volume.voxels = volume.voxels.gt(0).to(torch::kFloat);
  return volume;
}

Volume Work::read_one(const std::string& path, const char* flag) {
  const auto source = scan_source(path, flag);
  std::vector<std::string> notes;
  auto volume = read_scan(source, notes);
  for (const auto& note : notes) result_.notes.push_back(fmt::format("{}: {}", flag, note));
  if (!source.file.empty()) return volume;
  std::string hashes;
  for (const auto& file : source.series.files) hashes += sha256_of_file(file) + "\n";
  result_.dicom_hashes.push_back(fmt::format("{} {}", flag, sha256_of_bytes(hashes)));
  return volume;
}

void Work::read() {
  ictal_ = read_one(settings_.ictal, "--ictal");
  result_.mri = read_one(settings_.mri, "--mri");
  if (!settings_.interictal.empty())
    interictals_.push_back({"interictal", read_one(settings_.interictal, "--interictal"), {}, {}});
  if (!settings_.synthetic_interictal.empty())
    interictals_.push_back({"synthetic interictal",
                            read_one(settings_.synthetic_interictal, "--synthetic-interictal"),
                            {},
                            {}});
  for (const auto& one : interictals_)
    require(one.scan.voxel_to_world != ictal_.voxel_to_world ||
                !torch::equal(one.scan.voxels, ictal_.voxels),
            "the ictal and the {} scan are the same, voxel by voxel; expected two scans", one.name);
}

bool Work::template_is_there() const {
  if (settings_.atlas == "none") return false;
  std::error_code error;
  for (const auto& file : {settings_.template_head, settings_.template_brain,
                           settings_.template_labels, settings_.template_names}) {
    if (std::filesystem::is_regular_file(file, error)) continue;
    require(settings_.reference_region.empty() && settings_.normal_sd.empty(),
            "{}: not there; --reference-region and --normal-sd need the template (Debian's "
            "mricron-data, or --template-head and the like)",
            file);
    return false;
  }
  return true;
}

void Work::find_brain() {
  const bool there = template_is_there();
  if (there || settings_.brain == "atlas") {
    PrepareSettings wanted;
    wanted.space = {"native", "template"};
    wanted.template_head = settings_.template_head;
    wanted.template_brain = settings_.template_brain;
    template_ = read_prepare_template(wanted);
  }
  if (there) atlas_ = read_label_image(settings_.template_labels, settings_.template_names);
  if (!settings_.brain_mask.empty()) {
    brain_ = as_mask(read_one(settings_.brain_mask, "--brain-mask"));
    require_same_grid(result_.mri, "--mri", brain_, "--brain-mask");
  } else {
    const auto method = settings_.brain == "surface" ? BrainMethod::kSurface
                        : settings_.brain == "atlas" ? BrainMethod::kAtlas
                                                     : BrainMethod::kAuto;
    say("finding the brain");
    const auto found =
        extract_brain(result_.mri, method, template_ ? template_->brain : std::nullopt);
    if (found.doubtful) result_.warnings.push_back("brain mask is doubtful: " + found.why);
    brain_ = found.mask;
  }
  result_.brain_ml = static_cast<double>(brain_.voxels.gt(0).sum().item<int64_t>()) *
                     std::abs(determinant(brain_.voxel_to_world)) / 1000;
}

Affine Work::register_pair(const std::string& name, const Volume& fixed, const Volume& moving) {
  say("registering " + name);
  RegistrationSettings how;
  how.threads = settings_.threads;
  const bool onto_anatomy = &fixed == &result_.mri;
  const auto found = onto_anatomy ? register_emission(fixed, brain_, moving, Emission::kSpect, how)
                                  : register_volumes(fixed, moving, how);
  result_.maps.push_back({name, found, doubt_of(found, name)});
  return found.fixed_to_moving;
}

void Work::register_scans() {
  result_.mri_to_ictal = register_pair("ictal to MRI", result_.mri, ictal_);
  for (auto& one : interictals_) {
    if (one.name != "interictal" && settings_.synthetic_space == "mri") {
      one.mri_to_scan = identity_affine();
      one.ictal_to_scan = inverse(result_.mri_to_ictal);
      result_.maps.push_back({one.name + " lies in the MRI's space", {}, ""});
      continue;
    }
    one.ictal_to_scan = register_pair(one.name + " to ictal", ictal_, one.scan);
    one.mri_to_scan = compose(one.ictal_to_scan, result_.mri_to_ictal);
  }
}

void Work::register_template() {
  if (!atlas_) return;
  say("registering MRI to template");
  RegistrationSettings how;
  how.motion = Motion::kAffine;
  how.threads = settings_.threads;
  const auto found =
      register_volumes(template_->brain->head, result_.mri, how, template_->around_brain);
  const auto doubt = doubt_of(found, "MRI to template");
  result_.maps.push_back({"MRI to template", found, doubt});
  mri_to_template_ = inverse(found.fixed_to_moving);
  template_sure_ = doubt.empty() || settings_.keep_doubtful;
}

void Work::find_doubt() {
  const bool needs_template = !settings_.reference_region.empty() || !settings_.normal_sd.empty();
  for (const auto& map : result_.maps) {
    if (map.doubt.empty()) continue;
    result_.warnings.push_back(map.doubt);
    if (settings_.keep_doubtful || (map.name == "MRI to template" && !needs_template)) continue;
    if (result_.left_out.empty()) result_.left_out = map.doubt;
  }
}

/// The grid of the maps, and the brain on it where every scan has seen it.
void Work::place() {
  std::array<int64_t, 3> matrix{};
  for (size_t axis = 0; axis < 3; ++axis)
    matrix[axis] = static_cast<int64_t>(std::ceil(kBox_mm[axis] / settings_.spacing_mm));
  working_ = grid_around(result_.mri, brain_, matrix, settings_.spacing_mm);
  result_.brain = empty_volume(working_, "1");
  auto inside = brought(brain_, working_, identity_affine());
  const auto whole = inside.sum().item<int64_t>();
  inside = inside.logical_and(seen(ictal_, working_, result_.mri_to_ictal));
  for (const auto& one : interictals_)
    inside = inside.logical_and(seen(one.scan, working_, one.mri_to_scan));
  const double part =
      static_cast<double>(inside.sum().item<int64_t>()) / std::max<double>(1, double(whole));
  if (part < 0.98)
    result_.warnings.push_back(fmt::format(
        "{:.0f} % of the brain lies in the field of view of every scan; the rest is not compared",
        100 * part));
  result_.brain.voxels = inside.to(torch::kFloat);
}

/// Voxels of `grid` that lie in the field of view of `scan`.
torch::Tensor Work::seen(const Volume& scan, const Grid& grid, const Affine& to_scan) const {
  Volume ones = scan;
  ones.voxels = torch::ones_like(scan.voxels);
  return resample(ones, grid, to_scan, Interpolation::kNearest).voxels.gt(0);
}

Volume Work::on_working(const Volume& scan, const Affine& mri_to_scan, double smooth_mm) const {
  return smoothed(resample(scan, working_, mri_to_scan, Interpolation::kCubicSpline), smooth_mm);
}

torch::Tensor Work::reference() const {
  if (settings_.counts != "reference") return {};
  const auto in_brain = result_.brain.voxels.gt(0);
  if (!settings_.reference_mask.empty()) {
    std::vector<std::string> notes;
    const auto mask =
        as_mask(read_scan(scan_source(settings_.reference_mask, "--reference-mask"), notes));
    require_same_grid(result_.mri, "--mri", mask, "--reference-mask");
    return brought(mask, working_, identity_affine()).logical_and(in_brain);
  }
  const auto labels =
      resample(atlas_->labels, working_, mri_to_template_, Interpolation::kNearest).voxels;
  auto region = torch::zeros_like(in_brain);
  for (const auto& [label, name] : atlas_->names)
    if (name.rfind(settings_.reference_region, 0) == 0)
      region = region.logical_or(labels.eq(static_cast<double>(label)));
  require(region.any().item<bool>(), "--reference-region {}: no region of {} begins so",
          settings_.reference_region, settings_.template_names);
  return region.logical_and(in_brain);
}

Maps Work::maps_of(const torch::Tensor& difference, const torch::Tensor& score, double threshold,
                   const torch::Tensor& mask) const {
  Maps maps;
  maps.difference = empty_volume(working_, "% of mean brain counts");
  maps.difference.voxels = difference;
  maps.z = empty_volume(working_, "1");
  maps.z.voxels = score;
  maps.above = find_clusters(maps.z, {Direction::kAbove, threshold, settings_.least_ml}, mask);
  maps.below = find_clusters(maps.z, {Direction::kBelow, -threshold, settings_.least_ml}, mask);
  if (!template_sure_) return maps;
  for (auto* clusters : {&maps.above, &maps.below})
    name_regions(*clusters, *atlas_, mri_to_template_);
  return maps;
}

CountScaling scaling_of(const std::string& name) {
  return name == "reference" ? CountScaling::kReference
         : name == "robust"  ? CountScaling::kRobust
                             : CountScaling::kMean;
}

SiscomMaps Work::subtract_one(const Interictal& interictal) {
  say("subtracting the " + interictal.name + " scan");
  SiscomMaps made;
  made.name = interictal.name;
  const auto& mask = result_.brain.voxels;
  const auto during = on_working(ictal_, result_.mri_to_ictal, settings_.smooth_mm);
  const auto between = on_working(interictal.scan, interictal.mri_to_scan, settings_.smooth_mm);
  made.subtraction =
      subtract(during.voxels, between.voxels, mask, scaling_of(settings_.counts), reference());
  if (made.subtraction.same)
    result_.warnings.push_back("the ictal and the " + interictal.name +
                               " scan do not differ: is it one scan, scaled?");
  made.mri = maps_of(made.subtraction.difference, made.subtraction.z, settings_.threshold, mask);
  onto_ictal(interictal, made);
  if (!settings_.normal_sd.empty()) made.normal = compare_with_normal(interictal);
  return made;
}

/// The same subtraction on the ictal scan's own voxels: only the interictal scan is interpolated.
void Work::onto_ictal(const Interictal& interictal, SiscomMaps& made) const {
  const auto grid = grid_of(ictal_);
  const auto ictal_to_mri = inverse(result_.mri_to_ictal);
  const auto inside = brought(brain_, grid, ictal_to_mri)
                          .logical_and(seen(interictal.scan, grid, interictal.ictal_to_scan));
  const auto between = smoothed(
      resample(interictal.scan, grid, interictal.ictal_to_scan, Interpolation::kCubicSpline),
      settings_.smooth_mm);
  made.ictal_difference = made.ictal_z = ictal_;
  made.ictal_difference.unit = "% of mean brain counts";
  made.ictal_z.unit = "1";
  made.ictal_difference.voxels = difference_in_percent(smoothed(ictal_, settings_.smooth_mm).voxels,
                                                       between.voxels, made.subtraction.factors)
                                     .masked_fill(inside.logical_not(), 0);
  made.ictal_z.voxels = made.subtraction.same ? torch::zeros_like(made.ictal_difference.voxels)
                                              : made.ictal_difference.voxels / made.subtraction.sd;
}

Maps Work::compare_with_normal(const Interictal& interictal) const {
  const double smooth = settings_.normal_smooth_mm;
  const auto during = on_working(ictal_, result_.mri_to_ictal, smooth);
  const auto between = on_working(interictal.scan, interictal.mri_to_scan, smooth);
  const auto made = subtract(during.voxels, between.voxels, result_.brain.voxels,
                             scaling_of(settings_.counts), reference());
  const auto brought_here = [&](const std::string& file, const char* flag) {
    std::vector<std::string> notes;
    return resample(read_scan(scan_source(file, flag), notes), working_, mri_to_template_,
                    Interpolation::kLinear)
        .voxels;
  };
  NormalDifferences normal;
  normal.sd = brought_here(settings_.normal_sd, "--normal-sd");
  if (!settings_.normal_mean.empty())
    normal.mean = brought_here(settings_.normal_mean, "--normal-mean");
  normal.people = settings_.normal_people;
  const auto known = result_.brain.voxels.gt(0).logical_and(normal.sd.gt(0));
  require(known.any().item<bool>(), "--normal-sd {}: nowhere above 0 in the brain",
          settings_.normal_sd);
  const auto t = against_normal(made.difference, normal).masked_fill(known.logical_not(), 0);
  return maps_of(made.difference, t.contiguous(), settings_.normal_threshold, known);
}

}  // namespace

SiscomResult siscom(const SiscomSettings& settings) { return Work(settings).run(); }

}  // namespace scintigen
