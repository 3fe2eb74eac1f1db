// SPDX-License-Identifier: Apache-2.0
// What it costs to find the sets of feature bits that are tried: to walk through valid sets, and to
// make covering arrays. The row counts are in the counter `rows`.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "suite/combinations/covering_array.h"
#include "suite/combinations/test_models.h"

namespace vitro {
namespace {

FeatureSpace Free(unsigned bits) {
  FeatureSet offered;
  for (unsigned bit = 0; bit < bits; ++bit) offered.Add(bit);
  return FeatureSpace(offered, {}, {});
}

// No bit is without a rule: each excludes the next.
FeatureSpace Chain(unsigned bits) {
  FeatureSet offered = {0};
  std::vector<FeatureRule> rules;
  for (unsigned bit = 1; bit < bits; ++bit) {
    offered.Add(bit);
    rules.push_back({{bit - 1, bit}, {}});
  }
  return FeatureSpace(offered, {}, rules);
}

void Next(benchmark::State& state, const FeatureSpace& space) {
  std::optional<FeatureSet> set;
  for (auto _ : state) {
    set = set ? space.Next(*set) : space.At(0);
    benchmark::DoNotOptimize(set);
  }
}

void At(benchmark::State& state, const FeatureSpace& space) {
  const uint64_t count = space.Count().value();
  uint64_t n = 0;
  for (auto _ : state) benchmark::DoNotOptimize(space.At(n = (n + 0x9e3779b97f4a7c15) % count));
}

void Array(benchmark::State& state, const RowSpace& space, unsigned strength) {
  size_t rows = 0;
  for (auto _ : state) {
    const auto made = Cover(space, strength);
    if (!made) std::exit(1);
    rows = made->size();
  }
  state.counters["rows"] = static_cast<double>(rows);
}

RowSpace Mixed(const std::vector<std::pair<unsigned, unsigned>>& groups) {
  Model model;
  for (const auto& [values, parameters] : groups)
    model.values.insert(model.values.end(), parameters, values);
  return RowSpace(std::move(model));
}

template <typename... Args>
void Register(const std::string& name, Args&&... args) {
  benchmark::RegisterBenchmark(name.c_str(), std::forward<Args>(args)...);
}

void RegisterArrays() {
  const auto add = [](const std::string& name, const RowSpace& space, unsigned strength) {
    Register("cover/" + std::to_string(strength) + "/" + name, Array, space, strength);
  };
  for (unsigned strength : {2, 3, 4}) add("net, 32 bits", NetSpace32().rows(), strength);
  for (unsigned strength : {2, 3}) add("net, 42 bits", NetSpace().rows(), strength);
  for (unsigned strength : {2, 3}) add("2^32", Mixed({{2, 32}}), strength);
  add("3^4", Mixed({{3, 4}}), 2);
  add("3^13", Mixed({{3, 13}}), 2);
  add("4^15 3^17 2^29", Mixed({{4, 15}, {3, 17}, {2, 29}}), 2);
  add("4^1 3^39 2^35", Mixed({{4, 1}, {3, 39}, {2, 35}}), 2);
  add("2^100", Mixed({{2, 100}}), 2);
  add("10^20", Mixed({{10, 20}}), 2);
  add("TCAS", Mixed({{10, 2}, {4, 1}, {3, 2}, {2, 7}}), 3);
}

void RegisterAll() {
  Register("next/2^24", Next, Free(24));
  Register("next/net, 42 bits", Next, NetSpace());
  Register("next/net, 32 bits", Next, NetSpace32());
  Register("next/chain of 30", Next, Chain(30));
  Register("at/2^24", At, Free(24));
  Register("at/net, 32 bits", At, NetSpace32());
  RegisterArrays();
}

}  // namespace
}  // namespace vitro

int main(int argc, char** argv) {
  vitro::RegisterAll();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
