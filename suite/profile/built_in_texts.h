// SPDX-License-Identifier: Apache-2.0
// The files of suite/profile/data, as the build put them into the program.
#pragma once

#include <span>

#include "harness/base/embedded_text.h"

namespace vitro {

std::span<const EmbeddedText> BuiltInProfileTexts();

}  // namespace vitro
