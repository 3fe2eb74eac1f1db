// SPDX-License-Identifier: Apache-2.0
// DeviceCore: what all reference devices share (chapter 2): device status, feature negotiation,
// reset, configuration space and its generation, virtqueues and notifications. A device type
// derives from it and says what its features and fields are and how it serves a chain.
//
// Life: notify() remembers the queue and run() works, or notify() works itself with option eager=1.
// A ring that cannot be right sets DEVICE_NEEDS_RESET, and no queue is served until reset.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "devices/abi/vitro_device.h"
#include "devices/ref/chain.h"
#include "devices/ref/faults.h"
#include "devices/ref/host.h"
#include "devices/ref/options.h"
#include "devices/ref/virtqueue.h"
#include "harness/base/bytes.h"
#include "harness/virtio/features.h"

namespace vitro::ref {

// The options that every reference device has.
struct CommonOptions {
  FaultSwitch fault;
  bool eager = false;
  uint32_t queue_size = 128;  // the maximum
  bool suspend = false;       // offers VIRTIO_F_SUSPEND
  bool packed = false;        // offers VIRTIO_F_RING_PACKED
  // A transitional transport around it: a driver may do without VERSION_1, write the config before
  // it negotiates, and reset queues as it likes.
  bool legacy = false;
};
// `letters`: the device's own in faults.def.
CommonOptions ReadCommonOptions(Options& options, std::string_view letters);

class DeviceCore {
 public:
  DeviceCore(const vitro_host* host, const CommonOptions& options, uint32_t queue_count);
  virtual ~DeviceCore() = default;
  DeviceCore(const DeviceCore&) = delete;
  DeviceCore& operator=(const DeviceCore&) = delete;

  // The operations of the C ABI.
  void Identity(vitro_identity& identity) const;
  FeatureSet OfferedFeatures();
  void AcceptFeatures(FeatureSet features);
  uint8_t GetStatus();
  void SetStatus(uint8_t value);
  void Reset();
  bool ConfigRead(uint32_t offset, void* value, uint32_t width);
  bool ConfigWrite(uint32_t offset, const void* value, uint32_t width);
  uint32_t ConfigGeneration();
  uint32_t QueueMaxSize(uint32_t queue);
  bool QueueSetup(uint32_t queue, const vitro_queue& setup);
  bool QueueReset(uint32_t queue);
  void Notify(uint32_t queue);
  bool Run();
  bool StimulateConfigChange();

 protected:
  // What a device type says about itself.
  virtual uint32_t DeviceId() const = 0;
  virtual FeatureSet DeviceFeatures() const = 0;  // without those of the rings
  // Are the features that the driver accepted, all of them offered, a set that can work?
  virtual bool AcceptableFeatures(FeatureSet) const { return true; }
  virtual bool QueueAvailable(uint32_t) const { return true; }
  // How many of the queues, the last ones, are administration virtqueues (2.13).
  virtual uint32_t AdminQueueCount() const { return 0; }
  // Serves one chain. False if guest memory could not be accessed.
  virtual bool Serve(uint32_t queue, Chain& chain) = 0;

  // The configuration space as the driver reads it now. Its size never changes.
  virtual Bytes ConfigImage() const { return {}; }
  virtual bool ConfigWritable(uint32_t) const { return false; }
  // May `bytes`, all of which are writable, be written at `offset`?
  virtual bool AcceptConfigWrite(uint32_t, ByteView) const { return true; }
  virtual void WriteConfigByte(uint32_t, uint8_t) {}
  virtual void ConfigWritten(uint32_t /*offset*/, uint32_t /*width*/) {}
  virtual bool ChangeConfig() { return false; }  // for StimulateConfigChange

  // What a driver does between the writes of the parts of a field.
  enum class Act {
    kConfigRead,
    kGenerationRead,
    kQueueLook,
    kQueueReset,
    kKick,
    kStatusRead,
    kDriverOk,
    kWait,
  };
  virtual void Saw(Act) {}
  virtual void OnDriverOk() {}
  virtual void OnReset() {}

  // The features in effect: those negotiated, none before FEATURES_OK.
  FeatureSet features() const { return features_; }
  bool FeaturesOk() const;
  bool DriverOk() const;
  // Is a field shown that exists with this feature only? Before FEATURES_OK: if it is offered.
  bool FieldShown(unsigned feature_bit) const;
  // Is, or may it still be, a driver of a legacy interface that speaks to the device?
  bool LegacyDriver() const { return legacy_ && !accepted_.Has(feature::kVersion1); }
  // The device's config has changed by itself or by a command: moves the generation, notifies.
  void ConfigChanged();
  const Host& host() const { return host_; }

  const FaultSwitch fault;

 private:
  struct Queue {
    std::unique_ptr<Virtqueue> ring;
    bool pending = false;          // notified and not yet served
    bool dead = false;             // fault "error-stops-siblings"
    bool signal_later = false;     // faults that notify after a reset
    std::optional<Chain> last;     // the last chain used
    std::optional<Chain> held;     // fault "in-order-violated"
    std::vector<Chain> held_back;  // fault "data-after-used"
    uint32_t completions = 0;
  };

  FeatureSet PlainOffer() const;
  void RemoveOneFeatureAReset(FeatureSet& offer);
  bool NegotiationHolds(FeatureSet offered) const;
  // Faults that it takes several features for.
  bool RefusedTogether() const;
  bool CrashesTogether() const;
  void Negotiate();
  void EnterDriverOk();
  void EnterSuspend();
  void Resume();
  bool Suspended() const;
  // In the format of the features in effect.
  void FormatQueue(Queue& queue);
  void ResetQueues();

  bool WriteConfigField(uint32_t offset, ByteView bytes);
  bool WriteConfigFaults(uint32_t offset, ByteView bytes, bool& result);
  void SetConfigByte(uint32_t offset, uint8_t byte);
  Bytes VisibleConfig() const;
  bool ReadPastEnd(uint32_t offset, uint8_t* to, uint32_t width);
  void MoveGeneration();

  bool MayServe(const Queue& queue, uint32_t index) const;
  bool WorkSignals();
  bool WriteHeldBack();
  bool ServeQueue(uint32_t index);
  bool Drain(uint32_t index, uint32_t& served);
  bool Complete(uint32_t index, Chain& chain);
  bool UseChain(Queue& queue, const Chain& chain);
  bool SpuriousNotification(uint32_t index);
  void SpoilBuffers(const Chain& chain) const;
  void Broken(uint32_t index, const std::string& reason);

  Host host_;
  bool eager_, legacy_, packed_, suspend_;
  uint32_t queue_size_;
  std::vector<Queue> queues_;

  uint8_t status_ = 0;
  FeatureSet accepted_, features_;
  std::vector<FeatureSet> taken_;  // fault "features-ok-refused-twice"
  FeatureSet first_features_;      // fault "reset-keeps-features"
  uint32_t negotiations_ = 0;      // fault "config-differs-again"
  uint32_t resets_offered_ = 0;    // fault "offered-features-change"
  bool offer_read_ = false;
  bool suspending_ = false;         // fault "suspend-loses-notification"
  bool config_news_ = false;        // changed while it was suspended
  bool dead_ = false;               // fault "error-survives-reset"
  bool stopped_ = false;            // broken without DEVICE_NEEDS_RESET
  bool serves_over_reset_ = false;  // fault "reset-keeps-queues"

  uint32_t generation_ = 0;
  bool generation_owed_ = false;         // fault "config-generation-on-low-half"
  std::map<uint32_t, uint8_t> overlay_;  // config bytes that a fault changed
  uint8_t leak_ = 0;                     // fault "config-read-past-end-leaks"
};

}  // namespace vitro::ref
