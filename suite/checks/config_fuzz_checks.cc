// SPDX-License-Identifier: Apache-2.0
// Checks that let a random driver loose on the configuration space (2.5): reproducible by the run's
// seed, bounded in steps, judged byte by byte where the fields are known and by survival elsewhere.
#include <algorithm>

#include "suite/checks/config_fields.h"
#include "suite/checks/config_fuzz.h"
#include "suite/checks/config_space.h"

namespace vitro {
namespace {

constexpr const char* kWriteWidth = "derived.config.write-width";
constexpr const char* kReadOnly = "derived.config.read-only-kept";
constexpr const char* kRecovers = "derived.reset.recovers";

constexpr int kSteps = 300;
constexpr int kLookEvery = 4;  // steps from one look at all of the space to the next

class RandomDriver {
 public:
  RandomDriver(Context& c, bool driver_rights_only)
      : c_(c),
        how_{.with = FieldFeatures(c)},
        rights_only_(driver_rights_only),
        choose_(ChooseBySeed(c.session().program("").seed)) {}

  void Run() {
    Lead(LifeStage::kDriverOk);
    for (int i = 0; i < kSteps && !c_.failed() && reconnects_ < kMostReconnects; ++i) {
      Take(NextConfigStep(choose_, target_));
      if (i % kLookEvery == 0 && !c_.failed()) Look();
    }
  }

 private:
  void Take(const ConfigStep& step) {
    switch (step.kind) {
      case ConfigStep::Kind::kWrite:
        return Write(step);
      case ConfigStep::Kind::kRead:
        if (uint64_t{step.offset} + step.width <= target_.size)
          c_.Do(op::ReadConfig{step.offset, step.width});
        return;
      case ConfigStep::Kind::kGeneration:
        if (c_.Has(Ability::kGeneration)) c_.Do(op::ReadGeneration{});
        return;
      case ConfigStep::Kind::kLook:
        c_.Do(op::ReadStatus{});
        c_.MaxQueueSize(c_.request_queue());
        return;
      case ConfigStep::Kind::kKick:
        if (stage_ == LifeStage::kDriverOk) c_.Notify(c_.request_queue());
        return;
      case ConfigStep::Kind::kLife:
        if (!rights_only_ || step.stage >= LifeStage::kFeaturesOk) Lead(step.stage);
        return;
    }
  }

  void Write(const ConfigStep& step) {
    const bool inside = uint64_t{step.offset} + step.width <= target_.size;
    if (rights_only_ && !MayWrite(step)) return;
    // Beyond the end of a space others may have theirs.
    if (!inside && (c_.Has(Ability::kPciFunction) || c_.Has(Ability::kMmioWindow))) return;
    if (WriteOrReconnect(c_, WriteOfAnyShape(c_, step.offset, step.bytes), how_)) {
      model_->Write(step.offset, step.bytes);
    } else {
      ++reconnects_;
      Remember(LifeStage::kDriverOk);
    }
  }

  // A field as a whole, or half of one, with a value that it may have, and no action.
  bool MayWrite(const ConfigStep& step) const {
    if (!model_->IsDriversRight(step.offset, step.width)) return false;
    for (const ProfileField& field : model_->fields())
      if (field.offset <= step.offset && step.offset < field.offset + field.width)
        return !field.action && (field.values.empty() || IsLegalValue(field, LoadLe(step.bytes)));
    return false;
  }

  void Lead(LifeStage stage) {
    if (stage <= stage_ || stage == LifeStage::kReset) {
      c_.Reset();
      stage_ = LifeStage::kReset;
    }
    if (stage >= LifeStage::kFeaturesOk) {
      c_.Up({.with = how_.with, .driver_ok = stage == LifeStage::kDriverOk, .prepare = false});
    } else if (stage == LifeStage::kDriver) {
      c_.AcknowledgeAndDriver();
    } else if (stage == LifeStage::kAcknowledge) {
      c_.Do(op::WriteStatus{status::kAcknowledge});
    }
    Remember(stage);
  }

  // Takes the space as it is at this stage: features and resets change it.
  void Remember(LifeStage stage) {
    stage_ = stage;
    const bool settled = stage >= LifeStage::kFeaturesOk;
    target_.size = std::min(c_.facts().config_size, kMostConfig);
    target_.fields = FieldsWith(c_, settled ? c_.session().state().accepted : c_.facts().offered);
    model_ = std::make_unique<ConfigModel>(target_.fields, target_.size);
    model_->TreatWritesAsOdd(!settled);
    if (!rights_only_) c_.BeginHostile();
    SaidToHaveChanged(c_);
    Observe(c_, *model_);
  }

  void Look() {
    AdviseAsModelled(
        c_, *model_, rights_only_ ? kWriteWidth : kReadOnly,
        fmt::format("after {} a field reads as it was written last, or as it was", Name(stage_)));
    Observe(c_, *model_);
  }

  Context& c_;
  const BringUp how_;
  const bool rights_only_;
  const Choose choose_;
  ConfigTarget target_;
  std::unique_ptr<ConfigModel> model_;
  LifeStage stage_ = LifeStage::kReset;
  int reconnects_ = 0;
};

void StandsRandomAccesses(Context& c) {
  RandomDriver(c, false).Run();
  if (!c.failed()) c.ExpectSurvives();
}

void TakesRandomWrites(Context& c) {
  const auto fields = FieldsWith(c, FieldFeatures(c));
  if (std::none_of(fields.begin(), fields.end(), [](const ProfileField& field) {
        return field.access == FieldAccess::kReadWrite && !field.action;
      }))
    c.NotApplicable("the device has no writable config field without an action");
  RandomDriver(c, true).Run();
}

}  // namespace

void AddConfigFuzzChecks(std::vector<Check>& list) {
  const std::vector<Ability> writing = {Ability::kConfigSpace, Ability::kConfigWrite};
  list.push_back({
      .id = "config.fuzz.fields",
      .title = "Config fields read as they were written last, in any order and at any time",
      .section = "2.5",
      .requirements = {kWriteWidth},
      .tags = {"odd"},
      .needs = {.abilities = writing, .writable_field = 1},
      .faults = {"experimental:config-torn-write", "experimental,level=pci:config-torn-write"},
      .run = TakesRandomWrites,
  });
  list.push_back({
      .id = "config.fuzz.anything",
      .title = "The device survives random accesses to the config space at any time of its life",
      .section = "2.5",
      .requirements = {kRecovers, kReadOnly},
      .tags = {"hostile"},
      .needs = {.abilities = writing, .config_bytes = 1},
      .faults = {"config-read-only-writable", "config-unaligned-crash",
                 "config-unaligned-rounds-down", "experimental,level=mmio:config-unaligned-crash"},
      .run = StandsRandomAccesses,
  });
}

}  // namespace vitro
