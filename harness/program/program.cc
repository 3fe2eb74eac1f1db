// SPDX-License-Identifier: Apache-2.0
#include "harness/program/program.h"

#include <charconv>
#include <limits>
#include <map>
#include <optional>

#include "harness/program/text.h"

namespace vitro {
namespace {

using Fields = std::map<std::string, std::string, std::less<>>;

// Splits "name key=value key=\"quoted value\"".
Result<std::pair<std::string, Fields>> SplitLine(std::string_view line) {
  size_t at = 0;
  auto skip = [&] {
    while (at < line.size() && line[at] == ' ') ++at;
  };
  auto word = [&](std::string_view stops) {
    const size_t from = at;
    while (at < line.size() && stops.find(line[at]) == std::string_view::npos) ++at;
    return std::string(line.substr(from, at - from));
  };
  skip();
  std::pair<std::string, Fields> result{word(" "), {}};
  for (skip(); at < line.size(); skip()) {
    std::string key = word("= ");
    if (at >= line.size() || line[at] != '=')
      return Fail(ErrorKind::kUsage, "'{}' is not followed by '='", key);
    ++at;
    std::string value;
    if (at < line.size() && line[at] == '"') {
      for (++at; at < line.size() && line[at] != '"'; ++at) {
        if (line[at] == '\\' && at + 1 < line.size()) {
          ++at;
          value += line[at] == 'n' ? '\n' : line[at];
        } else {
          value += line[at];
        }
      }
      if (at >= line.size())
        return Fail(ErrorKind::kUsage, "the quote after '{}=' is not closed", key);
      ++at;
    } else {
      value = word(" ");
    }
    if (!result.second.emplace(key, std::move(value)).second)
      return Fail(ErrorKind::kUsage, "'{}' is given twice", key);
  }
  return result;
}

// Sets the fields of one operation from text; what is left over is unknown.
class Setter {
 public:
  explicit Setter(Fields fields) : fields_(std::move(fields)) {}

  template <typename T>
  void operator()(const char* name, T& value) {
    auto it = fields_.find(name);
    if (it == fields_.end()) return;
    if (auto result = Set(it->second, value); !result && error_.empty())
      error_ = fmt::format("{}={}: {}", name, it->second, result.error().message);
    fields_.erase(it);
  }
  // The first thing that was wrong, or "".
  std::string Problem() const {
    if (!error_.empty()) return error_;
    return fields_.empty() ? "" : fmt::format("unknown field '{}'", fields_.begin()->first);
  }

 private:
  static Result<> Set(const std::string& text, std::string& value) {
    value = text;
    return {};
  }
  static Result<> Set(const std::string& text, Bytes& value) {
    VITRO_ASSIGN(value, FromHex(text));
    return {};
  }
  static Result<> Set(const std::string& text, FeatureSet& value) {
    VITRO_ASSIGN(value, ParseFeaturesText(text));
    return {};
  }
  template <typename T>
  requires std::is_unsigned_v<T>
  static Result<> Set(const std::string& text, T& value) {
    VITRO_ASSIGN(uint64_t number, ParseNumber(text, std::numeric_limits<T>::max()));
    value = static_cast<T>(number);
    return {};
  }
  static Result<> Set(const std::string& text, std::vector<uint64_t>& values) {
    for (std::string_view item : Items(text)) {
      VITRO_ASSIGN(uint64_t value, ParseNumber(item));
      values.push_back(value);
    }
    return {};
  }
  static Result<> Set(const std::string& text, std::vector<op::Segment>& segments) {
    for (std::string_view item : Items(text)) {
      const size_t plus = item.find('+');
      if (item.size() < 3 || (item[0] != 'r' && item[0] != 'w') || item[1] != ':' ||
          plus == std::string_view::npos)
        return Fail(ErrorKind::kUsage, "'{}' is not r:ADDRESS+LENGTH or w:ADDRESS+LENGTH", item);
      VITRO_ASSIGN(uint64_t address, ParseNumber(item.substr(2, plus - 2)));
      VITRO_ASSIGN(uint64_t length, ParseNumber(item.substr(plus + 1), UINT32_MAX));
      segments.push_back({address, static_cast<uint32_t>(length), item[0] == 'w'});
    }
    return {};
  }
  static std::vector<std::string_view> Items(std::string_view text) {
    std::vector<std::string_view> items;
    while (!text.empty()) {
      const size_t comma = text.find(',');
      items.push_back(text.substr(0, comma));
      text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    }
    return items;
  }

  Fields fields_;
  std::string error_;
};

// Tries the alternatives of the variant one by one for the one with this name.
template <size_t I = 0>
std::optional<Operation> Named(std::string_view name) {
  if constexpr (I < std::variant_size_v<Operation>) {
    using T = std::variant_alternative_t<I, Operation>;
    if (name == T::kName) return T{};
    return Named<I + 1>(name);
  } else {
    return std::nullopt;
  }
}

}  // namespace

std::string QuoteText(std::string_view text) {
  if (!text.empty() && text.find_first_of(" \"\\=\n") == std::string_view::npos)
    return std::string(text);
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (c == '\n')
      quoted += "\\n";
    else
      quoted += c;
  }
  return quoted + '"';
}

std::string FeaturesText(FeatureSet features) {
  if (features.word(1) == 0) return fmt::format("{:#x}", features.word(0));
  return fmt::format("{:#x}{:016x}", features.word(1), features.word(0));
}

Result<FeatureSet> ParseFeaturesText(std::string_view text) {
  if (text.size() <= 18) {
    VITRO_ASSIGN(uint64_t low, ParseNumber(text));
    return FeatureSet::FromWords(low, 0);
  }
  VITRO_ASSIGN(uint64_t high, ParseNumber(text.substr(0, text.size() - 16)));
  const std::string low_text = "0x" + std::string(text.substr(text.size() - 16));
  VITRO_ASSIGN(uint64_t low, ParseNumber(low_text));
  return FeatureSet::FromWords(low, high);
}

Result<uint64_t> ParseNumber(std::string_view text, uint64_t max) {
  const bool hex = text.starts_with("0x");
  const std::string_view digits = hex ? text.substr(2) : text;
  uint64_t value = 0;
  auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, hex ? 16 : 10);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size())
    return Fail(ErrorKind::kUsage, "'{}' is not a number", text);
  if (value > max) return Fail(ErrorKind::kUsage, "{} is more than {}", text, max);
  return value;
}

Result<Operation> ParseOperation(std::string_view line) {
  VITRO_ASSIGN(auto split, SplitLine(line));
  std::optional<Operation> operation = Named(split.first);
  if (!operation) return Fail(ErrorKind::kUsage, "unknown operation '{}'", split.first);
  Setter setter(std::move(split.second));
  std::visit([&](auto& each) { each.Fields(setter); }, *operation);
  if (std::string problem = setter.Problem(); !problem.empty())
    return Fail(ErrorKind::kUsage, "{}: {}", split.first, problem);
  return *std::move(operation);
}

std::string ToText(const Program& program) {
  std::string text = "vitro-program 1\n";
  if (!program.check.empty()) text += fmt::format("check {}\n", program.check);
  text += fmt::format("seed {}\n", program.seed);
  for (const Operation& operation : program.operations) text += ToText(operation) + "\n";
  return text;
}

Result<Program> ParseProgram(std::string_view text) {
  Program program;
  bool headed = false;
  for (int number = 1; !text.empty(); ++number) {
    const size_t newline = text.find('\n');
    std::string_view line = text.substr(0, newline);
    text = newline == std::string_view::npos ? std::string_view() : text.substr(newline + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line[0] == '#') continue;
    if (!headed) {
      if (line != "vitro-program 1")
        return Fail(ErrorKind::kUsage, "line {}: expected 'vitro-program 1', found '{}'", number,
                    line);
      headed = true;
    } else if (line.starts_with("check ")) {
      program.check = line.substr(6);
    } else if (line.starts_with("seed ")) {
      auto seed = ParseNumber(line.substr(5));
      if (!seed) return Fail(ErrorKind::kUsage, "line {}: {}", number, seed.error().message);
      program.seed = *seed;
    } else {
      auto operation = ParseOperation(line);
      if (!operation)
        return Fail(ErrorKind::kUsage, "line {}: {}", number, operation.error().message);
      program.operations.push_back(*std::move(operation));
    }
  }
  if (!headed)
    return Fail(ErrorKind::kUsage, "an empty text is not a program: expected 'vitro-program 1'");
  return program;
}

}  // namespace vitro
