// SPDX-License-Identifier: Apache-2.0
// Reading: bytes to parts. What the parts mean is in fold.cc.
#include "reports/record.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "reports/fold.h"
#include "reports/shape.h"
#include "reports/text.h"

namespace vitro::reports {
namespace {

constexpr int kFormat = 1;  // of run.json; another number is another shape

Result<Json> ConformResult(const Json& in, const std::string& where,
                           std::set<std::string>* unknown) {
  VITRO_ASSIGN(Json result, Conform(in, kResultShape, where, unknown));
  if (!ParseOutcome(result["outcome"].get_ref<const std::string&>())) {
    return Fail(ErrorKind::kUsage, "{}.outcome is \"{}\", which is no outcome word", where,
                OneLine(result["outcome"].get_ref<const std::string&>()));
  }
  for (const Json& finding : result["findings"]) {
    const auto& severity = finding["severity"].get_ref<const std::string&>();
    if (severity == "fail" || severity == "warn" || severity == "info") continue;
    return Fail(ErrorKind::kUsage, "{}.findings.severity is \"{}\", expected fail, warn or info",
                where, OneLine(severity));
  }
  return result;
}

Result<Json> ConformCatalogue(const Json& rows, const std::string& where,
                              std::set<std::string>* unknown) {
  if (!rows.is_array()) {
    return Fail(ErrorKind::kUsage, "{} is {}, expected a list", where, rows.type_name());
  }
  Json out = Json::array();
  std::set<std::string> ids;
  for (const Json& row : rows) {
    VITRO_ASSIGN(Json requirement, Conform(row, kRequirementShape, where, unknown));
    if (!ids.insert(requirement["id"].get<std::string>()).second) {
      return Fail(ErrorKind::kUsage, "{}: requirement {} is there twice", where,
                  OneLine(requirement["id"].get_ref<const std::string&>()));
    }
    out.push_back(std::move(requirement));
  }
  return out;
}

// Folds line by line.
class StreamReader {
 public:
  // `number` counts from 1.
  Result<> Line(std::string_view text, size_t number, bool last) {
    int replaced = 0;
    const std::string utf8 = ToUtf8(text, &replaced);
    const Json line = Json::parse(utf8, nullptr, /*allow_exceptions=*/false);
    if (line.is_discarded()) {
      if (!last || !has_begin_) return Broken(number, "is not JSON");
      parts_.notes.push_back(
          fmt::format("Line {}, the last, was cut off in writing and is left out.", number));
      return {};
    }
    if (replaced > 0) {
      parts_.notes.push_back(
          fmt::format("Line {}: {} not in UTF-8, replaced.", number, Count(replaced, "byte")));
    }
    if (!line.is_object() || !line.contains("kind") || !line["kind"].is_string()) {
      return Broken(number, "has no \"kind\"");
    }
    return Take(line, line["kind"].get<std::string>(), number);
  }

  Result<RunParts> Finish() {
    if (!has_begin_) return Fail(ErrorKind::kUsage, "the run record is empty: no \"begin\" line");
    if (parts_.end.is_null()) {
      parts_.notes.push_back("The record has no \"end\" line: the run was cut off.");
    }
    for (const std::string& name : unknown_) {
      parts_.notes.push_back(fmt::format("Unknown field {} is left out.", OneLine(name)));
    }
    return std::move(parts_);
  }

 private:
  static tl::unexpected<Error> Broken(size_t number, std::string_view what) {
    return Fail(ErrorKind::kUsage, "run record, line {}: {}", number, what);
  }

  Result<> Take(const Json& line, const std::string& kind, size_t number) {
    if (!has_begin_ && kind != "begin") return Broken(number, "comes before \"begin\"");
    if (!parts_.end.is_null()) return Broken(number, "comes after \"end\"");
    Result<Json> taken = Json(nullptr);
    if (kind == "begin") {
      if (has_begin_) return Broken(number, "a second \"begin\": two runs in one file");
      taken = Conform(line, kBeginShape, kind, &unknown_);
      if (taken) parts_.begin = *std::move(taken);
      has_begin_ = true;
    } else if (kind == "catalogue") {
      taken = ConformCatalogue(line.value("requirements", Json()), kind, &unknown_);
      if (taken) parts_.catalogue = *std::move(taken);
    } else if (kind == "result") {
      taken = ConformResult(line, kind, &unknown_);
      if (taken) parts_.results.push_back(*std::move(taken));
    } else if (kind == "end") {
      taken = Conform(line, kEndShape, kind, &unknown_);
      if (taken) parts_.end = *std::move(taken);
    } else {
      unknown_.insert(kind);
    }
    if (!taken) return Broken(number, taken.error().message);
    return {};
  }

  RunParts parts_;
  std::set<std::string> unknown_;
  bool has_begin_ = false;
};

// A run.json back into its parts, and judged again.
Result<Json> Refold(const Json& file) {
  if (!file.is_object() || file.value("format", Json()) != kFormat) {
    return Fail(ErrorKind::kUsage, "not a run.json of format {}", kFormat);
  }
  std::set<std::string> unknown;
  RunParts parts;
  VITRO_ASSIGN(parts.begin, Conform(file, kBeginShape, "run", nullptr));
  const Json invocation = file["invocation"];
  // run.json has null for the code of a run without an end; a real end always has one.
  if (invocation.value("end", Json()).is_string() ||
      !invocation.value("exit_code", Json()).is_null()) {
    VITRO_ASSIGN(parts.end, Conform(invocation, kEndShape, "run.invocation", nullptr));
  }
  VITRO_ASSIGN(parts.catalogue,
               ConformCatalogue(file.value("coverage", Json()), "run.coverage", nullptr));
  const Json results = file.value("results", Json());
  if (!results.is_array()) return Fail(ErrorKind::kUsage, "run.results is not a list");
  for (const Json& in : results) {
    VITRO_ASSIGN(Json result, ConformResult(in, "run.results", nullptr));
    parts.results.push_back(std::move(result));
  }
  // The notes of the first fold stay; those that folding finds again are not repeated.
  const Json notes = file.value("notes", Json::array());
  Json run = Assemble(std::move(parts));
  const bool differs = run["totals"] != file.value("totals", Json());
  Json all = Json::array();
  std::set<std::string> seen;
  const auto add = [&](const Json& list) {
    for (const Json& note : list) {
      if (note.is_string() && seen.insert(note.get<std::string>()).second) all.push_back(note);
    }
  };
  if (notes.is_array()) add(notes);
  add(run["notes"]);
  if (differs) add({"The file's totals did not match its results; they are computed again."});
  run["notes"] = std::move(all);
  return run;
}

Result<std::string> ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return Fail(ErrorKind::kUsage, "cannot open {}: {}", path, std::strerror(errno));
  std::ostringstream text;
  text << in.rdbuf();
  if (in.bad()) return Fail(ErrorKind::kUsage, "cannot read {}: {}", path, std::strerror(errno));
  return std::move(text).str();
}

}  // namespace

std::string RecordLine(const Json& line) {
  return line.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace) + "\n";
}

Result<Json> FoldRun(std::string_view jsonl) {
  StreamReader reader;
  size_t number = 0;
  const std::vector<std::string_view> lines = Lines(jsonl);
  size_t last = lines.size();
  const auto blank = [](std::string_view line) {
    return line.find_first_not_of(" \t\r") == std::string_view::npos;
  };
  while (last > 0 && blank(lines[last - 1])) --last;
  for (std::string_view line : lines) {
    ++number;
    if (!blank(line)) VITRO_TRY(reader.Line(line, number, number == last));
  }
  VITRO_ASSIGN(RunParts parts, reader.Finish());
  return Assemble(std::move(parts));
}

Result<Json> LoadRun(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  std::string file = path;
  if (fs::is_directory(path, ignored)) {
    const fs::path stream = fs::path(path) / "run.jsonl";
    const fs::path fold = fs::path(path) / "run.json";
    if (!fs::exists(stream, ignored) && !fs::exists(fold, ignored)) {
      return Fail(ErrorKind::kUsage, "{} holds neither run.jsonl nor run.json", path);
    }
    file = fs::exists(stream, ignored) ? stream.string() : fold.string();
  }
  VITRO_ASSIGN(const std::string text, ReadFile(file));
  // A fold is one JSON value with "results"; a stream of one line is not.
  const Json whole = Json::parse(ToUtf8(text), nullptr, /*allow_exceptions=*/false);
  Result<Json> run = whole.is_object() && whole.contains("results") ? Refold(whole) : FoldRun(text);
  if (!run) return Fail(run.error().kind, "{}: {}", file, run.error().message);
  return run;
}

int ExitCode(const Json& run) { return run.at("totals").at("exit_code").get<int>(); }

std::string Verdict(const Json& run) { return run.at("totals").at("verdict").get<std::string>(); }

std::string VerdictSentence(const Json& run) {
  const Json& totals = run.at("totals");
  std::string counts;
  for (const OutcomeWord& word : kOutcomes) {
    const int64_t n = totals.at("by_outcome").at(std::string(word.word)).get<int64_t>();
    if (n != 0) counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", n, word.word);
  }
  if (counts.empty()) counts = "no results";
  return fmt::format("{}: {}", Verdict(run), counts);
}

bool IsFailure(const Json& run, const Json& result) {
  const Outcome outcome = OutcomeOf(result);
  return IsViolation(outcome) ||
         (outcome == Outcome::kWarn && run.at("invocation").at("strict").get<bool>());
}

Outcome OutcomeOf(const Json& result) {
  const auto it = result.find("outcome");
  if (it == result.end() || !it->is_string()) return Outcome::kHarnessError;
  return ParseOutcome(it->get_ref<const std::string&>()).value_or(Outcome::kHarnessError);
}

}  // namespace vitro::reports
