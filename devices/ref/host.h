// SPDX-License-Identifier: Apache-2.0
// Host: the vitro_host of the C ABI with bool instead of 0 and -1. All guest memory that a
// reference device touches goes through here.
#pragma once

#include <cstdint>
#include <string>

#include "devices/abi/vitro_device.h"

namespace vitro::ref {

class Host {
 public:
  explicit Host(const vitro_host* host) : host_(host) {}

  // False, with nothing copied, unless the whole range is guest memory.
  bool Read(uint64_t address, void* to, uint64_t length) const;
  bool Write(uint64_t address, const void* from, uint64_t length) const;
  // Is the whole range guest memory? Does not touch the bytes unless the host cannot map.
  bool Accessible(uint64_t address, uint64_t length) const;

  void SignalQueue(uint16_t queue) const { host_->signal_queue(host_->context, queue); }
  void SignalConfig() const { host_->signal_config(host_->context); }
  void Log(const std::string& line) const { host_->log(host_->context, line.c_str()); }

  // For faults only: an address inside guest memory, the lower the better; `known` is one for sure.
  uint64_t SomewhereInMemory(uint64_t known) const;
  // For faults only: changes a byte, so that the change shows whatever it was.
  void InvertByte(uint64_t address) const;

 private:
  bool Probe(uint64_t address) const;

  const vitro_host* host_;
};

}  // namespace vitro::ref
