// SPDX-License-Identifier: Apache-2.0
// A file that the build put into the program: see vitro_embed() in ci/cmake/VitroTargets.cmake.
#pragma once

#include <string_view>

namespace vitro {

struct EmbeddedText {
  std::string_view name;  // of the file, without what vitro_embed() was told to leave out
  std::string_view text;
};

}  // namespace vitro
