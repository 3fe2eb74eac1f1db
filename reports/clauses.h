// SPDX-License-Identifier: Apache-2.0
// The headings of VIRTIO 1.4, so that "2.7" reads as "2.7 Split Virtqueues". Section numbers move
// between editions of the specification: for any other version there are no headings.
#pragma once

#include <string_view>

namespace vitro::reports {

// The heading of a chapter ("2") or clause ("2.7"), or "".
std::string_view ClauseTitle(std::string_view spec_version, std::string_view clause);

}  // namespace vitro::reports
