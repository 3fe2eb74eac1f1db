// SPDX-License-Identifier: Apache-2.0
// Context: what a check is written in. It turns a check's wishes ("bring the device up", "submit
// this request in one-byte segments") into operations of the session, and ends the check when one
// cannot be carried out. Everything goes through Do() and Expect(), so that each check is also a
// program.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "harness/session/session.h"
#include "harness/virtio/packed_ring.h"
#include "suite/profile/grammar.h"
#include "suite/profile/profile.h"

namespace vitro {

// Thrown to end a check. Never crosses out of the suite.
struct CheckEnded {
  enum class Why { kError, kNotApplicable, kNotObservable } why;
  Error error;  // its message for all three
};

// Accepted sets for Expect().
struct Accept {
  op::Expect expect;
  static Accept Equal(uint64_t value) { return In({value}); }
  static Accept In(std::vector<uint64_t> values);
  static Accept NotEqual(uint64_t value);
  static Accept Range(uint64_t from, uint64_t to);
  // observed & mask == value
  static Accept Masked(uint64_t mask, uint64_t value);
  static Accept SameBytes(Bytes bytes);
  static Accept Refused();
  static Accept Answered();
  // The same set for the used length instead of the value.
  static Accept LengthRange(uint64_t from, uint64_t to);
};

// How a request is laid out in descriptors and memory. Lengths beyond what the request has are left
// out; what they do not cover becomes one more segment.
struct Framing {
  std::vector<uint32_t> readable, writable;  // lengths of the leading segments; empty: one segment
  uint32_t direct =
      UINT32_MAX;            // segments in the descriptor table, the others in an indirect table
  uint32_t table_flags = 0;  // of the descriptor that refers to the table, beside INDIRECT
  uint64_t skew = 0;         // bytes off a 16-byte boundary at which segments start
  uint64_t table_skew = 0;   // the same for the indirect table
  uint64_t table_at = 0;     // address of the indirect table; 0: it is allocated
  bool at_end = false;       // the last segment ends with the last byte of memory

  static Framing Indirect() {
    Framing framing;
    framing.direct = 0;
    return framing;
  }
  // Every segment `length` bytes long.
  static Framing Pieces(uint32_t length);
};

struct BringUp {
  // Exactly these features count: a device that refuses them is not asked with more.
  bool exact = false;
  FeatureSet with;      // beyond VERSION_1 and what the grammar needs; must have been offered
  uint32_t queues = 0;  // set up this many from 0; 0: the request queue alone
  std::vector<uint32_t> only;  // set up just these (then `queues` is ignored)
  uint32_t queue_size = 0;     // 0: the smaller of 16 and the maximum
  bool driver_ok = true;
  // Makes the grammar's preparations, so that answers can be foreseen. They count as used buffers.
  bool prepare = true;
};

class Context {
 public:
  Context(Session& session, const DeviceFacts& facts, const Grammar* grammar)
      : session_(session), facts_(facts), grammar_(grammar) {}

  Session& session() { return session_; }
  const DeviceFacts& facts() const { return facts_; }
  // nullptr if nothing is known of the device's type.
  const Profile* profile() const { return facts_.profile; }
  const Grammar& grammar() const { return *grammar_; }  // only if the check needs requests
  bool Has(Ability ability) const { return session_.transport().abilities().Has(ability); }

  // Carries out one operation; ends the check if that is not possible.
  Observation Do(const Operation& operation);
  // As Do(), but gives an Error back instead of ending the check: for what may end a device.
  Result<Observation> Try(const Operation& operation) { return session_.Perform(operation); }
  // Judges the last observation. `because` says what ought to be, as a sentence.
  void Expect(Accept accept, const std::string& requirement, const std::string& because);
  // The same, but never more than a warning, or than a remark.
  void Advise(Accept accept, const std::string& requirement, const std::string& because);
  void Note(Accept accept, const std::string& requirement, const std::string& because);
  [[noreturn]] void NotApplicable(const std::string& why);
  [[noreturn]] void NotObservable(const std::string& why);
  const Observation& last() const { return session_.last(); }
  bool failed() const { return !session_.findings().empty(); }

  // The initialisation sequence of 3.1.1, step by step or as a whole.
  void Reset();                 // ends the check if the status does not become 0
  void AcknowledgeAndDriver();  // steps 2 and 3
  FeatureSet Offered();         // reads them
  // Steps 4 to 6; true if FEATURES_OK read back set.
  bool Negotiate(FeatureSet features);
  // Steps 1 to 6, from a reset on.
  bool NegotiateAfresh(FeatureSet features);
  FeatureSet DefaultFeatures(FeatureSet with = {});
  void DriverOk();
  // All of it. Ends the check (not a failure: another check's business) if features are refused.
  void Up(const BringUp& how = {});

  // From here on the driver asks for VIRTIO_F_RING_PACKED whenever it negotiates.
  void UsePackedRings() { wants_packed_ = true; }
  // The format of the queues that are set up next (2.6), or were before a reset.
  bool packed() const {
    return wants_packed_ || session_.state().accepted.Has(feature::kRingPacked);
  }
  // Where the first entry of a queue stands, as ReadUsedIdx tells it.
  uint16_t StartPosition() const { return packed() ? packed::kStart : 0; }
  Virtqueue::Areas AreasOf(uint32_t size) const { return Virtqueue::AreasOf(size, packed()); }
  // The area in which the device tells what it has used.
  op::Read UsedArea(const op::SetupQueue& setup) const;
  // Addresses for a queue; nothing is set up.
  op::SetupQueue LayQueue(uint32_t queue, uint32_t size);

  // Queue memory is handed out fresh at each call. Size 0 as in BringUp. Returns the set-up
  // operation that was performed.
  op::SetupQueue SetupQueue(uint32_t queue, uint32_t size = 0);
  uint32_t DefaultQueueSize(uint32_t queue);
  uint32_t MaxQueueSize(uint32_t queue);
  uint32_t request_queue() const;
  // Queues on which the grammar can make requests, lowest first, at most `most`.
  std::vector<uint32_t> RequestQueues(uint32_t most = 8) const;

  // Puts a request into memory and makes it available. The device-writable part holds fresh poison
  // (or poison of `seed`). Returns the head.
  uint16_t Publish(const Exchange& exchange, const Framing& framing = {}, bool hold = false,
                   std::optional<uint64_t> seed = std::nullopt);
  // The two halves of it: where the segments of a request would go, and making it available in
  // segments that lie anywhere.
  std::vector<op::Segment> Lay(const Exchange& exchange, const Framing& framing = {});
  uint16_t PublishAt(const Exchange& exchange, std::vector<op::Segment> segments,
                     const Framing& framing = {}, bool hold = false,
                     std::optional<uint64_t> seed = std::nullopt);
  void Notify(uint32_t queue) { Do(op::Notify{queue}); }
  Observation WaitUsed(uint32_t queue, uint32_t count) { return Do(op::WaitUsed{queue, count}); }

  // Publish, notify, wait, read the answer, and judge both against `requirement`. Returns the
  // observation: bytes are the device-writable part, used_len the used length; value 0 if it was
  // not used.
  Observation Submit(const Exchange& exchange, const std::string& requirement,
                     const Framing& framing = {}, std::optional<uint64_t> seed = std::nullopt);
  // The same without the publishing, for what was published last and alone.
  Observation Answer(const Exchange& exchange, const std::string& requirement);
  // The tour of the grammar: true if the device answered as it should.
  bool Works(const std::string& requirement);
  // Number of descriptors in the table that a request takes in this framing.
  uint32_t DescriptorsOf(const Exchange& exchange, const Framing& framing) const;

  // After this the driver is no conforming one.
  void BeginHostile() { Do(op::Hostile{}); }
  // What is asked after hostile input: the device comes to rest, a reset brings it back (2.4), and
  // requests are served again. Judged as derived.reset.recovers.
  void ExpectSurvives();

  uint64_t Allocate(uint64_t length, uint64_t align = 16, uint64_t skew = 0);

 private:
  // Steps 1 to 6, with these features or, if they are refused, with what the type asks for as well.
  // Ends the check if the device takes nothing of that.
  void NegotiateSomehow(FeatureSet wanted, bool exact);

  Session& session_;
  const DeviceFacts& facts_;
  const Grammar* grammar_;
  bool wants_packed_ = false;
};

}  // namespace vitro
