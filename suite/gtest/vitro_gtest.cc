// SPDX-License-Identifier: Apache-2.0
#include "suite/gtest/vitro_gtest.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <set>

#include "harness/attach/attach.h"
#include "suite/checks/check.h"
#include "suite/gtest/message.h"
#include "suite/profile/built_in.h"
#include "suite/run/isolated_check.h"
#include "suite/run/probe.h"
#include "suite/run/select.h"

namespace vitro {
namespace {

// A name that GoogleTest's filters can name: '-', '.', ':', '*' and '?' mean something there.
std::string LegalName(std::string_view text) {
  std::string name;
  for (char c : text) name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
}

bool InProcess() {
  const char* value = std::getenv("VITRO_IN_PROCESS");
  return value != nullptr && std::string_view(value) != "" && std::string_view(value) != "0";
}

std::filesystem::path OutDirectory() {
  // The second is where Bazel and its like collect what tests leave.
  for (const char* variable : {"VITRO_OUT", "TEST_UNDECLARED_OUTPUTS_DIR"})
    if (const char* value = std::getenv(variable); value != nullptr && *value != '\0') return value;
  return std::filesystem::path(testing::TempDir()) / fmt::format("vitro-{}", ::getuid());
}

std::string ThisProgram() {
  std::error_code error;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "this program" : path.string();
}

// One device as all its tests share it.
class Subject {
 public:
  Subject(const ConformanceTests& tests, std::source_location where)
      : tests_(tests), where_(where) {
    if (tests.device != nullptr) {
      attachment_ = OpenDeviceOps(tests.device, tests.options);
    } else if (tests.attach.empty()) {
      problem_ = "neither a device nor an attach string was given to RegisterConformanceTests()";
    } else if (auto opened = OpenAttachment(tests.attach)) {
      attachment_ = *std::move(opened);
    } else {
      problem_ = opened.error().message;
    }
    std::string name = tests.name;
    if (name.empty() && attachment_) name = attachment_->string().where;
    suite_ = UniqueSuite("Vitro/" + (name.empty() ? "device" : LegalName(name)));
    if (problem_.empty() && !tests.profile.empty()) {
      auto profile = OpenProfile(tests.profile);
      if (profile)
        profile_ = *std::move(profile);
      else
        problem_ = profile.error().message;
    }
    if (!problem_.empty()) return;
    auto selected = SelectChecks({tests.select, tests.exclude});
    if (selected) {
      checks_ = *std::move(selected);
      // What is about registers of another level than this device's is left out.
      auto level = attachment_->string().options.find("level");
      const std::string own = level == attachment_->string().options.end() ? "" : level->second;
      std::erase_if(checks_, [&](const Check* check) {
        return check->level() != "core" && check->level() != own;
      });
    } else
      problem_ = selected.error().message;
  }

  const ConformanceTests& tests() const { return tests_; }
  const std::string& suite() const { return suite_; }
  const std::vector<const Check*>& checks() const { return checks_; }
  Attachment& attachment() { return *attachment_; }
  const std::source_location& where() const { return where_; }

  // Looks at the device when asked first; nullptr if that was not possible: problem() says why.
  const Probed* probed() {
    if (!probed_ && problem_.empty()) {
      auto probed =
          Probe(*attachment_, {.limit = tests_.limit, .profile = profile_ ? &*profile_ : nullptr});
      if (probed)
        probed_ = *std::move(probed);
      else
        problem_ = probed.error().message;
    }
    return probed_ ? &*probed_ : nullptr;
  }
  // For the one test of this process that has to fail over it, in each repetition the same.
  const std::string& problem() const { return problem_; }
  bool Owns(const std::string& test) {
    if (owner_.empty()) owner_ = test;
    return owner_ == test;
  }
  const std::string& owner() const { return owner_; }

  RunOptions run_options() const { return {.seed = tests_.seed, .response = tests_.response}; }

 private:
  static std::string UniqueSuite(const std::string& wanted) {
    static std::set<std::string> taken;
    std::string name = wanted;
    for (int i = 2; !taken.insert(name).second; ++i) name = fmt::format("{}_{}", wanted, i);
    return name;
  }

  ConformanceTests tests_;
  std::source_location where_;
  std::unique_ptr<Attachment> attachment_;
  std::string suite_;
  std::vector<const Check*> checks_;
  std::optional<Profile> profile_;
  std::optional<Probed> probed_;
  std::string problem_;
  std::string owner_;
};

// What all tests have in common. GoogleTest wants one class for all tests of a suite.
class ConformanceTest : public testing::Test {
 public:
  ConformanceTest(std::shared_ptr<Subject> subject, const Check* check)
      : subject_(std::move(subject)), check_(check) {}

  void TestBody() override {
    const Probed* probed = subject_->probed();
    const std::string name = check_ != nullptr ? LegalName(check_->id) : "probe";
    if (probed == nullptr) {
      if (!subject_->Owns(name))
        GTEST_SKIP() << "the device could not be looked at: see " << subject_->suite() << "."
                     << subject_->owner();
      Fail("the device could not be tested: " + subject_->problem() + "\n" +
           AgainText(ThisProgram(), subject_->suite() + "." + name));
      return;
    }
    if (check_ == nullptr) {
      fmt::print("{}", DescribeDevice(*probed));
      return;
    }
    RecordProperty("title", check_->title);
    if (!check_->requirements.empty()) RecordProperty("requirement", check_->requirements.front());
    if (auto why = WhyInapplicable(*check_, probed->facts, probed->abilities)) {
      Skip(why->observable ? Outcome::kNotApplicable : Outcome::kNotObservable, why->why);
      return;
    }
    Judge(Run(*probed));
  }

 private:
  CheckResult Run(const Probed& probed) {
    if (InProcess())
      return RunCheck(*check_, subject_->attachment(), probed.facts, subject_->run_options());
    auto job = StartCheck(*check_, subject_->attachment(), probed.facts, subject_->run_options(),
                          subject_->tests().limit);
    if (job) return ResultOf(check_->id, subject_->tests().seed, (*job)->Wait());
    CheckResult result;
    result.id = check_->id;
    result.because = job.error().message;
    return result;
  }

  void Judge(const CheckResult& result) {
    switch (result.outcome) {
      case Outcome::kNotApplicable:
      case Outcome::kNotObservable:
        Skip(result.outcome, result.because);
        return;
      default:
        RecordProperty("outcome", Name(result.outcome));
        break;
    }
    const bool warning = result.outcome == Outcome::kWarn;
    if (result.outcome == Outcome::kPass) return;
    const std::string filter = subject_->suite() + "." + LegalName(check_->id);
    if (result.outcome == Outcome::kInfo || (warning && !subject_->tests().strict)) {
      fmt::print("{}", DescribeFindings(result));
      return;
    }
    Fail(DescribeFailure(*check_, result, Save(result)) + AgainText(ThisProgram(), filter));
  }

  void Skip(Outcome outcome, const std::string& why) {
    RecordProperty("outcome", Name(outcome));
    GTEST_SKIP() << Name(outcome) << ": " << why;
  }

  void Fail(const std::string& message) {
    ADD_FAILURE_AT(subject_->where().file_name(), static_cast<int>(subject_->where().line()))
        << message;
  }

  // The program as a file; its path, or why there is none.
  std::string Save(const CheckResult& result) {
    if (result.program.empty()) return "";
    const auto directory = OutDirectory();
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    const auto path = directory / (LegalName(subject_->suite().substr(sizeof "Vitro")) + "." +
                                   result.id + ".vitro");
    std::ofstream file(path);
    file << result.program;
    file.close();
    return file ? path.string() : fmt::format("{} cannot be written", path.string());
  }

  std::shared_ptr<Subject> subject_;
  const Check* check_;
};

void Register(const std::shared_ptr<Subject>& subject, const Check* check) {
  const std::string name = check != nullptr ? LegalName(check->id) : "probe";
  testing::RegisterTest(subject->suite().c_str(), name.c_str(), nullptr, nullptr,
                        subject->where().file_name(), static_cast<int>(subject->where().line()),
                        [subject, check] { return new ConformanceTest(subject, check); });
}

}  // namespace

void RegisterConformanceTests(const ConformanceTests& tests, std::source_location where) {
  auto subject = std::make_shared<Subject>(tests, where);
  Register(subject, nullptr);
  for (const Check* check : subject->checks()) Register(subject, check);
}

}  // namespace vitro
