// SPDX-License-Identifier: Apache-2.0
#include "devices/ref/entropy.h"

#include <algorithm>

#include "harness/virtio/device_id.h"

namespace vitro::ref {
namespace {

// splitmix64: passes the usual statistical batteries; not for cryptography.
class RandomBytes {
 public:
  explicit RandomBytes(uint64_t seed) : seed_(seed), state_(seed) {}
  void Restart() { state_ = seed_; }
  void Fill(Bytes& bytes) {
    for (size_t i = 0; i < bytes.size(); i += 8) {
      const uint64_t word = Next();
      std::memcpy(&bytes[i], &word, std::min<size_t>(8, bytes.size() - i));
    }
  }

 private:
  uint64_t Next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  uint64_t seed_, state_;
};

class Entropy : public DeviceCore {
 public:
  Entropy(const vitro_host* host, const CommonOptions& common, uint64_t seed)
      : DeviceCore(host, common, 1), random_(seed) {}

 protected:
  uint32_t DeviceId() const override { return device_id::kEntropy; }
  FeatureSet DeviceFeatures() const override { return {}; }

  bool Serve(uint32_t, Chain& chain) override {
    if (fault("entropy-nothing-written")) return true;
    if (fault("entropy-repeats")) random_.Restart();
    uint64_t amount = chain.writable_bytes();
    if (fault("short-write-full-length")) {
      chain.Claim(amount);
      amount /= 2;
    }
    constexpr uint64_t kPiece = 64 << 10;
    Bytes bytes;
    for (uint64_t done = 0; done < amount; done += bytes.size()) {
      bytes.resize(std::min(kPiece, amount - done));
      random_.Fill(bytes);
      if (fault("entropy-constant")) std::fill(bytes.begin(), bytes.end(), uint8_t{0x55});
      if (!chain.Write(done, bytes.data(), bytes.size())) return false;
    }
    return true;
  }

 private:
  RandomBytes random_;
};

}  // namespace

std::unique_ptr<DeviceCore> CreateEntropy(const vitro_host* host, Options& options) {
  const CommonOptions common = ReadCommonOptions(options, "e");
  const uint64_t seed = options.Number("seed", 1, 0, UINT64_MAX);
  return std::make_unique<Entropy>(host, common, seed);
}

}  // namespace vitro::ref
