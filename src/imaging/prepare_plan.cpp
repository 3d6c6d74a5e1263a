// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "core/error.h"
#include "imaging/prepare.h"
#include "imaging/prepare_grid.h"
#include "imaging/prepare_sources.h"
#include "imaging/scaling.h"

namespace scintigen {
namespace {

bool is_modality(const std::string& name) {
  return std::find(kScanModalities.begin(), kScanModalities.end(), name) != kScanModalities.end();
}

/// What one person needs so that the spaces asked for can be made.
std::string problem_of(const PatientPlan& patient, const PrepareSettings& settings) {
  std::map<std::pair<std::string, std::string>, int> seen;  // session, modality
  int emissions = 0, anatomies = 0;
  for (const auto& scan : patient.scans) {
    const int count = ++seen[{scan.session, scan.modality}];
    if (count == 2)
      return fmt::format(
          "several {} scans{}; {}", scan.modality,
          scan.session.empty() ? "" : " in session " + scan.session,
          scan.file.empty()
              ? "list the ones to take in a --table, with the folder of each series as its file"
              : fmt::format("choose one with --pick {}=TEXT, where only one file's name holds TEXT",
                            scan.modality));
    emissions += scan.modality == "pet" || scan.modality == "spect" ? 1 : 0;
    anatomies += scan.modality == "T1w" ? 1 : 0;
  }
  if (anatomies > 1)
    return "a T1w in several sessions; choose one with --pick T1w=TEXT, where only one file's name "
           "holds TEXT";
  if (emissions + anatomies == 0)
    return patient.refused.empty()
               ? fmt::format("no scan of {}", fmt::join(settings.modalities, ", "))
               : "no scan that can be read: " + patient.refused.front().second;
  const auto& spaces = settings.space;
  if (anatomies == 0 && !settings.registered &&
      std::find(spaces.begin(), spaces.end(), "native") != spaces.end())
    return "no T1w, so there is no native space to bring the others to; --space template or acpc "
           "prepares them without; --registered if they lie on one grid already";
  if (anatomies == 0 && settings.template_fit == "deformable")
    return "no T1w, which --template-fit deformable needs; take affine, or leave the person out";
  return "";
}

void check_spaces(const PrepareSettings& settings) {
  require(!settings.space.empty(), "--space: name native, template or acpc");
  std::set<std::string> seen;
  for (const auto& space : settings.space) {
    require(space == "native" || space == "template" || space == "acpc",
            "--space {}: expected native, template or acpc, comma between them", space);
    require(seen.insert(space).second, "--space: {} is named twice", space);
  }
}

/// One file is one grid: of one world, with a size and a spacing of its own.
void check_grid(const PrepareSettings& settings) {
  if (settings.grid.empty()) return;
  require(settings.matrix.empty() && settings.spacing_mm == PrepareSettings().spacing_mm,
          "--grid {}: has a matrix and a spacing of its own; leave out --matrix and --spacing-mm",
          settings.grid);
  require(settings.space.size() == 1,
          "--grid {}: lies in one world, --space names {}: {}; prepare one after the other",
          settings.grid, settings.space.size(), fmt::join(settings.space, ","));
  output_grid(settings.grid);
}

void check_settings_agree(const PrepareSettings& settings) {
  check_spaces(settings);
  require(settings.matrix.empty() || settings.matrix.size() == 3,
          "--matrix: {} numbers; expected three: 256,256,192", settings.matrix.size());
  require(settings.matrix.empty() || !settings.registered,
          "--matrix: not with --registered, whose native volumes keep their field of view");
  for (const int64_t side : settings.matrix)
    require(side >= 8 && side <= 1024, "--matrix: {}; expected 8 to 1024", side);
  check_grid(settings);
  const auto scalings = parse_scaling(settings.scaling);
  require(settings.template_fit == "affine" ||
              std::find(settings.space.begin(), settings.space.end(), "template") !=
                  settings.space.end() ||
              std::any_of(scalings.begin(), scalings.end(),
                          [](const auto& s) { return s.second == Scaling::kSuvr; }),
          "--template-fit {}: nothing is brought to the template; add --space template",
          settings.template_fit);
  for (const auto& modality : settings.modalities)
    require(is_modality(modality) && modality != "mask",
            "--modalities {}: expected T1w, T2w, FLAIR, pet or spect", modality);
  for (const auto& pick : settings.pick) {
    const auto equals = pick.find('=');
    require(equals != std::string::npos && is_modality(pick.substr(0, equals)),
            "--pick {}: expected MODALITY=TEXT, such as pet=trc-18FFDG", pick);
  }
  for (const auto& [modality, scaling] : parse_scaling(settings.scaling)) {
    const auto near = nearest_word(modality, kScanModalities);
    require(modality.empty() || is_modality(modality), "--scaling {}=...: no such modality{}",
            modality, near ? "; did you mean " + *near + "?" : "");
  }
  parse_shard(settings.shard);
  require(settings.input.empty() != settings.table.empty(),
          settings.input.empty()
              ? "prepare: name a folder (BIDS or DICOM), or --table with one row a scan"
              : "prepare: both a folder and --table; give one of them");
  require(!(settings.merge && !settings.shard.empty()),
          "--merge brings all shards together; give it without --shard");
}

/// Only scans whose names hold what --pick asks for.
void apply_picks(PatientPlan& patient, const std::vector<std::string>& picks) {
  for (const auto& pick : picks) {
    const auto modality = pick.substr(0, pick.find('='));
    const auto text = pick.substr(pick.find('=') + 1);
    auto& scans = patient.scans;
    scans.erase(std::remove_if(scans.begin(), scans.end(),
                               [&](const ScanSource& scan) {
                                 return scan.modality == modality &&
                                        scan.name().find(text) == std::string::npos;
                               }),
                scans.end());
  }
}

void keep_participants(PreparePlan& plan) {
  const auto& wanted = plan.settings.participants;
  if (wanted.empty()) return;
  std::vector<std::string> names;
  for (const auto& patient : plan.patients) names.push_back(patient.participant_id);
  for (auto& patient : plan.patients) patient.wanted = false;
  for (const auto& name : wanted) {
    auto at = std::find(names.begin(), names.end(), name);
    if (at == names.end()) at = std::find(names.begin(), names.end(), "sub-" + name);
    const auto near = at == names.end() ? nearest_word(name, names) : std::nullopt;
    require(at != names.end(), "--participants {}: not in the input{}", name,
            near ? "; did you mean " + *near + "?" : "");
    plan.patients[static_cast<size_t>(at - names.begin())].wanted = true;
  }
}

}  // namespace

std::string ScanSource::name() const {
  if (!file.empty()) return file.filename().string();
  // Never the name of a DICOM file: hospitals put patients' names there.
  return series.files.size() == 1 ? fmt::format("DICOM file of {} slices", series.slices)
                                  : fmt::format("DICOM series of {} files", series.files.size());
}

void PrepareSettings::visit(SettingsVisitor& v) {
  v.visit(positional(text("input", "BIDS tree, or a folder of DICOM files of one or more people")),
          input);
  v.visit(text("table",
               "instead of a folder: one row a scan (.tsv or .csv): participant_id, modality "
               "(T1w, T2w, FLAIR, pet, spect, mask), file (NIfTI, or a DICOM folder), session"),
          table);
  v.visit(required(text("out", "folder for the prepared cohorts; continued if it holds one")), out);
  v.visit(
      text("space",
           "where volumes are brought: native (the person's T1), template, acpc (level with the "
           "commissures, no change of size); comma between several"),
      space);
  v.visit(
      choice("template_fit",
             "how template space is reached: affine (size and pose), or deformable: the shape of "
             "each T1's brain onto the template's, too (for detection; controls and patients "
             "alike)",
             {"affine", "deformable"}),
      template_fit);
  v.visit(text("modalities", "what to prepare: T1w, T2w, FLAIR, pet, spect"), modalities);
  v.visit(text("participants", "only these people (default: all)"), participants);
  v.visit(text("pick",
               "MODALITY=TEXT: of several scans, the one whose file name holds TEXT "
               "(pet=trc-18FFDG)"),
          pick);
  v.visit(number("spacing_mm", "edge of a voxel of the volumes written", 0.5, 8), spacing_mm);
  v.visit(text("matrix",
               "voxels left to right, back to front, foot to head of native and acpc volumes, "
               "around the brain (default: 256 x 256 x 192 mm; at 1 mm 256,256,192)"),
          matrix);
  v.visit(text("grid",
               "a NIfTI file: volumes take its voxels, in the world of the one --space (MNI for "
               "template, the T1's for native); instead of --spacing-mm and --matrix"),
          grid);
  v.visit(choice("interpolation", "third-order B-spline, or linear", {"bspline", "linear"}),
          interpolation);
  v.visit(choice("brain",
                 "brain mask of the T1: surface (Smith 2002), atlas (the template's, registered), "
                 "auto (the better one), none",
                 {"auto", "surface", "atlas", "none"}),
          brain);
  v.visit(choice("mask_from",
                 "mask of PET and SPECT: the T1's, or their own (histogram threshold, largest "
                 "component)",
                 {"t1", "own"}),
          mask_from);
  v.visit(flag("keep_head", "leave what is outside the brain mask (default: set to 0)"), keep_head);
  v.visit(text("scaling",
               "none; volume: [0,1]; percentile: 0.5 % and 99.5 % to [0,1]; suvr: by a reference "
               "region; slice: each axial slice to (-1,1). For some: T1w=volume,pet=suvr"),
          scaling);
  v.visit(
      text("suvr_region",
           "reference region of suvr: names of --template-names that begin with this, or brain"),
      suvr_region);
  v.visit(text("template_head", "T1 of the template, with skull (any NIfTI, such as ICBM 152)"),
          template_head);
  v.visit(text("template_brain", "its brain, on the same grid: above 0 inside"), template_brain);
  v.visit(text("template_labels", "its regions, for suvr"), template_labels);
  v.visit(text("template_names", "names of the regions: number, name"), template_names);
  v.visit(
      flag("registered",
           "each person's scans lie on one grid already: none is moved, and native volumes keep "
           "its slices and field of view; --spacing-mm is the pixel within a slice"),
      registered);
  v.visit(flag("keep_doubtful",
               "take in scans whose registration is doubtful or looks mirrored (marked in "
               "volumes.tsv)"),
          keep_doubtful);
  v.visit(
      number("jobs", "people at once; 0 = as many as processors, at most 8 (0.8 GB each at 1 mm)",
             0, 256),
      jobs);
  v.visit(text("shard", "i/n: the i-th of n parts of the people, for job arrays; --merge after"),
          shard);
  v.visit(flag("merge", "make no one; bring together what shards made"), merge);
  v.visit(flag("dry_run", "say what would be done, write nothing"), dry_run);
}

PreparePlan plan_prepare(const PrepareSettings& settings) {
  check_settings_agree(settings);
  PreparePlan plan;
  plan.settings = settings;
  std::error_code error;
  if (!settings.table.empty()) {
    find_table_scans(plan);
  } else {
    require(std::filesystem::is_directory(settings.input, error), "{}: {}; expected a folder",
            settings.input,
            std::filesystem::exists(settings.input, error) ? "not a folder" : "not there");
    if (looks_like_bids(settings.input))
      find_bids_scans(plan);
    else
      find_dicom_scans(plan);
  }
  keep_participants(plan);
  const std::set<std::string> wanted(settings.modalities.begin(), settings.modalities.end());
  size_t usable = 0;
  for (auto& patient : plan.patients) {
    apply_picks(patient, settings.pick);
    auto& scans = patient.scans;
    // The T1 is what the others are brought to, wanted itself or not.
    scans.erase(std::remove_if(scans.begin(), scans.end(),
                               [&](const ScanSource& scan) {
                                 return !wanted.count(scan.modality) && scan.modality != "T1w" &&
                                        scan.modality != "mask";
                               }),
                scans.end());
    if (patient.problem.empty()) patient.problem = problem_of(patient, settings);
    usable += patient.problem.empty() && patient.wanted ? 1 : 0;
  }
  const auto& source = settings.table.empty() ? settings.input : settings.table;
  require(!plan.patients.empty(),
          "{}: no scans found; expected sub-*/{{anat,pet,spect}}/*.nii.gz (BIDS), DICOM files of "
          "MR, PET or NM, or --table",
          source);
  require(usable > 0, "{}: nobody can be prepared; {}: {}", source, plan.patients[0].participant_id,
          plan.patients[0].problem);
  return plan;
}

std::vector<std::string> describe_plan(const PreparePlan& plan) {
  std::vector<std::string> lines;
  int64_t ready = 0;
  for (const auto& patient : plan.patients) {
    if (!patient.wanted) continue;
    lines.push_back(patient.participant_id +
                    (patient.problem.empty() ? "" : ": SKIPPED: " + patient.problem));
    ready += patient.problem.empty() ? 1 : 0;
    for (const auto& scan : patient.scans)
      lines.push_back(fmt::format("  {:<6} {}{}{}", scan.modality,
                                  scan.session.empty() ? "" : scan.session + "  ", scan.name(),
                                  scan.unit.empty() ? "" : ", " + scan.unit));
  }
  const auto voxels = plan.settings.grid.empty() ? number_text(plan.settings.spacing_mm) + " mm"
                                                 : describe_grid(output_grid(plan.settings.grid));
  lines.push_back(fmt::format("{} of {} people can be prepared: {} at {}, {}, scaling {}, into {}",
                              ready, plan.patients.size(), fmt::join(plan.settings.space, " and "),
                              voxels, plan.settings.interpolation,
                              fmt::join(plan.settings.scaling, ","), plan.settings.out));
  return lines;
}

}  // namespace scintigen
