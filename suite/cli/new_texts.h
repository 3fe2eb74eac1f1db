// SPDX-License-Identifier: Apache-2.0
// The files that `vitro new` makes its own of, as the build put them into the program.
#pragma once

#include <span>

#include "harness/base/embedded_text.h"

namespace vitro {

// Named by their paths in the source tree.
std::span<const EmbeddedText> NewProjectTexts();

}  // namespace vitro
