// SPDX-License-Identifier: Apache-2.0
#include "suite/profile/expression.h"

#include <cctype>
#include <charconv>

namespace vitro {
namespace {

constexpr int kMaxDepth = 64;           // of parentheses
constexpr int64_t kMaxQueues = 0xffff;  // 2.6: a device has at most 65536, the last one numbered so

// sum:     product { ("+" | "-") product }
// product: term { "*" term }
// term:    integer | name | "(" sum ")"
class Evaluation {
 public:
  Evaluation(std::string_view text, const ValueOfName& value_of)
      : text_(text), value_of_(value_of) {}

  Result<int64_t> Whole() {
    VITRO_ASSIGN(const int64_t value, Sum());
    if (at_ != text_.size()) return Unexpected("an operator or the end");
    return value;
  }

 private:
  Result<int64_t> Sum() {
    VITRO_ASSIGN(int64_t value, Product());
    while (Next() == '+' || Next() == '-') {
      const bool plus = text_[at_++] == '+';
      VITRO_ASSIGN(const int64_t term, Product());
      if (plus ? __builtin_add_overflow(value, term, &value)
               : __builtin_sub_overflow(value, term, &value))
        return TooLarge();
    }
    return value;
  }

  Result<int64_t> Product() {
    VITRO_ASSIGN(int64_t value, Term());
    while (Next() == '*') {
      ++at_;
      VITRO_ASSIGN(const int64_t factor, Term());
      if (__builtin_mul_overflow(value, factor, &value)) return TooLarge();
    }
    return value;
  }

  Result<int64_t> Term() {
    const char first = Next();
    if (first == '(') {
      if (++depth_ > kMaxDepth) return Unexpected("fewer parentheses");
      ++at_;
      VITRO_ASSIGN(const int64_t value, Sum());
      if (Next() != ')') return Unexpected("')'");
      ++at_;
      --depth_;
      return value;
    }
    if (std::isdigit(static_cast<unsigned char>(first))) return Number();
    if (std::isalpha(static_cast<unsigned char>(first)) || first == '_') return Name();
    return Unexpected("an integer, a name or '('");
  }

  Result<int64_t> Number() {
    int64_t value = 0;
    const auto [end, error] =
        std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (error != std::errc()) return TooLarge();
    at_ = static_cast<size_t>(end - text_.data());
    return value;
  }

  Result<int64_t> Name() {
    const size_t begin = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) ||
                                  text_[at_] == '_' || text_[at_] == '.'))
      ++at_;
    const std::string_view name = text_.substr(begin, at_ - begin);
    const auto value = value_of_(name);
    if (!value)
      return Fail(ErrorKind::kUsage,
                  "\"{}\" names {}, expected a config field of one element of at most 8 bytes, a "
                  "feature bit or, in an index, n",
                  text_, name);
    return *value;
  }

  // The next character that is no blank; '\0' at the end.
  char Next() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }

  tl::unexpected<Error> Unexpected(std::string_view expected) const {
    const std::string found =
        at_ < text_.size() ? fmt::format("'{}' at column {}", text_[at_], at_ + 1) : "its end";
    return Fail(ErrorKind::kUsage, "\"{}\" has {}, expected {}", text_, found, expected);
  }
  tl::unexpected<Error> TooLarge() const {
    return Fail(ErrorKind::kUsage, "\"{}\" leads to a number beyond 64 bits", text_);
  }

  std::string_view text_;
  const ValueOfName& value_of_;
  size_t at_ = 0;
  int depth_ = 0;
};

std::optional<int64_t> ConfigValue(const ProfileField& field, FeatureSet features,
                                   ByteView config) {
  if (field.count != 1 || field.width > 8) return std::nullopt;
  if (!Holds(field.exists, features) || config.size() < field.offset + field.width) return 0;
  return static_cast<int64_t>(LoadLe(config.subspan(field.offset, field.width)));
}

}  // namespace

Result<int64_t> Evaluate(std::string_view expression, const ValueOfName& value_of) {
  return Evaluation(expression, value_of).Whole();
}

Result<std::vector<uint32_t>> QueueIndices(const Profile& profile, const ProfileQueue& queue,
                                           FeatureSet features, ByteView config) {
  std::vector<uint32_t> indices;
  if (!Holds(queue.exists, features)) return indices;
  std::optional<int64_t> n;
  const ValueOfName value_of = [&](std::string_view name) -> std::optional<int64_t> {
    if (name == "n") return n;
    if (const ProfileField* field = profile.FindField(name))
      return ConfigValue(*field, features, config);
    if (const auto bit = profile.FeatureBit(name)) return features.Has(*bit);
    return std::nullopt;
  };
  VITRO_ASSIGN(const int64_t count, Evaluate(queue.count, value_of));
  if (count < 0 || count > kMaxQueues + 1)
    return Fail(ErrorKind::kUsage, "queue {}: there are {} of them, expected 0 to {}", queue.name,
                count, kMaxQueues + 1);
  for (n = 0; *n < count; ++*n) {
    VITRO_ASSIGN(const int64_t index, Evaluate(queue.index, value_of));
    if (index < 0 || index > kMaxQueues)
      return Fail(ErrorKind::kUsage, "queue {}: the index of number {} is {}, expected 0 to {}",
                  queue.name, *n, index, kMaxQueues);
    indices.push_back(static_cast<uint32_t>(index));
  }
  return indices;
}

}  // namespace vitro
