// SPDX-License-Identifier: Apache-2.0
#include "simulate/cohort_plan.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace scintigen {
namespace {

constexpr double kDegree = 3.14159265358979323846 / 180;
constexpr double kReserve = 0.497, kReserveSd = 0.17;  // acetazolamide; methods.md E4 (S29)
constexpr double kStressCounts = 1.4;                  // second injection on top of the first
constexpr double kCountsSd = 0.15;                     // relative: dose, weight, uptake
constexpr double kLevelsApartMm = 31;                  // basal ganglia to cortex
constexpr double kDiaschisisPart = 0.4;                // of people with one-sided disease
// The middle of the head in its own frame, which is put to the middle of the field of view.
constexpr Point kMiddle = {0, -18, 8};

/// Sets a setting's name behind a prefix.
class Prefixed : public SettingsVisitor {
 public:
  Prefixed(SettingsVisitor& visitor, std::string prefix)
      : visitor_(visitor), prefix_(std::move(prefix)) {}
  void visit(const Setting& s, bool& value) override { visitor_.visit(named(s), value); }
  void visit(const Setting& s, int64_t& value) override { visitor_.visit(named(s), value); }
  void visit(const Setting& s, double& value) override { visitor_.visit(named(s), value); }
  void visit(const Setting& s, std::string& value) override { visitor_.visit(named(s), value); }
  void visit(const Setting& s, std::vector<std::string>& value) override {
    visitor_.visit(named(s), value);
  }
  void visit(const Setting& s, std::vector<int64_t>& value) override {
    visitor_.visit(named(s), value);
  }

 private:
  Setting named(Setting setting) const {
    setting.name = prefix_ + setting.name;
    return setting;
  }
  SettingsVisitor& visitor_;
  std::string prefix_;
};

/// A head in a scanner: turned by rotation_sd_deg about each axis, shifted, its middle in the
/// middle.
Affine draw_pose(double rotation_sd_deg, double shift_sd_mm, Random& random) {
  Point rotation{}, shift{};
  for (double& angle : rotation) angle = kDegree * rotation_sd_deg * random.normal();
  for (double& mm : shift) mm = shift_sd_mm * random.normal();
  Affine to_middle = identity_affine();
  for (size_t axis = 0; axis < 3; ++axis) to_middle[axis][3] = -kMiddle[axis];
  return compose(rigid_affine(rotation, shift), to_middle);
}

double draw_counts_factor(Random& random) { return std::exp(kCountsSd * random.normal()); }

struct Group {
  const char* name;
  int64_t people;
};

/// A kind's groups and how many of `n` people are in each; n = 0: of as many as the kind has.
std::vector<Group> usual_groups(const std::string& like, int64_t n) {
  if (like == "table1") return {{"normal", 86}, {"unilateral", 100}, {"bilateral", 64}};
  if (like == "epilepsy-spect") return {{"epilepsy", n > 0 ? n : 48}};
  if (like == "fdg") {
    const int64_t all = n > 0 ? n : 92;
    const int64_t pairs = (35 * all + 46) / 92, patients = (17 * all + 46) / 92;
    return {
        {"control", pairs}, {"control T1 only", all - pairs - patients}, {"epilepsy", patients}};
  }
  const int64_t all = n > 0 ? n : 24;
  return {{"normal", all - 2 * (all / 3)}, {"unilateral", all / 3}, {"bilateral", all / 3}};
}

std::vector<Group> groups_of(const SimulateSettings& settings) {
  const double band_mm = static_cast<double>(settings.slices_per_level) *
                         std::max(settings.spect.pixel_mm, settings.pet.pixel_mm);
  require(band_mm < kLevelsApartMm,
          "slices_per_level: {} slices reach {:.3g} mm; expected less than {} mm, where the next "
          "level begins",
          settings.slices_per_level, band_mm, kLevelsApartMm);
  const auto n = settings.participants;
  const auto& sizes = settings.group_sizes;
  require(sizes.empty() || (n == 0 && settings.like != "table1"),
          "group_sizes: another way than participants to say how many people, and not for table1; "
          "leave one out");
  require(settings.like != "table1" || n == 0 || n == 250,
          "participants: table1 is Werner 2022's 250 people, found {}; use --like ischaemia for "
          "another number",
          n);
  auto groups = usual_groups(settings.like, n);
  if (sizes.empty()) return groups;
  std::vector<std::string> names;
  for (const auto& group : groups) names.emplace_back(group.name);
  require(sizes.size() == groups.size(), "group_sizes: {} numbers; expected {} for {}: {}",
          sizes.size(), groups.size(), settings.like, fmt::join(names, ", "));
  for (size_t g = 0; g < groups.size(); ++g) groups[g].people = sizes[g];
  require(std::any_of(sizes.begin(), sizes.end(), [](int64_t size) { return size > 0; }),
          "group_sizes: nobody; expected a number above 0");
  return groups;
}

Tracer spect_tracer(const SimulateSettings& settings) {
  if (settings.tracer != "usual") return tracer_from_name(settings.tracer);
  return settings.like == "epilepsy-spect" ? Tracer::kHmpao : Tracer::kImp;
}

void plan_ischaemia(const TemplateHead& head, const SimulateSettings& settings, PersonPlan& person,
                    bool diaschisis, Random& random) {
  std::vector<Lesion> lesions;
  const bool left_first = random.uniform() < 0.5;
  if (person.group != "normal")
    lesions.push_back(make_ischaemia(head, left_first ? Side::kLeft : Side::kRight, random));
  if (diaschisis) lesions.push_back(make_diaschisis(lesions.front(), random));
  if (person.group == "bilateral")
    lesions.push_back(make_ischaemia(head, left_first ? Side::kRight : Side::kLeft, random));
  const double reserve = std::clamp(kReserve + kReserveSd * random.normal(), 0.15, 0.9);
  // One position for both: the stress scan follows without getting up. Axes along the line through
  // the commissures as the operator sets them, to a degree or two.
  const Affine pose = draw_pose(1.5, 2, random);
  const double counts = draw_counts_factor(random);
  for (const bool stress : {false, true}) {
    ScanPlan scan;
    scan.session = stress ? "stress" : "rest";
    scan.tracer = spect_tracer(settings);
    scan.reserve = stress ? reserve : 0;
    scan.counts_factor = stress ? counts * kStressCounts : counts;
    scan.lesions = lesions;
    scan.world_from_person = pose;
    person.scans.push_back(scan);
  }
}

/// Same focus, other change.
std::vector<Lesion> with_change(Lesion focus, double change) {
  focus.change = change;
  return {focus};
}

void add_t1(PersonPlan& person, Random& random) {
  ScanPlan scan;
  scan.kind = ScanPlan::Kind::kT1;
  scan.world_from_person = draw_pose(4, 5, random);
  person.scans.push_back(scan);
}

void add_fdg(PersonPlan& person, std::vector<Lesion> lesions, Random& random) {
  ScanPlan scan;
  scan.kind = ScanPlan::Kind::kPet;
  scan.tracer = Tracer::kFdg;
  scan.counts_factor = draw_counts_factor(random);
  scan.lesions = std::move(lesions);
  scan.world_from_person = draw_pose(5, 6, random);
  person.scans.push_back(scan);
}

void plan_epilepsy_spect(const TemplateHead& head, const SimulateSettings& settings,
                         PersonPlan& person, Random& random) {
  const Lesion focus = make_focus(head, 30, 0, random);
  add_t1(person, random);
  add_fdg(person, with_change(focus, -(0.08 + 0.17 * random.uniform())), random);
  const double interictal = -0.15 * random.uniform(), ictal = 0.25 + 0.45 * random.uniform();
  for (const bool during : {false, true}) {
    ScanPlan scan;
    scan.session = during ? "ictal" : "interictal";
    scan.tracer = spect_tracer(settings);
    scan.counts_factor = draw_counts_factor(random);
    scan.lesions = with_change(focus, during ? ictal : interictal);
    scan.world_from_person = draw_pose(6, 8, random);
    person.scans.push_back(scan);
  }
}

void plan_fdg(const TemplateHead& head, const SimulateSettings& settings, PersonPlan& person,
              Random& random) {
  std::vector<Lesion> lesions;
  if (person.group == "epilepsy") {
    // Drawn also where they are set: the same place, whatever the size.
    const double diameter = 8 + 12 * random.uniform(), percent = 8 + 17 * random.uniform();
    lesions.push_back(
        make_focus(head, settings.focus_mm > 0 ? settings.focus_mm : diameter,
                   -(settings.focus_percent > 0 ? settings.focus_percent : percent) / 100, random));
  }
  add_t1(person, random);
  if (person.group != "control T1 only") add_fdg(person, lesions, random);
}

}  // namespace

void SimulateSettings::visit(SettingsVisitor& v) {
  v.visit(choice("like", "kind of cohort: who, which scans, which disease",
                 {"ischaemia", "table1", "epilepsy-spect", "fdg"}),
          like);
  v.visit(
      number("participants", "people; 0 = as many as the kind has (24, 250, 48, 92)", 0, 100000),
      participants);
  v.visit(number("group_sizes",
                 "people of each group, instead of participants; fdg: controls, controls with T1 "
                 "alone, patients (0,0,17: patients alone)",
                 0, 100000),
          group_sizes);
  v.visit(choice("tracer", "of perfusion SPECT; usual = IMP, in epilepsy-spect HMPAO",
                 {"usual", "IMP", "HMPAO", "ECD"}),
          tracer);
  v.visit(number("focus_percent",
                 "fdg: uptake of every patient's focus is so much lower, %; 0 = 8 to 25, by chance",
                 0, 95),
          focus_percent);
  v.visit(
      number("focus_mm", "fdg: its diameter to half of the change; 0 = 8 to 20, by chance", 0, 60),
      focus_mm);
  v.visit(
      number("slices_per_level",
             "slices of a scan in slices.tsv at each of cerebellum, basal_ganglia, cortex", 1, 9),
      slices_per_level);
  v.visit(number("seed", "the same seed makes the same files", 0, 9e15), seed);
  Prefixed spect_visitor(v, "spect_"), pet_visitor(v, "pet_"), t1_visitor(v, "t1_");
  spect.visit(spect_visitor);
  pet.visit(pet_visitor);
  t1.visit(t1_visitor);
  head.visit(v);
}

std::vector<std::string> cohort_groups(const SimulateSettings& settings) {
  std::vector<std::string> in_order;
  for (const auto& group : groups_of(settings))
    in_order.insert(in_order.end(), static_cast<size_t>(group.people), group.name);
  const auto order = Random(static_cast<uint64_t>(settings.seed), "groups")
                         .permutation(static_cast<int64_t>(in_order.size()));
  std::vector<std::string> groups;
  for (const auto place : order) groups.push_back(in_order[static_cast<size_t>(place)]);
  return groups;
}

std::string person_id(int64_t index) { return fmt::format("sub-{:03d}", index + 1); }

PersonPlan plan_person(const TemplateHead& head, const SimulateSettings& settings,
                       const std::vector<std::string>& groups, int64_t index) {
  Random random(static_cast<uint64_t>(settings.seed), "plan", static_cast<uint64_t>(index));
  PersonPlan person;
  person.index = index;
  person.id = person_id(index);
  person.group = groups[static_cast<size_t>(index)];
  const bool perfusion = settings.like == "ischaemia" || settings.like == "table1";
  // Werner 2022: 61.0 +- 16.4 years, 38.4 % women. Epilepsy surgery candidates are young adults.
  const double age = perfusion ? 61 + 16.4 * random.normal() : 34 + 11 * random.normal();
  person.age_years = std::round(std::clamp(age, 18.0, 92.0));
  person.female = random.uniform() < (perfusion ? 0.384 : 0.5);
  if (perfusion) {
    // Which of the one-sided have diaschisis: a fixed part, spread evenly over them in order.
    const auto end = groups.begin() + index;
    const auto before = std::count(groups.begin(), end, "unilateral");
    const auto with = [](int64_t n) { return std::floor(kDiaschisisPart * double(n) + 0.5); };
    const bool diaschisis = person.group == "unilateral" && with(before + 1) > with(before);
    plan_ischaemia(head, settings, person, diaschisis, random);
  } else if (settings.like == "epilepsy-spect") {
    plan_epilepsy_spect(head, settings, person, random);
  } else {
    plan_fdg(head, settings, person, random);
  }
  return person;
}

int64_t scans_of(const SimulateSettings& settings, const std::vector<std::string>& groups) {
  int64_t scans = 0;
  for (const auto& group : groups)
    scans += settings.like == "epilepsy-spect" ? 4 : group == "control T1 only" ? 1 : 2;
  return scans;
}

}  // namespace scintigen
