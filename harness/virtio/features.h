// SPDX-License-Identifier: Apache-2.0
// Feature bits (sections 2.2, 6 and the device types of chapter 5). Facts only. A feature set holds
// 128 bits: section 2.2 reserves bits from 128 upwards.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace vitro {

namespace feature {
inline constexpr unsigned kNotifyOnEmpty = 24;  // legacy
inline constexpr unsigned kAnyLayout = 27;      // legacy
inline constexpr unsigned kIndirectDesc = 28;
inline constexpr unsigned kEventIdx = 29;
inline constexpr unsigned kVhostUserProtocol = 30;  // vhost-user carrier's own; reserved in virtio
inline constexpr unsigned kVersion1 = 32;
inline constexpr unsigned kAccessPlatform = 33;
inline constexpr unsigned kRingPacked = 34;
inline constexpr unsigned kInOrder = 35;
inline constexpr unsigned kOrderPlatform = 36;
inline constexpr unsigned kSrIov = 37;
inline constexpr unsigned kNotificationData = 38;
inline constexpr unsigned kNotifConfigData = 39;
inline constexpr unsigned kRingReset = 40;
inline constexpr unsigned kAdminVq = 41;
inline constexpr unsigned kSuspend = 43;
inline constexpr unsigned kBits = 128;
}  // namespace feature

// A set of feature bits 0 to 127.
class FeatureSet {
 public:
  constexpr FeatureSet() = default;
  constexpr FeatureSet(std::initializer_list<unsigned> bits) {
    for (unsigned bit : bits) Add(bit);
  }
  static constexpr FeatureSet FromWords(uint64_t low, uint64_t high) {
    FeatureSet set;
    set.words_ = {low, high};
    return set;
  }
  // Bits `first` to `last`.
  static constexpr FeatureSet Range(unsigned first, unsigned last) {
    FeatureSet set;
    for (unsigned bit = first; bit <= last; ++bit) set.Add(bit);
    return set;
  }
  constexpr bool Has(unsigned bit) const {
    return bit < 128 && (words_[bit / 64] >> (bit % 64) & 1);
  }
  constexpr FeatureSet& Add(unsigned bit) {
    words_[bit / 64] |= uint64_t{1} << (bit % 64);
    return *this;
  }
  constexpr FeatureSet& Remove(unsigned bit) {
    words_[bit / 64] &= ~(uint64_t{1} << (bit % 64));
    return *this;
  }
  constexpr FeatureSet With(unsigned bit) const { return FeatureSet(*this).Add(bit); }
  constexpr FeatureSet Without(unsigned bit) const { return FeatureSet(*this).Remove(bit); }
  constexpr bool empty() const { return words_[0] == 0 && words_[1] == 0; }
  constexpr bool Contains(FeatureSet other) const { return (other - *this).empty(); }
  // 64 feature bits: index 0 is bits 0 to 63, index 1 is bits 64 to 127.
  constexpr uint64_t word(unsigned index) const { return words_[index]; }
  friend constexpr FeatureSet operator|(FeatureSet a, FeatureSet b) {
    return FromWords(a.words_[0] | b.words_[0], a.words_[1] | b.words_[1]);
  }
  friend constexpr FeatureSet operator&(FeatureSet a, FeatureSet b) {
    return FromWords(a.words_[0] & b.words_[0], a.words_[1] & b.words_[1]);
  }
  friend constexpr FeatureSet operator-(FeatureSet a, FeatureSet b) {
    return FromWords(a.words_[0] & ~b.words_[0], a.words_[1] & ~b.words_[1]);
  }
  friend constexpr auto operator<=>(const FeatureSet&, const FeatureSet&) = default;

 private:
  std::array<uint64_t, 2> words_{};
};

namespace feature {
// What section 2.2 leaves to device types, but 41: section 6 has given that a meaning.
inline constexpr FeatureSet kOfDeviceTypes =
    FeatureSet::Range(0, 23) | FeatureSet{42} | FeatureSet::Range(50, 127);
}  // namespace feature

}  // namespace vitro
