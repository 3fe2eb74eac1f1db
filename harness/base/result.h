// SPDX-License-Identifier: Apache-2.0
// Result<T>: how every boundary of the harness reports failure. What a device does wrong is data
// for the oracle and never an Error; an Error says that an operation could not be carried out at
// all, and whose doing that was. Floor 0: depends on nothing of ours.
#pragma once

#include <fmt/format.h>

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace vitro {

enum class ErrorKind {
  kHarness,      // Vitro or the machine it runs on failed: never the device's fault
  kAttach,       // the device could not be reached in the first place
  kDeviceLost,   // it was there and is gone: died, disconnected, or broke the carrying protocol
  kTimeout,      // no answer before the deadline
  kRefused,      // the device or its transport answered "no" to the operation
  kUnsupported,  // this attachment has no such operation: not observable here
  kUsage,        // the caller (a person or a program text) asked for something meaningless
};

inline const char* Name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kHarness:
      return "harness error";
    case ErrorKind::kAttach:
      return "cannot attach";
    case ErrorKind::kDeviceLost:
      return "device lost";
    case ErrorKind::kTimeout:
      return "timeout";
    case ErrorKind::kRefused:
      return "refused";
    case ErrorKind::kUnsupported:
      return "unsupported";
    case ErrorKind::kUsage:
      return "usage";
  }
  return "?";
}

struct Error {
  ErrorKind kind = ErrorKind::kHarness;
  std::string message;  // one sentence: what, where, what was expected
};

template <typename T = void>
using Result = tl::expected<T, Error>;

template <typename... Args>
tl::unexpected<Error> Fail(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  return tl::make_unexpected(Error{kind, fmt::format(format, std::forward<Args>(args)...)});
}

}  // namespace vitro

// Returns the error of a Result from the enclosing function, or continues.
#define VITRO_CONCAT_(a, b) a##b
#define VITRO_CONCAT(a, b) VITRO_CONCAT_(a, b)
#define VITRO_TRY(expression)                                        \
  do {                                                               \
    if (auto vitro_result = (expression); !vitro_result)             \
      return ::tl::make_unexpected(std::move(vitro_result).error()); \
  } while (false)
// VITRO_ASSIGN(auto x, F()): the same, and binds the value.
#define VITRO_ASSIGN(declaration, expression) \
  VITRO_ASSIGN_(VITRO_CONCAT(vitro_result_, __LINE__), declaration, expression)
#define VITRO_ASSIGN_(temporary, declaration, expression)                     \
  auto temporary = (expression);                                              \
  if (!temporary) return ::tl::make_unexpected(std::move(temporary).error()); \
  declaration = *std::move(temporary)
