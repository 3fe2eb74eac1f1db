// SPDX-License-Identifier: Apache-2.0
#include "harness/program/operation.h"

#include <algorithm>

#include "harness/program/text.h"

namespace vitro {
namespace {

constexpr size_t kShownBytes = 24;

// Prints the fields of one operation that differ from their defaults.
class Printer {
 public:
  explicit Printer(bool shorten) : shorten_(shorten) {}
  template <typename T>
  void Print(const T& operation) {
    text_ = T::kName;
    T copy = operation, defaults;
    // Fields() visits in the same order, so defaults are met one by one.
    std::vector<std::string> default_texts;
    auto collect = [&](const char*, const auto& value) { default_texts.push_back(Text(value)); };
    defaults.Fields(collect);
    size_t i = 0;
    auto print = [&](const char* name, const auto& value) {
      std::string shown = Text(value);
      if (shown != default_texts[i++]) text_ += fmt::format(" {}={}", name, shown);
    };
    copy.Fields(print);
  }
  std::string Take() { return std::move(text_); }

 private:
  std::string Text(const Bytes& bytes) const {
    if (!shorten_ || bytes.size() <= kShownBytes) return ToHex(bytes);
    return fmt::format("{}..({} bytes)", ToHex(ByteView(bytes).first(kShownBytes)), bytes.size());
  }
  std::string Text(const std::string& string) const { return QuoteText(string); }
  std::string Text(const FeatureSet& set) const { return FeaturesText(set); }
  std::string Text(const std::vector<op::Segment>& segments) const {
    std::string text;
    const size_t shown = shorten_ ? std::min<size_t>(segments.size(), 12) : segments.size();
    for (size_t i = 0; i < shown; ++i)
      text += fmt::format("{}{}:{:#x}+{}", i ? "," : "", segments[i].writable ? 'w' : 'r',
                          segments[i].address, segments[i].length);
    if (shown < segments.size()) text += fmt::format(",..({} segments)", segments.size());
    return text;
  }
  std::string Text(const std::vector<uint64_t>& values) const {
    std::string text;
    for (uint64_t value : values) text += fmt::format("{}{:#x}", text.empty() ? "" : ",", value);
    return text;
  }
  template <typename T>
  requires std::is_unsigned_v<T> std::string Text(T value)
  const { return value < 10 ? fmt::format("{}", value) : fmt::format("{:#x}", value); }

  bool shorten_;
  std::string text_;
};

uint64_t Selected(const op::Expect& expect, const Observation& observed) {
  if (expect.what == "len") return observed.used_len;
  if (expect.what == "id") return observed.used_id;
  return observed.value;
}

}  // namespace

std::string ToText(const Operation& operation, bool shorten) {
  Printer printer(shorten);
  std::visit([&](const auto& each) { printer.Print(each); }, operation);
  return printer.Take();
}

bool Accepts(const op::Expect& expect, const Observation& observed) {
  if (expect.kind == "refused") return observed.refused;
  if (observed.refused) return false;
  if (expect.kind == "answered") return true;
  if (expect.kind == "bytes") return observed.bytes == expect.bytes;
  const uint64_t value = Selected(expect, observed);
  const auto& values = expect.values;
  const bool listed = std::find(values.begin(), values.end(), value) != values.end();
  if (expect.kind == "in") return listed;
  if (expect.kind == "not-in") return !listed;
  if (values.size() != 2) return false;
  if (expect.kind == "range") return value >= values[0] && value <= values[1];
  return expect.kind == "mask" && (value & values[0]) == values[1];
}

std::string DescribeAccepted(const op::Expect& expect) {
  if (expect.kind == "refused" || expect.kind == "answered") return expect.kind;
  if (expect.kind == "bytes")
    return fmt::format(
        "bytes = {}{}",
        ToHex(ByteView(expect.bytes).first(std::min<size_t>(expect.bytes.size(), 64))),
        expect.bytes.size() > 64 ? ".." : "");
  std::string list;
  for (uint64_t value : expect.values)
    list += fmt::format("{}{:#x}", list.empty() ? "" : ", ", value);
  if (expect.kind == "in") return fmt::format("{} = {}", expect.what, list);
  if (expect.kind == "not-in") return fmt::format("{} other than {}", expect.what, list);
  if (expect.values.size() != 2) return expect.kind;
  if (expect.kind == "range")
    return fmt::format("{} from {} to {}", expect.what, expect.values[0], expect.values[1]);
  return fmt::format("{} & {:#x} = {:#x}", expect.what, expect.values[0], expect.values[1]);
}

std::string DescribeObserved(const op::Expect& expect, const Observation& observed) {
  if (observed.refused) return "refused";
  if (expect.kind == "refused") return fmt::format("answered: {:#x}", observed.value);
  if (expect.kind != "bytes")
    return fmt::format("{} = {:#x}", expect.what, Selected(expect, observed));
  std::string shown =
      ToHex(ByteView(observed.bytes).first(std::min<size_t>(observed.bytes.size(), 64)));
  auto differs = std::mismatch(observed.bytes.begin(), observed.bytes.end(), expect.bytes.begin(),
                               expect.bytes.end());
  return fmt::format("bytes = {}{} (first difference at byte {})", shown,
                     observed.bytes.size() > 64 ? ".." : "",
                     differs.first - observed.bytes.begin());
}

}  // namespace vitro
