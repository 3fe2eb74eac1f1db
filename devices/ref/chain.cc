// SPDX-License-Identifier: Apache-2.0
#include "devices/ref/chain.h"

#include <algorithm>

namespace vitro::ref {
namespace {

// Calls copy(guest address, offset in the caller's buffer, length) for each piece of the range.
template <typename Copy>
bool ForEachPiece(const std::vector<Segment>& segments, uint64_t offset, uint64_t length,
                  Copy&& copy) {
  uint64_t done = 0;
  for (const Segment& segment : segments) {
    if (done == length) break;
    if (offset >= segment.length) {
      offset -= segment.length;
      continue;
    }
    const uint64_t piece = std::min<uint64_t>(segment.length - offset, length - done);
    if (!copy(segment.address + offset, done, piece)) return false;
    done += piece;
    offset = 0;
  }
  return done == length;
}

}  // namespace

void Chain::AddReadable(Segment segment) {
  readable_.push_back(segment);
  readable_bytes_ += segment.length;
}

void Chain::AddWritable(Segment segment) {
  writable_.push_back(segment);
  writable_bytes_ += segment.length;
}

void Chain::TruncateLengthsTo16Bits() {
  readable_bytes_ &= 0xffff;
  writable_bytes_ &= 0xffff;
}

bool Chain::Read(uint64_t offset, void* to, uint64_t length) const {
  if (offset > readable_bytes_ || length > readable_bytes_ - offset) return false;
  auto* bytes = static_cast<uint8_t*>(to);
  return ForEachPiece(readable_, offset, length, [&](uint64_t address, uint64_t at, uint64_t n) {
    return host_->Read(address, bytes + at, n);
  });
}

bool Chain::Write(uint64_t offset, const void* from, uint64_t length) {
  if (offset > writable_bytes_ || length > writable_bytes_ - offset) return false;
  if (length == 0) return true;
  const auto* bytes = static_cast<const uint8_t*>(from);
  if (offset <= written_) written_ = std::max(written_, offset + length);
  if ((*fault_)("data-after-used") && offset + length == writable_bytes_) {
    --length;
    held_back_ = bytes[length];
  }
  return ForEachPiece(writable_, offset, length, [&](uint64_t address, uint64_t at, uint64_t n) {
    return host_->Write(address, bytes + at, n);
  });
}

void Chain::WriteHeldBack() {
  if (!held_back_) return;
  const uint8_t byte = *held_back_;
  ForEachPiece(writable_, writable_bytes_ - 1, 1, [&](uint64_t address, uint64_t, uint64_t) {
    return host_->Write(address, &byte, 1);
  });
}

}  // namespace vitro::ref
