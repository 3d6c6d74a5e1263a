// SPDX-License-Identifier: Apache-2.0
// Who is simulated and how they are scanned. Everything about person k follows from (settings, k).
#pragma once
#include <string>
#include <vector>

#include "simulate/activity.h"
#include "simulate/pet_scan.h"
#include "simulate/spect_scan.h"
#include "simulate/t1_scan.h"

namespace scintigen {

struct SimulateSettings : Settings {
  std::string like = "ischaemia";
  int64_t participants = 0;          ///< 0 = as many as the kind of cohort has
  std::vector<int64_t> group_sizes;  ///< instead: people of each group, in cohort_groups()' order
  std::string tracer = "usual";      ///< of perfusion SPECT; usual: IMP, in epilepsy-spect HMPAO
  double focus_percent = 0, focus_mm = 0;  ///< of fdg's patients; 0: drawn for each
  int64_t slices_per_level = 1;
  int64_t seed = 1;
  TemplateSettings head;
  SpectProtocol spect;
  PetProtocol pet;
  T1Protocol t1;
  /// The protocols' names begin with spect_, pet_, t1_.
  void visit(SettingsVisitor& visitor) override;
};

/// One scan of one person.
struct ScanPlan {
  enum class Kind { kT1, kSpect, kPet };
  Kind kind = Kind::kSpect;
  std::string
      session;  ///< "rest", "stress", "interictal", "ictal"; empty: the only one of its kind
  Tracer tracer = Tracer::kImp;
  double reserve = 0;        ///< vasodilation under acetazolamide; 0 at rest
  double counts_factor = 1;  ///< on the protocol's counts
  std::vector<Lesion> lesions;
  Affine world_from_person = identity_affine();  ///< how the head lies in the scanner
};

struct PersonPlan {
  int64_t index = 0;
  std::string id;  ///< "sub-001"
  double age_years = 60;
  bool female = false;
  std::string
      group;  ///< "normal", "unilateral", "bilateral"; "epilepsy"; "control", "control T1 only"
  std::vector<ScanPlan> scans;
};

/// Kinds of cohort: how many people, in which groups. Order by seed.
///   ischaemia       24: a third each normal, unilateral, bilateral; rest and stress (IMP)
///   table1          250 at rest and stress (Werner 2022): 86 normal, 100 unilateral (40 with
///                   crossed cerebellar diaschisis), 64 bilateral; slices.tsv has Table 1's numbers
///   epilepsy-spect  48: T1, FDG PET, interictal and ictal SPECT (methods: pix2pix 2024)
///   fdg             92: 35 controls with T1 and FDG, 40 controls with T1 only, 17 patients with T1
///                   and FDG and a subtle focus (Zotova 2021)
/// throws  Error: table1 with another number of participants; group_sizes beside participants, of
///         another length, or nobody
std::vector<std::string> cohort_groups(const SimulateSettings& settings);

/// "sub-001" of index 0.
std::string person_id(int64_t index);

PersonPlan plan_person(const TemplateHead& head, const SimulateSettings& settings,
                       const std::vector<std::string>& groups, int64_t index);

/// Number of scans of all people, by their groups (for the progress bar).
int64_t scans_of(const SimulateSettings& settings, const std::vector<std::string>& groups);

}  // namespace scintigen
