// Predicates three ways: machine code of the JIT, the interpreter, and the same written in C++ at -O2. Prints ns for
// each call over mixed facts, and ms to compile policies of several sizes. How to run it: bench/README.md.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/jit/jit.h"
#include "compiler/model/interpret.h"
#include "tests/oracle/expr_builder.h"

namespace {

using namespace tests::oracle;
using compiler::abi::ErrorKind;
using compiler::abi::Facts;
using compiler::abi::FamilyId;
using compiler::abi::FieldId;
using compiler::abi::Method;
using compiler::abi::Predicate;
using compiler::abi::PredicateId;
using compiler::abi::Str;

// CPU time of this process, in seconds: other work on the machine disturbs it least.
double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

constexpr size_t kFacts = 1024;
constexpr int kRounds = 2000;  // over all facts, for one sample
constexpr int kSamples = 7;

SetMember Status(int64_t low, int64_t high) { return {Integer(BaseType::kStatus, low), high}; }
Literal ErrorLiteral(ErrorKind kind) { return Integer(BaseType::kError, static_cast<int64_t>(kind)); }

// status in 5xx or error in {connect_failure, refused}
Expr RetryRule() {
  return Condition(ExprKind::kOr, {In(Field(FieldId::k_status), {Status(500, 599)}),
                                   In(Field(FieldId::k_error), {{ErrorLiteral(ErrorKind::k_connect_failure), 0},
                                                                {ErrorLiteral(ErrorKind::k_refused), 0}})});
}
int32_t RetryRuleInCpp(const void*, const Facts* facts) noexcept {
  return (facts->status >= 500 && facts->status <= 599) ||
         facts->error == static_cast<int32_t>(ErrorKind::k_connect_failure) ||
         facts->error == static_cast<int32_t>(ErrorKind::k_refused);
}

// request.path starts_with "/api/" and request.header["X-Tenant"] == "team-alpha"
Expr RouteRule() {
  return Condition(ExprKind::kAnd,
                   {TestText(Field(FieldId::k_request_path), StringTest::kStartsWith, OfLiteral(Text("/api/"))),
                    Compare(Slot(FamilyId::k_request_header, 0), CompareOp::kEq, OfLiteral(Text("team-alpha")))});
}
int32_t RouteRuleInCpp(const void*, const Facts* facts) noexcept {
  return facts->request_path.view().starts_with("/api/") && facts->request_header[0].has_value() &&
         facts->request_header[0].view() == "team-alpha";
}

// Both of the above, and a method, a number and two more texts: seven leaves.
Expr LongRule() {
  return Condition(
      ExprKind::kOr,
      {Condition(
           ExprKind::kAnd,
           {Compare(Field(FieldId::k_request_method), CompareOp::kEq,
                    OfLiteral(Integer(BaseType::kMethod, static_cast<int64_t>(Method::kPOST)))),
            RouteRule(), Compare(Field(FieldId::k_attempt), CompareOp::kLt, OfLiteral(Integer(BaseType::kInt, 3)))}),
       RetryRule(), TestText(Field(FieldId::k_request_path), StringTest::kEndsWith, OfLiteral(Text("/completions")))});
}
int32_t LongRuleInCpp(const void* self, const Facts* facts) noexcept {
  return (facts->request_method == static_cast<int32_t>(Method::kPOST) && RouteRuleInCpp(self, facts) != 0 &&
          facts->attempt < 3) ||
         RetryRuleInCpp(self, facts) != 0 || facts->request_path.view().ends_with("/completions");
}

struct World {
  std::vector<std::string> paths = {"/api/chat", "/api/generate", "/v1/chat/completions", "/health", "/api/tags"};
  std::vector<Str> headers = {Str{}, Str::Of("team-alpha"), Str::Of("team-omega"), Str::Of("t")};
  std::vector<Facts> facts;

  World() {
    uint32_t state = 1;
    const auto below = [&state](size_t bound) {
      state = state * 1664525u + 1013904223u;
      return static_cast<size_t>(state >> 8) % bound;
    };
    const int64_t statuses[] = {200, 200, 404, 429, 500, 503, compiler::abi::kAbsentInt};
    for (size_t i = 0; i < kFacts; ++i) {
      Facts one;
      one.request_path = Str::Of(paths[below(paths.size())]);
      one.request_header = &headers[below(headers.size())];
      one.request_method = static_cast<int32_t>(1 + below(3));
      one.attempt = static_cast<int64_t>(1 + below(4));
      one.status = statuses[below(7)];
      one.error = one.status == compiler::abi::kAbsentInt ? static_cast<int32_t>(1 + below(6)) : 0;
      facts.push_back(one);
    }
  }
};

// The best of several samples: what the machine can do when nothing else runs.
double NanosecondsPerCall(const Predicate& predicate, const World& world, int64_t* hits) {
  double best = 1e9;
  for (int sample = 0; sample < kSamples; ++sample) {
    *hits = 0;
    const double start = CpuSeconds();
    for (int round = 0; round < kRounds; ++round) {
      for (const Facts& facts : world.facts) *hits += predicate.function(predicate.self, &facts);
    }
    best = std::min(best, (CpuSeconds() - start) * 1e9 / (static_cast<double>(kRounds) * kFacts));
  }
  return best;
}

int Measure() {
  const auto policy = PolicyOf({RetryRule(), RouteRule(), LongRule()});
  const compiler::jit::JitResult jit = compiler::jit::CompilePredicates(policy);
  if (jit.code == nullptr) {
    std::fprintf(stderr, "%s\n", jit.error.c_str());
    return 1;
  }
  const auto interpreted = compiler::model::InterpretedPredicates(policy);
  const Predicate in_cpp[] = {{&RetryRuleInCpp, nullptr}, {&RouteRuleInCpp, nullptr}, {&LongRuleInCpp, nullptr}};
  const char* names[] = {"retry rule (2 sets)", "route rule (2 texts)", "long rule (7 leaves)"};
  const World world;

  std::printf("| ns per call | JIT | interpreter | C++ -O2 |\n|---|---|---|---|\n");
  for (int32_t i = 0; i < 3; ++i) {
    const PredicateId id(i);
    int64_t jit_hits = 0;
    int64_t interpreter_hits = 0;
    int64_t cpp_hits = 0;
    const double jit_ns = NanosecondsPerCall(jit.predicates.At(id), world, &jit_hits);
    const double interpreter_ns = NanosecondsPerCall(interpreted.At(id), world, &interpreter_hits);
    const double cpp_ns = NanosecondsPerCall(in_cpp[i], world, &cpp_hits);
    if (jit_hits != interpreter_hits || jit_hits != cpp_hits) {
      std::fprintf(stderr, "the three disagree on the %s\n", names[i]);
      return 1;
    }
    std::printf("| %s | %.1f | %.1f | %.1f |\n", names[i], jit_ns, interpreter_ns, cpp_ns);
  }

  std::printf("\n| predicates (of 8 leaves, all different) | compile, ms | ms each |\n|---|---|---|\n");
  for (int count : {1, 10, 100, 256, 257, 1000, 10000}) {
    std::vector<Expr> predicates;
    for (int i = 0; i < count; ++i) {
      predicates.push_back(
          Condition(ExprKind::kAnd, {LongRule(), Compare(Field(FieldId::k_request_host), CompareOp::kNe,
                                                         OfLiteral(Text("h" + std::to_string(i))))}));
    }
    const auto many = PolicyOf(std::move(predicates));
    double best = 1e9;
    for (int sample = 0; sample < (count > 1000 ? 1 : 3); ++sample) {
      const double start = CpuSeconds();
      const compiler::jit::JitResult result = compiler::jit::CompilePredicates(many);
      const double taken = (CpuSeconds() - start) * 1e3;
      if (result.code == nullptr) {
        std::fprintf(stderr, "%s\n", result.error.c_str());
        return 1;
      }
      best = std::min(best, taken);
    }
    std::printf("| %d | %.1f | %.2f |\n", count, best, best / count);
  }
  return 0;
}

}  // namespace

int main() { return Measure(); }
