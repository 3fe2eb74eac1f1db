# SPDX-License-Identifier: Apache-2.0
# The switches of the build, and one INTERFACE target that carries warnings and sanitizers everywhere.
option(VITRO_BUILD_TESTS "Build the tests" ${PROJECT_IS_TOP_LEVEL})
option(VITRO_BUILD_BENCHMARKS "Build the benchmarks" OFF)
option(VITRO_WERROR "Treat warnings as errors" ${PROJECT_IS_TOP_LEVEL})
set(VITRO_SANITIZE "" CACHE STRING "Sanitizers, e.g. 'address,undefined' or 'thread'")

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# A project that has Vitro in a subdirectory links its targets, and so must see what they link.
set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON)

add_library(vitro_flags INTERFACE)
set_property(TARGET vitro_flags PROPERTY INTERFACE_COMPILE_OPTIONS
  -Wall -Wextra -Wshadow -Wno-missing-field-initializers $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>
  # Wrong about std::optional at -O1.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
  $<$<BOOL:${VITRO_WERROR}>:-Werror>)
target_include_directories(vitro_flags INTERFACE "${PROJECT_SOURCE_DIR}")
if(VITRO_SANITIZE)
  target_compile_options(vitro_flags INTERFACE -fsanitize=${VITRO_SANITIZE} -fno-omit-frame-pointer
                         -fno-sanitize-recover=all)
  target_link_options(vitro_flags INTERFACE -fsanitize=${VITRO_SANITIZE})
endif()
find_program(VITRO_CCACHE ccache)
if(VITRO_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER "${VITRO_CCACHE}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${VITRO_CCACHE}")
endif()
