// SPDX-License-Identifier: Apache-2.0
// Virtqueue: the driver's side of one virtqueue (2.6), split (2.7) or packed (2.8): which
// descriptors are free, which buffers the device has, how far both sides are. It writes rings only
// through the Shadow, so that the oracle can tell the driver's bytes from the device's. It judges
// nothing.
//
// A position is how the format counts: the 16-bit index of a split ring's entry; in a packed ring
// bits 0 to 14 the descriptor and bit 15 the wrap counter.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "harness/memory/shadow.h"
#include "harness/program/operation.h"
#include "harness/transport/transport.h"
#include "harness/virtio/features.h"

namespace vitro {

class Virtqueue {
 public:
  // A buffer that was made available and not yet used.
  struct Chain {
    uint16_t id = 0;                    // the head (split), the buffer ID (packed)
    std::vector<op::Segment> segments;  // in chain order
    std::vector<uint16_t> descriptors;  // taken from the table or ring, in chain order
    GuestRange table;                   // the indirect table, empty if there is none
    bool fresh = false;  // every device-writable byte held poison when it was made available
    uint64_t WritableLength() const;
  };
  struct UsedElement {
    uint32_t id = 0, len = 0;
    bool written = true;  // the device says that it wrote to the buffer (2.8.3); split: always
  };

  // In the format that `negotiated` asks for. Areas that are not wholly in memory make a queue that
  // can be set up but not driven: usable() is false, and every operation that needs a ring fails
  // with kUsage. `memory` and `shadow` must outlive it.
  static std::unique_ptr<Virtqueue> Create(GuestMemory& memory, Shadow& shadow, QueueLayout layout,
                                           FeatureSet negotiated);
  virtual ~Virtqueue() = default;
  Virtqueue(const Virtqueue&) = delete;
  Virtqueue& operator=(const Virtqueue&) = delete;

  // What the three areas of a queue take (2.7, 2.8.10.1), in bytes.
  struct Areas {
    uint64_t desc_bytes, driver_bytes, device_bytes;
    uint64_t desc_align, driver_align, device_align;
    uint32_t max_size;
  };
  static Areas AreasOf(uint32_t size, bool packed);

  virtual bool packed() const = 0;
  const QueueLayout& layout() const { return layout_; }
  bool usable() const { return usable_; }
  GuestRange DescriptorArea() const { return descriptor_area_; }
  GuestRange DriverArea() const { return driver_area_; }
  GuestRange DeviceArea() const { return device_area_; }
  // Where the device may write in those, as things stand.
  virtual std::vector<GuestRange> DeviceWritable() const { return {device_area_}; }

  // Zeroes the three areas, as the driver does before it hands a queue over.
  Result<> ZeroRings();

  // Returns the chain's id. kUsage if there are too few free descriptors, nothing to describe, or a
  // mixture of direct and indirect that the format does not allow.
  virtual Result<uint16_t> Publish(const op::Publish& publish, bool fresh) = 0;
  // Makes all that was held back available at once.
  virtual Result<> Expose() = 0;
  // The driver's wishes about used buffer notifications: the flags and the event of the available
  // ring (2.7.7), or of the driver event suppression structure (2.8.10).
  virtual Result<> SetAvailFlags(uint16_t flags) = 0;
  virtual Result<> SetUsedEvent(uint16_t event) = 0;
  uint16_t avail_flags() const { return avail_flags_; }
  uint16_t used_event() const { return used_event_; }
  // What the driver writes that is no conforming one.
  virtual Result<> WriteDescriptor(const op::RawDescriptor& raw) = 0;
  virtual Result<> WriteAvailable(uint16_t head, uint16_t step) = 0;

  // The device's wishes about available buffer notifications, likewise, as they stand now. 0 where
  // the queue is not usable.
  virtual uint16_t used_flags() const = 0;
  virtual uint16_t avail_event() const = 0;

  // The first that the device does not have yet; as exposed.
  virtual uint16_t avail_position() const = 0;
  // The first that the device has not used, as it claims now.
  virtual uint16_t used_position() const = 0;
  // The first that the driver has not taken yet.
  virtual uint16_t last_used() const = 0;
  // `entries` after `position`; at most a whole turn.
  virtual uint16_t PositionAfter(uint16_t position, uint32_t entries) const = 0;
  // How many entries of the used ring, or used descriptors, a buffer of so many descriptors takes.
  virtual uint32_t EntriesOf(size_t descriptors) const = 0;

  // Used buffers that the driver has not taken yet, as the device claims.
  virtual uint32_t Pending() const = 0;
  // The one at last_used(). Only if one is pending.
  virtual UsedElement Used() const = 0;
  // Moves last_used() on.
  virtual void SkipUsed(uint32_t entries) = 0;
  // Does the driver ask to be notified of the use of `entries` entries from `position` on? No value
  // where the standard leaves it open.
  virtual std::optional<bool> AsksFor(uint16_t position, uint32_t entries) const = 0;

  virtual size_t free_descriptors() const = 0;
  // In the order in which they were made available.
  const std::deque<Chain>& outstanding() const { return outstanding_; }
  // Removes one chain from those, and gives its descriptors back. `position` into outstanding().
  Chain Complete(size_t position);
  std::optional<size_t> Find(uint32_t id) const;

 protected:
  Virtqueue(GuestMemory& memory, Shadow& shadow, QueueLayout layout, FeatureSet negotiated,
            const Areas& areas);

  Result<> CheckUsable() const;
  // Splits a publish into what goes into the ring and what into an indirect table, and checks it.
  struct Parts {
    size_t direct = 0;    // segments in the ring
    size_t in_table = 0;  // in the indirect table
    size_t needed = 0;    // descriptors of the ring
    GuestRange table;
  };
  Result<Parts> Arrange(const op::Publish& publish) const;
  // The last four bytes of a descriptor are two le16: flags and next, or id and flags.
  Result<> WriteRaw(uint64_t address, const op::Segment& segment, uint16_t at_12, uint16_t at_14);
  virtual void GiveBack(const Chain& chain) = 0;

  GuestMemory& memory_;
  Shadow& shadow_;
  QueueLayout layout_;
  bool event_idx_, in_order_;
  bool usable_ = false;
  GuestRange descriptor_area_, driver_area_, device_area_;
  uint16_t avail_flags_ = 0;
  uint16_t used_event_ = 0;
  std::deque<Chain> outstanding_;
};

}  // namespace vitro
