// SPDX-License-Identifier: Apache-2.0
// Which rule of packed virtqueues (2.8) says what a rule of split ones (2.7) says. Checks and the
// oracle name the rule of split rings; where VIRTIO_F_RING_PACKED is negotiated, its sister is
// what is judged.
#pragma once

#include <string>
#include <string_view>

namespace vitro {

// `requirement` itself if it is about both, or about neither.
std::string_view InPackedRings(std::string_view requirement);

}  // namespace vitro
