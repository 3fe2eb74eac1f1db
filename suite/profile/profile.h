// SPDX-License-Identifier: Apache-2.0
// Profile: a device type as data (chapter 5; "Creating New Device Types" for new ones). It is
// written in TOML; profile_parser.h says how, and refuses what is not in order. A profile says what
// is true of every device of the type; which part of it a given device has follows from its feature
// bits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/virtio/features.h"

namespace vitro {

// One of these feature bits is needed.
using FeatureClause = std::vector<unsigned>;
// All of the clauses hold. Empty: always.
using FeatureCondition = std::vector<FeatureClause>;
bool Holds(const FeatureCondition& condition, FeatureSet features);

struct ProfileFeature {
  unsigned bit = 0;                 // 0 to 127
  std::string name;                 // "VIRTIO_BLK_F_FLUSH"
  FeatureCondition requires_;       // what a set with this bit has besides
  std::vector<unsigned> conflicts;  // bits that no set has together with this one
  // What exists or happens with this bit only: "field NAME", "queue NAME", "request NAME" as they
  // are called below, "behaviour TEXT" for all else.
  std::vector<std::string> gates;
  std::string why;      // the author's reason for a bit of its own, or for grouping
  bool legacy = false;  // means something without VERSION_1 only
  int line = 0;         // in the file
};

// How a field of the configuration space may be used (2.5).
enum class FieldAccess { kReadOnly, kReadWrite };
// When the device takes over what is written to a field of several bytes.
enum class FieldCommit {
  kEachWrite,  // every access acts on the bytes it has, at once
  kLastByte,   // with a write that includes the last byte
  kFirstByte,  // with a write that includes the first byte
  kAllBytes,   // with the write after which each byte was written since it was taken over last
  kLater,      // never by the write: at another moment, which `commit_when` names
};
enum class FieldChanges {
  kNever,     // constant from reset to reset
  kByDriver,  // only as the driver's own writes and requests have it
  kByDevice,  // at any time, with a configuration change notification (3.2.1)
};
struct ProfileField {
  std::string name;
  uint32_t offset = 0;  // bytes
  uint32_t width = 0;   // bytes of one element: 1, 2, 4 or 8; 6 for a MAC address
  uint32_t count = 1;   // elements; more than 1 for an array
  FieldAccess access = FieldAccess::kReadOnly;
  FeatureCondition exists;  // the features that it exists with
  bool action = false;      // writing it makes the device do something
  FieldCommit commit = FieldCommit::kEachWrite;
  std::string commit_when;
  FieldChanges changes = FieldChanges::kNever;
  bool runtime = false;  // it is meant to be written after DRIVER_OK
  // Values that may be written, inclusive ranges; empty: any.
  std::vector<std::pair<uint64_t, uint64_t>> values;
  std::optional<uint64_t> reset_value;  // what it reads after reset, where that is fixed
  int line = 0;

  uint32_t size() const { return width * count; }
};

enum class QueueDirection {
  kToDevice,    // buffers with device-readable parts only
  kFromDevice,  // buffers with device-writable parts only, used when the device has something to
                // say
  kRequests,    // the driver asks, the device answers
};
struct ProfileQueue {
  std::string name;  // "requestq"
  // Index of the n-th of them, n from 0: an expression of integers, n, names of config fields and
  // of feature bits (1 if negotiated, else 0) with + - * and parentheses.
  std::string index;
  std::string count = "1";  // how many of them, the same without n
  QueueDirection direction = QueueDirection::kRequests;
  std::string role;         // one phrase, for people
  FeatureCondition exists;  // the features that they exist with
  bool high_rate = false;
  int line = 0;
};

// One stretch of bytes of a request, in the order of the buffer.
struct ProfilePart {
  std::string name;
  uint32_t width = 0;        // bytes of an integer (little-endian), or 0 for bytes
  uint32_t length = 0;       // bytes, where width is 0
  uint32_t most_length = 0;  // as many of them may be there; the same as `length` if they are fixed
  FeatureCondition exists;   // left out of the request without them
  // Readable: what may be sent. Writable: what a right answer is. Of bytes: each. Empty: anything.
  std::vector<std::pair<uint64_t, uint64_t>> values;
  std::string length_of;  // readable integers: the length of the part of that name
  std::string field;      // readable integers: the value of that field of the configuration space
  // Writable bytes: those of this readable part, each XOR `mask`; empty: anything.
  std::string echo_of;
  uint8_t mask = 0;
  int line = 0;

  uint32_t least_size() const { return width + length; }
  uint32_t size() const { return width + most_length; }
};
// A request and its answer. What a request does to the device is not part of a profile.
struct ProfileRequest {
  std::string name;   // "read"
  std::string queue;  // name of a ProfileQueue
  FeatureCondition exists;
  std::vector<ProfilePart> readable, writable;
  // Used length that is right for it, within [least, all of writable]; if there is less, all.
  std::optional<uint32_t> least_length;
  // Asking does not change what others are answered, and it may be asked in any state: the checks
  // of virtqueues may use it.
  bool harmless = false;
  int line = 0;
};

// A device part (2.14): state of the device as one structure, read and written as a whole.
struct ProfileDevicePart {
  std::string name;
  uint32_t type = 0;  // part_type
  std::vector<ProfilePart> fields;
  int line = 0;
};

struct Profile {
  std::string file;  // for messages
  uint32_t id = 0;   // device type
  std::string name;  // one word: "blk"
  std::string title;
  std::string section;                  // of VIRTIO 1.4; empty for a type that is not in it
  bool config_only = false;             // works without virtqueues
  std::vector<std::string> transports;  // "pci", "mmio", "ccw"; empty: all
  std::optional<uint32_t> vectors;      // MSI-X vectors wanted, where the author said so
  // As many of them it does not work without: no fewer, shared or replaced by INTx.
  uint32_t least_vectors = 0;
  FeatureCondition requires_;  // what every set has that a driver may accept
  int id_line = 0, vectors_line = 0, requires_line = 0;  // in the file
  std::string rationale;                                 // what a reviewer should know
  std::vector<ProfileFeature> features;
  std::vector<ProfileField> fields;
  std::vector<ProfileQueue> queues;
  std::vector<ProfileRequest> requests;
  std::vector<ProfileDevicePart> device_parts;

  const ProfileFeature* FindFeature(unsigned bit) const;
  // Of this type's bits and those of chapter 6.
  std::optional<unsigned> FeatureBit(std::string_view feature_name) const;
  std::string FeatureName(unsigned bit) const;
  const ProfileField* FindField(std::string_view field_name) const;
  const ProfileQueue* FindQueue(std::string_view queue_name) const;
  const ProfileRequest* FindRequest(std::string_view request_name) const;
  // Adds to `set` the offered bits that `condition` needs and does not find there, with all that
  // those need; false if they are not offered.
  bool Complete(const FeatureCondition& condition, FeatureSet offered, FeatureSet& set) const;
  uint32_t config_size() const;  // bytes up to the end of the last field
};

}  // namespace vitro
