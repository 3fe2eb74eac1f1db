# SPDX-License-Identifier: Apache-2.0
# find_package(vitro): what a build directory of Vitro offers to other projects. The target to link is
# vitro::vitro_gtest.
include(CMakeFindDependencyMacro)
find_dependency(Boost)
find_dependency(fmt)
find_dependency(GTest)
find_dependency(nlohmann_json)
find_dependency(OpenSSL COMPONENTS Crypto)
find_dependency(Threads)
find_dependency(tl-expected)
include("${CMAKE_CURRENT_LIST_DIR}/vitro-targets.cmake")
