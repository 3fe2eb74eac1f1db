# SPDX-License-Identifier: Apache-2.0
# cmake -DOUT=x.cc -DCSS=report.css -DJS=report.js -P embed.cmake
# Raw string literals are limited in length by the standard (65536); the files stay far below it.
file(READ "${CSS}" css)
file(READ "${JS}" js)
file(WRITE "${OUT}.tmp" "// SPDX-License-Identifier: Apache-2.0
// Made by embed.cmake from report.css and report.js.
#include \"reports/html_parts.h\"

namespace vitro::reports {
const std::string_view kStyle = R\"vitro-css(${css})vitro-css\";
const std::string_view kScript = R\"vitro-js(${js})vitro-js\";
}  // namespace vitro::reports
")
file(RENAME "${OUT}.tmp" "${OUT}")
