// SPDX-License-Identifier: Apache-2.0
#include "suite/run/sweep_worker.h"

#include <algorithm>

#include "harness/transport/read_until.h"
#include "harness/virtio/status.h"

namespace vitro {
namespace {

// So many sets share a session: its start and end cost much, and its memory is not endless.
constexpr uint64_t kSetsPerSession = 64;

constexpr uint8_t kWithDriver = status::kAcknowledge | status::kDriver;
constexpr uint8_t kWithFeatures = kWithDriver | status::kFeaturesOk;

class Worker {
 public:
  Worker(const SetWalk& walk, Attachment& attachment, const DeviceFacts& facts,
         const SweepOptions& options, SweepProgress& progress)
      : walk_(walk),
        attachment_(attachment),
        facts_(facts),
        options_(options),
        progress_(progress) {}

  Result<> Work() {
    while (progress_.next() < walk_.size()) {
      VITRO_ASSIGN(auto memory, GuestMemory::CreateDefault());
      VITRO_ASSIGN(auto transport, attachment_.Attach(memory));
      if (options_.trial)
        WorkInSession(memory, *transport);
      else
        WorkQuickly(*transport);
    }
    return {};
  }

 private:
  void Fail(uint64_t n, FeatureSet set, Outcome outcome, std::string because) {
    progress_.Fail({n, set, outcome, std::move(because)});
  }

  // Until the end, or until the device cannot be used any more.
  void WorkQuickly(Transport& transport) {
    FeatureSet set;
    const uint64_t from = progress_.next();
    for (uint64_t n = from; n < walk_.size(); ++n) {
      set = n == from ? walk_.At(n) : walk_.After(n - 1, set);
      progress_.Begin(n, set);
      const auto taken = NegotiateQuickly(transport, set, options_.run.response);
      if (!taken)
        Fail(n, set, OutcomeOf(taken.error(), &transport), taken.error().message);
      else if (!*taken)
        Fail(n, set, Outcome::kWarn, "FEATURES_OK is left clear (dev.basic.feature-bits.2)");
      progress_.Done(n, taken.value_or(false));
      if (!taken) return;
    }
  }

  void WorkInSession(GuestMemory& memory, Transport& transport) {
    SessionOptions session_options;
    session_options.seed = options_.run.seed;
    session_options.response = options_.run.response;
    Session session(memory, transport, session_options);
    Context context(session, facts_, nullptr);
    judged_ = 0;
    const uint64_t from = progress_.next();
    const uint64_t to = std::min(walk_.size(), from + kSetsPerSession);
    FeatureSet set;
    for (uint64_t n = from; n < to; ++n) {
      set = n == from ? walk_.At(n) : walk_.After(n - 1, set);
      progress_.Begin(n, set);
      bool taken = false;
      bool good = Try(context, n, set, taken);
      // What stands in memory at the end is laid to the last set.
      if (good && n + 1 == to) {
        (void)session.Finish();
        good = Judge(session, n, set);
      }
      progress_.Done(n, taken);
      if (!good) return;
    }
  }

  bool Try(Context& context, uint64_t n, FeatureSet set, bool& taken) {
    try {
      taken = options_.trial(context, n, set);
    } catch (const CheckEnded& ended) {
      const size_t before = judged_;
      const bool good = Judge(context.session(), n, set);
      if (!good || judged_ != before) return good && ended.why != CheckEnded::Why::kError;
      if (ended.why == CheckEnded::Why::kNotObservable) progress_.NotObservable();
      if (ended.why != CheckEnded::Why::kError) return true;
      Fail(n, set, OutcomeOf(ended.error, &context.session().transport()), ended.error.message);
      return false;
    }
    return Judge(context.session(), n, set);
  }

  // Takes what was found since this was last asked. False if the device violated a MUST: what
  // follows is to start from one that did not.
  bool Judge(Session& session, uint64_t n, FeatureSet set) {
    const Finding* worst = nullptr;
    for (; judged_ < session.findings().size(); ++judged_) {
      const Finding& finding = session.findings()[judged_];
      if (worst == nullptr || Weigh(finding) < Weigh(*worst)) worst = &finding;
    }
    if (worst == nullptr) return true;
    Fail(n, set, Weigh(*worst), fmt::format("{} ({})", worst->message, worst->requirement));
    return Weigh(*worst) != Outcome::kFail;
  }

  const SetWalk& walk_;
  Attachment& attachment_;
  const DeviceFacts& facts_;
  const SweepOptions& options_;
  SweepProgress& progress_;
  size_t judged_ = 0;  // findings of the session
};

}  // namespace

Result<bool> NegotiateQuickly(Transport& transport, FeatureSet set, Duration response) {
  VITRO_TRY(transport.Reset());
  VITRO_ASSIGN(uint8_t status, transport.ReadStatus());
  if (status != 0) {
    VITRO_ASSIGN(status,
                 ReadUntil(
                     transport, Deadline::After(response), [&] { return transport.ReadStatus(); },
                     [](uint8_t read) { return read == 0; }));
    if (status != 0)
      return vitro::Fail(ErrorKind::kTimeout, "the status reads {:#x} after a reset", status);
  }
  VITRO_TRY(transport.WriteStatus(kWithDriver));
  if (auto accepted = transport.AcceptFeatures(set); !accepted) {
    if (accepted.error().kind == ErrorKind::kRefused) return false;
    return tl::make_unexpected(accepted.error());
  }
  VITRO_TRY(transport.WriteStatus(kWithFeatures));
  VITRO_ASSIGN(status, transport.ReadStatus());
  return (status & status::kFeaturesOk) != 0;
}

std::string WorkThroughSets(const SetWalk& walk, Attachment& attachment, const DeviceFacts& facts,
                            const SweepOptions& options, SweepProgress& progress) {
  const auto worked = Worker(walk, attachment, facts, options, progress).Work();
  return worked ? "" : worked.error().message;
}

}  // namespace vitro
