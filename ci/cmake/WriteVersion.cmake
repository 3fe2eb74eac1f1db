# SPDX-License-Identifier: Apache-2.0
# Run at each build: writes the state of the tree into a header, if it has changed.
#   cmake -DIN=version.h.in -DOUT=version.h -DSOURCE_DIR=... -DPROJECT_VERSION=...
#         -DCMAKE_CXX_COMPILER_ID=... -DCMAKE_CXX_COMPILER_VERSION=... -P WriteVersion.cmake
execute_process(COMMAND git describe --always --dirty --tags
  WORKING_DIRECTORY "${SOURCE_DIR}" OUTPUT_VARIABLE VITRO_TREE
  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT VITRO_TREE)
  set(VITRO_TREE unknown)  # outside a checkout
endif()
configure_file("${IN}" "${OUT}" @ONLY)
