// Any bytes as a policy: no crash, a policy or an error and never both, findings that lie in the text, and predicates and templates
// that can be asked whatever they are.
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/compile.h"
#include "compiler/diagnostics/render.h"
#include "compiler/model/interpret.h"
#include "compiler/model/print.h"
#include "compiler/model/template.h"
#include "compiler/source/source_buffer.h"

namespace {

using compiler::abi::Facts;
using compiler::abi::JsonValue;
using compiler::abi::Str;

void Require(bool holds) {
  if (!holds) std::abort();
}

// Facts of a request that says nothing, with a slot for each key that the policy reads.
struct EmptyRequest {
  explicit EmptyRequest(const compiler::model::Policy& policy) {
    const size_t most = policy.slots.request_headers.size() + policy.slots.request_queries.size() +
                        policy.slots.request_json.size() + policy.slots.response_headers.size() + 1;
    texts.resize(most);
    jsons.resize(most);
    counts.resize(4096);  // more windows than a file of the fuzzer has
#define FACT_FAMILY(language_name, member, Base, optional, phase, doc) Point(facts.member);
#include "compiler/abi/fact_fields.def"
#undef FACT_FAMILY
    facts.window = counts.data();
  }
  void Point(const Str*& slots) { slots = texts.data(); }
  void Point(const JsonValue*& slots) { slots = jsons.data(); }

  Facts facts;
  std::vector<Str> texts;
  std::vector<JsonValue> jsons;
  std::vector<int64_t> counts;
};

void Use(const compiler::model::Policy& policy) {
  const EmptyRequest request(policy);
  for (const auto& predicate : policy.predicates) compiler::model::Interpret(predicate.expr, request.facts);
  std::string text;
  for (const auto& cache : policy.caches) compiler::model::Render(cache.key, request.facts, &text);
  for (const auto& reply : policy.replies) text += compiler::model::Resolve(reply.body, request.facts).text;
  for (const auto& upstream : policy.upstreams) {
    if (upstream.rewrite) compiler::model::Render(*upstream.rewrite, request.facts, &text);
  }
  text += compiler::model::Print(policy);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  compiler::CompileOptions options;
  options.environment = [](const std::string&) -> std::optional<std::string> { return std::nullopt; };
  compiler::diagnostics::Diagnostics diagnostics;
  const auto policy = compiler::CheckPolicy(text, options, &diagnostics);
  Require(policy.has_value() != diagnostics.has_errors());
  for (const auto& item : diagnostics.items()) Require(item.range.begin <= item.range.end && item.range.end <= size + 1);
  compiler::diagnostics::RenderAll(compiler::source::SourceBuffer("policy", text), diagnostics);
  if (policy) Use(*policy);
  return 0;
}
