// SPDX-License-Identifier: Apache-2.0
#include "imaging/prepare_patient.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "cohort/modality.h"
#include "core/affine.h"
#include "core/error.h"
#include "core/picture.h"
#include "core/resample.h"
#include "core/same_grid.h"
#include "core/transform_file.h"
#include "imaging/deformation.h"
#include "imaging/one_scan.h"
#include "imaging/prepare_grid.h"
#include "imaging/prepare_records.h"
#include "imaging/prepare_volume.h"
#include "imaging/quality_picture.h"
#include "imaging/registration_doubt.h"
#include "imaging/registration_emission.h"
#include "imaging/scaling.h"

namespace scintigen {
namespace {

constexpr double kDisplay_mm = 2;  // of the quality picture
constexpr std::array<int64_t, 3> kDisplayMatrix = {104, 128, 100};

/// A scan on its way.
struct Scan {
  const ScanSource* source;
  Volume volume;  ///< canonical orientation
  Volume mask;    ///< on its grid; undefined: none, or the reference's
  Affine reference_to_scan = identity_affine();  ///< world to world
  std::optional<Registration> registration;      ///< none for the reference
  PatientRecord record;
  std::string left_out;
};

/// A space that volumes are brought to.
struct Space {
  std::string name;
  Grid grid;
  SpatialMap to_reference;  ///< its world to the reference scan's
};

BrainMethod brain_method(const std::string& name) {
  return name == "surface" ? BrainMethod::kSurface
         : name == "atlas" ? BrainMethod::kAtlas
                           : BrainMethod::kAuto;
}

void require_sure(const Registration& to_template) {
  const auto doubt = doubt_of(to_template, "to the template");
  require(doubt.empty(), "{}", doubt);
}

/// --matrix, or 256 x 256 x 192 mm.
std::array<int64_t, 3> matrix_of(const PrepareSettings& settings) {
  if (!settings.matrix.empty()) return {settings.matrix[0], settings.matrix[1], settings.matrix[2]};
  const auto voxels = [&](double mm) {
    return static_cast<int64_t>(std::ceil(mm / settings.spacing_mm - 1e-9));
  };
  return {voxels(256), voxels(256), voxels(192)};
}

class Preparation {
 public:
  Preparation(const PatientPlan& patient, const PrepareSettings& settings,
              const PrepareTemplate& brain_template, int64_t threads)
      : patient_(patient), settings_(settings), template_(brain_template), threads_(threads) {}

  PatientRecord run() {
    read_scans();
    find_brain();
    register_scans();
    register_template();
    make_spaces();
    for (auto& scan : scans_) {
      if (!wanted(scan)) continue;
      for (const auto& space : spaces_) write_volumes(scan, space);
    }
    write_picture();
    return finish();
  }

 private:
  void read_scans();
  void find_brain();
  void register_scan(Scan& scan);
  void register_scans();
  void register_template();
  void deform_to_template_space();
  void make_spaces();
  void write_volumes(Scan& scan, const Space& space);
  void write_picture();
  PatientRecord finish();

  bool wanted(const Scan& scan) const {
    return scan.left_out.empty() &&
           std::find(settings_.modalities.begin(), settings_.modalities.end(),
                     scan.source->modality) != settings_.modalities.end();
  }
  bool needs_affine() const;
  /// The inverse is made once, where a region of the template is sought in another space.
  const SpatialMap& reference_to_template() {
    if (!from_template_space_) from_template_space_ = inverse(*to_template_space_);
    return *from_template_space_;
  }
  Scan& reference() { return scans_.front(); }
  std::string stem(const Scan& scan, const std::string& space) const;
  std::filesystem::path transform_file(const std::string& name) const {
    return std::filesystem::path(settings_.out) / "transforms" / patient_.participant_id / name;
  }
  std::filesystem::path warp_file() const {
    return transform_file(patient_.participant_id + "_T1w_from-template_warp.nii.gz");
  }
  void write_transform(const std::string& name, const Affine& map, const std::string& fixed,
                       const std::string& moving) const;

  const PatientPlan& patient_;
  const PrepareSettings& settings_;
  const PrepareTemplate& template_;
  int64_t threads_;
  std::vector<Scan> scans_;  // the reference first
  std::vector<Space> spaces_;
  std::optional<Registration> affine_, rigid_;  // template world to reference world
  std::optional<SpatialMap> from_template_space_;
  std::optional<SpatialMap> to_template_space_;  // the same of `affine_`, deformed where asked for
  std::string template_doubt_;                   // why nothing may pass through it
  PatientRecord record_;
  std::vector<std::string> warnings_;
};

void Preparation::read_scans() {
  std::vector<const ScanSource*> order;
  for (const auto& source : patient_.scans) order.push_back(&source);
  // The T1 is what others are brought to; without it PET, which is sharper, then SPECT.
  const auto rank = [](const ScanSource* s) {
    return s->modality == "T1w" ? 0 : s->modality == "pet" ? 1 : s->modality == "spect" ? 2 : 3;
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](const auto* a, const auto* b) { return rank(a) < rank(b); });
  for (const auto* source : order) {
    if (source->modality == "mask") continue;
    Scan scan;
    scan.source = source;
    std::vector<std::string> notes;
    try {
      scan.volume = read_scan(*source, notes);
    } catch (const Error& error) {
      const auto why = without_paths(error.what(), source->series);
      require(!scans_.empty(), "{}", why);  // nothing to bring the others to
      scan.left_out = why;
    }
    for (auto& note : notes) note = without_paths(note, source->series);
    scan.record = {{"session", source->session},
                   {"modality", source->modality},
                   {"source", source->name()},
                   {"tracer", source->tracer}};
    if (scan.volume.voxels.defined()) {
      scan.record["unit"] = scan.volume.unit;
      scan.record["grid"] = describe_grid(grid_of(scan.volume));
    }
    scan.record["notes"] = notes;
    scans_.push_back(std::move(scan));
  }
  require(!scans_.empty(), "{}: no scan", patient_.participant_id);
}

void Preparation::find_brain() {
  auto& first = reference();
  auto brain = PatientRecord::object();
  for (const auto& source : patient_.scans) {
    if (source.modality != "mask") continue;
    std::vector<std::string> notes;
    first.mask = read_scan(source, notes);
    require_same_grid(first.volume, first.source->name(), first.mask, source.name());
    brain["method"] = "given: " + source.name();
  }
  if (!first.mask.voxels.defined() && settings_.brain != "none") {
    const auto found =
        is_emission(first.source->modality)
            ? extract_brain_emission(first.volume)
            : extract_brain(first.volume, brain_method(settings_.brain), template_.brain);
    first.mask = found.mask;
    brain["method"] = found.method;
    brain["doubtful"] = found.doubtful;
    if (found.doubtful) {
      brain["why"] = found.why;
      warnings_.push_back("brain mask is doubtful: " + found.why);
    }
  }
  if (first.mask.voxels.defined()) {
    const double voxel_ml = std::abs(determinant(first.volume.voxel_to_world)) / 1000;
    brain["volume_ml"] =
        static_cast<double>((first.mask.voxels > 0).sum().item<int64_t>()) * voxel_ml;
  }
  record_["brain"] = brain;
}

void Preparation::register_scan(Scan& scan) {
  const auto& first = reference();
  RegistrationSettings settings;
  settings.threads = threads_;
  const bool by_uptake = is_emission(scan.source->modality) &&
                         !is_emission(first.source->modality) && first.mask.voxels.defined();
  const auto kind = scan.source->modality == "pet" ? Emission::kPet : Emission::kSpect;
  scan.registration = by_uptake
                          ? register_emission(first.volume, first.mask, scan.volume, kind, settings)
                          : register_volumes(first.volume, scan.volume, settings);
  scan.reference_to_scan = scan.registration->fixed_to_moving;
  scan.record["registration"] = registration_record(*scan.registration);
  const auto doubt = doubt_of(*scan.registration, "to the " + first.source->modality);
  if (!doubt.empty()) {
    warnings_.push_back(stem(scan, "") + ": " + doubt);
    if (!settings_.keep_doubtful) scan.left_out = doubt;
  }
  write_transform(stem(scan, "") + "_from-" + first.source->modality, scan.reference_to_scan,
                  first.source->modality, scan.source->modality);
}

void Preparation::register_scans() {
  auto& first = reference();
  for (auto& scan : scans_) {
    if (&scan == &first || !scan.left_out.empty()) continue;
    try {
      if (settings_.registered) {
        require_same_grid(first.volume, first.source->name(), scan.volume, scan.source->name());
        scan.record["registration"] = {{"given", "on the grid of " + first.source->name()}};
      } else {
        register_scan(scan);
      }
      if (settings_.mask_from == "own" && is_emission(scan.source->modality) &&
          settings_.brain != "none") {
        const auto own = extract_brain_emission(scan.volume);
        scan.mask = own.mask;
        if (own.doubtful)
          warnings_.push_back(stem(scan, "") + ": brain mask is doubtful: " + own.why);
      }
    } catch (const Error& error) {
      scan.left_out = error.what();
    }
  }
}

bool Preparation::needs_affine() const {
  const auto& spaces = settings_.space;
  return std::find(spaces.begin(), spaces.end(), "template") != spaces.end() ||
         template_.regions.voxels.defined();
}

void Preparation::register_template() {
  if (!template_.brain) return;  // native space without regions needs none
  auto& first = reference();
  const bool emission = is_emission(first.source->modality);
  // A T1 has the template's skull and scalp, measured near the brain; PET and SPECT have its brain.
  Volume fixed = template_.brain->head;
  if (emission) fixed.voxels = fixed.voxels * (template_.brain->mask.voxels > 0);
  const auto find = [&](Motion motion) {
    RegistrationSettings settings;
    settings.motion = motion;
    settings.threads = threads_;
    return register_volumes(fixed, first.volume, settings, template_.around_brain);
  };
  const auto& spaces = settings_.space;
  if (needs_affine()) affine_ = find(Motion::kAffine);
  if (std::find(spaces.begin(), spaces.end(), "acpc") != spaces.end())
    rigid_ = find(Motion::kRigid);
  for (const auto& [name, found] : {std::pair{"template", &affine_}, std::pair{"acpc", &rigid_}}) {
    if (!*found) continue;
    record_[name] = registration_record(**found);
    const auto doubt = doubt_of(**found, "to the template");
    if (!doubt.empty()) warnings_.push_back(std::string(name) + ": " + doubt);
    write_transform(patient_.participant_id + "_" + first.source->modality + "_from-" + name,
                    (*found)->fixed_to_moving, name, first.source->modality);
  }
  if (!affine_) return;
  // Of an earlier run with other settings: whoever reads these maps goes by what is there.
  std::filesystem::remove(warp_file());
  to_template_space_ = affine_->fixed_to_moving;
  template_doubt_ = doubt_of(*affine_, "to the template");
  if (settings_.template_fit == "deformable") deform_to_template_space();
}

void Preparation::deform_to_template_space() {
  const auto& first = reference();  // a T1w: plan_prepare() saw to that
  const auto found = deform_to_template(template_.brain->head, template_.brain->mask, first.volume,
                                        first.mask, affine_->fixed_to_moving);
  record_["template"]["deformation"] = deformation_record(found);
  if (!found.doubt.empty()) {
    const auto doubt = "deformation to the template is doubtful: " + found.doubt;
    warnings_.push_back("template: " + doubt);
    if (template_doubt_.empty()) {
      template_doubt_ = doubt;
      record_["template"]["doubtful"] = true;
      record_["template"]["why"] = doubt;
    }
  }
  to_template_space_ = compose(SpatialMap(affine_->fixed_to_moving), SpatialMap(found.field));
  write_displacements(warp_file(), found.field);
}

void Preparation::make_spaces() {
  auto& first = reference();
  const auto matrix = matrix_of(settings_);
  for (const auto& name : settings_.space) {
    if (template_.grid)
      spaces_.push_back({name, *template_.grid,
                         name == "native"     ? SpatialMap(identity_affine())
                         : name == "template" ? *to_template_space_
                                              : SpatialMap(rigid_->fixed_to_moving)});
    else if (name == "native")
      spaces_.push_back({name,
                         settings_.registered
                             ? same_slices(first.volume, settings_.spacing_mm)
                             : grid_around(first.volume, first.mask, matrix, settings_.spacing_mm),
                         identity_affine()});
    else if (name == "template")
      spaces_.push_back({name, template_grid(settings_.spacing_mm), *to_template_space_});
    else
      spaces_.push_back(
          {name,
           grid_around(template_.brain->head, template_.brain->mask, matrix, settings_.spacing_mm),
           rigid_->fixed_to_moving});
  }
}

std::string Preparation::stem(const Scan& scan, const std::string& space) const {
  auto name = patient_.participant_id;
  if (!scan.source->session.empty()) name += "_" + scan.source->session;
  if (!space.empty()) name += "_space-" + space;
  return name + "_" + scan.source->modality;
}

void Preparation::write_transform(const std::string& name, const Affine& map,
                                  const std::string& fixed, const std::string& moving) const {
  write_itk_transform(transform_file(name + ".tfm"), map);
  write_matrix(transform_file(name + ".txt"), map, fixed, moving);
}

void Preparation::write_volumes(Scan& scan, const Space& space) {
  PreparedScan prepared;
  prepared.volume = &scan.volume;
  prepared.modality = scan.source->modality;
  prepared.name = stem(scan, space.name);
  const bool own = scan.mask.voxels.defined();
  const auto& mask = own ? scan.mask : reference().mask;
  if (mask.voxels.defined()) {
    prepared.mask = &mask;
    prepared.mask_name = own && &scan != &reference() ? stem(scan, space.name) + "_desc-brain_mask"
                                                      : patient_.participant_id + "_space-" +
                                                            space.name + "_desc-brain_mask";
  }
  prepared.space_to_scan = compose(SpatialMap(scan.reference_to_scan), space.to_reference);
  prepared.space_to_mask = own ? prepared.space_to_scan : space.to_reference;
  const bool by_region = template_.regions.voxels.defined() &&
                         scaling_for(scan.source->modality, settings_) == Scaling::kSuvr;
  try {
    if (!settings_.keep_doubtful) {
      if (space.name == "acpc") require_sure(*rigid_);
      if (space.name == "template" || by_region)
        require(template_doubt_.empty(), "{}", template_doubt_);
    }
    if (by_region && space.name != "template")
      prepared.space_to_template = compose(reference_to_template(), space.to_reference);
    scan.record["volumes"].push_back(write_prepared(prepared, {space.name, space.grid},
                                                    patient_.participant_id, settings_, template_));
  } catch (const Error& error) {
    scan.record["left_out_in"].push_back({{"space", space.name}, {"why", error.what()}});
  }
}

void Preparation::write_picture() {
  auto& first = reference();
  const auto display = grid_around(first.volume, first.mask, kDisplayMatrix, kDisplay_mm);
  const auto shown = [&](const Volume& volume, const Affine& map) {
    return resample(volume, display, map, Interpolation::kLinear);
  };
  Volume outline;
  if (first.mask.voxels.defined())
    outline = resample(first.mask, display, identity_affine(), Interpolation::kNearest);
  std::vector<QualityRow> rows;
  for (const auto& scan : scans_) {
    if (!scan.volume.voxels.defined()) continue;
    rows.push_back({stem(scan, "") + (scan.left_out.empty() ? "" : "  (left out)"),
                    shown(scan.volume, scan.reference_to_scan), outline,
                    is_emission(scan.source->modality) ? "perfusion" : "gray"});
  }
  if (affine_) {
    const auto grid = template_grid(kDisplay_mm);
    rows.push_back(
        {"in template space",
         resample(first.volume, grid, *to_template_space_, Interpolation::kLinear),
         resample(template_.brain->mask, grid, identity_affine(), Interpolation::kNearest),
         is_emission(first.source->modality) ? "perfusion" : "gray"});
  }
  write_png(quality_picture_file(settings_.out, patient_.participant_id), quality_picture(rows));
}

PatientRecord Preparation::finish() {
  record_["participant_id"] = patient_.participant_id;
  record_["reference"] = reference().source->modality;
  record_["warnings"] = warnings_;
  auto& scans = record_["scans"] = PatientRecord::array();
  for (auto& scan : scans_) {
    if (!scan.left_out.empty()) scan.record["left_out"] = scan.left_out;
    scans.push_back(std::move(scan.record));
  }
  return record_;
}

}  // namespace

PatientRecord prepare_patient(const PatientPlan& patient, const PrepareSettings& settings,
                              const PrepareTemplate& brain_template, int64_t threads) {
  return Preparation(patient, settings, brain_template, threads).run();
}

}  // namespace scintigen
