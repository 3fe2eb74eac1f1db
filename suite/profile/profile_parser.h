// SPDX-License-Identifier: Apache-2.0
// Reads a profile (profile.h), a TOML file, and refuses what is not in order: one sentence with
// file, line, what was found and what was expected.
//
// At the top
//   schema       1. Files of another schema are refused
//   id           device type (chapter 5), 1 or more
//   name         one word of a-z, 0-9 and '-'; of a built-in profile: the name of its file
//   title        one line for people
//   section      of VIRTIO 1.4, "5.2"; left out for a type that is not in it
//   config_only  true: the type works without virtqueues
//   transports   ["pci", "mmio", "ccw"]: those it is meant for; left out: all
//   vectors      MSI-X vectors that it would like
//   least_vectors  MSI-X vectors that it does not work without; 0 if left out
//   rationale    what a reviewer should know
//   requires     FEATURES that every driver has to accept: a mandatory bit, or "A | B" where one of
//                several will do; left out: none
//
// A list of FEATURES below is a list of strings, all of which hold; each names one feature bit, or
// several of which one is enough: ["VIRTIO_NET_F_CTRL_VQ", "VIRTIO_NET_F_MQ | VIRTIO_NET_F_RSS"].
// The bits of chapter 6 are known by name without being declared.
//
// [[feature]]: a feature bit
//   bit          0 to 127
//   name         "VIRTIO_BLK_F_FLUSH"
//   requires     FEATURES
//   conflicts    names of bits that are never accepted together with it: ["A", "B"]
//   gates        what is there with this bit only: "field NAME", "queue NAME", "request NAME", or
//                "behaviour TEXT" for all else
//   why          why it is a bit of its own, or why one bit gates several things
//   legacy       true: means something to legacy drivers only
//
// [[field]]: a field of the device-specific configuration space
//   name
//   offset       in bytes
//   width        in bytes: 1, 2, 4 or 8; 6 for a MAC address. Of one element, if it is an array
//   count        elements of an array; 1 if left out
//   access       "ro" or "rw"
//   feature      FEATURES that it exists with; left out: always
//   changes      "never", "by-driver" or "by-device"; left out: "never"
//   reset_value  what it (each element) reads after reset, where that is fixed
//  and of "rw" fields only
//   action       true: writing it makes the device do something
//   commit       when the device takes over what is written: "each-write", "last-byte",
//                "first-byte", "all-bytes" or "later" (profile.h); left out: "each-write"
//   commit_when  with "later": when that is
//   runtime      true: it is meant to be written after DRIVER_OK
//   values       VALUES that may be written; left out: any
// VALUES is a list of integers and inclusive ranges: [0, "2-5", "0x100-0xffffffffffffffff"].
//
// [[queue]]: a virtqueue, or several of a kind
//   name
//   index        an integer, or an expression (expression.h) in n, which counts those of this kind
//                from 0: "2 * n + 1"
//   count        how many there are, the same without n; 1 if left out
//   direction    "to-device", "from-device" or "requests"
//   role         one phrase, for people
//   feature      FEATURES that they exist with; left out: always
//   high_rate    true: worth a vector of its own
//
// [[request]]: something that the driver may ask on a queue, and the answer
//   name
//   queue        the name of a [[queue]]
//   feature      FEATURES it may be made with; left out: always
//   readable     the device-readable bytes, a list of PARTS in their order; none on a queue
//                "from-device"
//   writable     the device-writable bytes, likewise; none on a queue "to-device"
//   least_length the least used length that is right; of a request that has less to write, all of
//   it;
//                left out: any
//   harmless     true: may be made at any time, as often as one likes, without changing what other
//                requests are answered
// A PART is a table { name = "sector", width = 8, ... } of
//   name         no second one among the readable parts, or among the writable ones
//   width        bytes of a little-endian integer, 1, 2, 4 or 8; or else
//   length       bytes that are no integer: how many, or [least, most] of one part whose length is
//                free
//   feature      FEATURES that it is there with; left out: always
//   values       VALUES of an integer, or of each byte: those that may be sent, or those of a right
//                answer
//   length_of    of readable integers, in place of values: the length of the readable part of that
//                name, or else of the writable one
//   field        of readable integers, in place of values: what the field of that name reads
//   echo_of      of writable bytes: a right answer is the readable part of that name, of the same
//                length,
//   mask         each byte XOR this
//
// [[device_part]]: a structure of the device's state (2.14)
//   name
//   type         part_type, 0x200 to 0x5ff: those of device types
//   fields       a list of PARTS of name and width or length
#pragma once

#include <string>
#include <string_view>

#include "harness/base/result.h"
#include "suite/profile/profile.h"

namespace vitro {

inline constexpr int kProfileSchema = 1;

// Errors are kUsage and begin with "FILE:LINE: ".
Result<Profile> ParseProfile(std::string_view file_name, std::string_view text);
Result<Profile> LoadProfile(const std::string& path);

}  // namespace vitro
