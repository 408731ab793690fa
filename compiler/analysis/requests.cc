#include "compiler/analysis/requests.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>

#include "compiler/analysis/known_names.h"
#include "compiler/model/model_paths.h"

namespace compiler::analysis {

Region RegionOf(const Context& context, RouteId route) {
  const auto& when = context.Route(route).when;
  return when ? Region::Of(context.policy.predicates[*when].expr) : Region::Everything();
}

namespace {

constexpr std::string_view kStreamPaths[] = {"/api/chat",       "/api/generate", "/v1/chat/completions",
                                             "/v1/completions", "/v1/messages",  "/v1/responses"};

// Paths of the region where a model speaks in a stream: those of the known APIs, and such as begin or are listed otherwise and end so.
std::set<std::string> StreamPathsOf(const Region& region) {
  std::set<std::string> paths;
  for (const Cell& cell : region.cells()) {
    const TextSet taken = cell.Of(Subject::Of(abi::FieldId::k_request_path)).text;
    const auto add = [&](const std::string& path) {
      if (taken.Contains(path)) paths.insert(path);
    };
    for (const std::string_view path : kStreamPaths) add(std::string(path));
    if (taken.only) {
      for (const std::string& path : *taken.only) {
        if (StreamsAnswers(path)) add(path);
      }
    }
    for (const TextTest& test : taken.tests) {
      if (!test.holds || test.kind != TextTest::Kind::kStartsWith) continue;
      const std::string base = test.text.substr(0, test.text.find_last_not_of('/') + 1);
      for (const std::string_view end : {"/chat/completions", "/completions", "/messages", "/responses", "/api/chat"})
        add(base + std::string(end));
    }
  }
  return paths;
}

// A request that asks a model for a stream at that path. An Ollama gives one to whoever does not say that he wants none.
Region AskingForStream(const Context& context, const std::string& path) {
  Domain post;
  const auto method = static_cast<long double>(abi::Method::kPOST);
  post.number = NumberSet::Of(true, {method, method, false, false});
  Domain at;
  at.text = TextSet::Only({path});
  Region asking = Region::Where(Subject::Of(abi::FieldId::k_request_method), std::move(post))
                      .And(Region::Where(Subject::Of(abi::FieldId::k_request_path), std::move(at)));
  const auto& members = context.policy.slots.request_json;
  const auto stream = std::find(members.begin(), members.end(), std::vector<std::string>{"stream"});
  if (stream == members.end()) return asking;
  Domain yes;
  yes.flag = NumberSet::Of(true, {1, 1, false, false});
  yes.absent = path.find("/api/") != std::string::npos;
  return asking.And(Region::Where(
      Subject::Of(abi::FamilyId::k_request_json, static_cast<int32_t>(stream - members.begin())), std::move(yes)));
}

// What arrives at the route of a region: routes before it take their share first. At most so many are asked.
Region LeftFor(const Context& context, RouteId route, Region asked) {
  constexpr int32_t kMostBefore = 64;
  Region left = asked.And(RegionOf(context, route));
  for (int32_t before = std::max(0, route.value - kMostBefore); before < route.value && !left.empty(); ++before) {
    const auto& when = context.Route(RouteId(before)).when;
    if (!when) return Region::Nothing();
    left = left.And(Region::Outside(context.policy.predicates[*when].expr));
  }
  return left;
}

}  // namespace

bool MayStream(const Context& context, UpstreamId id) {
  return std::any_of(context.routes_to[id].begin(), context.routes_to[id].end(), [&](RouteId route) {
    const std::set<std::string> paths = StreamPathsOf(RegionOf(context, route));
    return std::any_of(paths.begin(), paths.end(), [&](const std::string& path) {
      return StreamsAnswers(model::PathAt(context.Upstream(id).url, path)) &&
             !LeftFor(context, route, AskingForStream(context, path)).empty();
    });
  });
}

namespace {

constexpr std::string_view kRepeated[] = {"/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/rerank",
                                          "/v1/messages",         "/v1/responses",   "/api/chat",      "/api/generate",
                                          "/api/embed",           "/api/embeddings"};

bool IsNeverRepeated(const model::UpstreamSettings& upstream, std::string_view path) {
  return model::RepeatsAt(upstream.url, path) == model::Repeats::kNever;
}

bool IsNotRepeated(const Cell& cell, const model::UpstreamSettings& upstream) {
  constexpr abi::Method kUnsafe[] = {abi::Method::kPOST, abi::Method::kPATCH};
  NumberSet others = cell.Of(Subject::Of(abi::FieldId::k_request_method)).number;
  for (const abi::Method method : kUnsafe) {
    const auto value = static_cast<long double>(method);
    others = others.And(NumberSet::Of(true, {value, value, false, false}).Not());
  }
  const TextSet paths = cell.Of(Subject::Of(abi::FieldId::k_request_path)).text;
  if (paths.only) {
    // Where a model is asked nobody sends anything but POST.
    return std::all_of(paths.only->begin(), paths.only->end(), [&](const std::string& path) {
      return IsNeverRepeated(upstream, path) && (others.empty() || IsModelPath(path));
    });
  }
  if (!others.empty()) return false;
  return std::none_of(std::begin(kRepeated), std::end(kRepeated),
                      [&](std::string_view path) { return paths.Contains(path) && !IsNeverRepeated(upstream, path); });
}

}  // namespace

bool AsksModels(const Region& taken) {
  return std::any_of(taken.cells().begin(), taken.cells().end(), [](const Cell& cell) {
    const NumberSet methods = cell.Of(Subject::Of(abi::FieldId::k_request_method)).number;
    if (!methods.Contains(static_cast<long double>(abi::Method::kPOST))) return false;
    const TextSet paths = cell.Of(Subject::Of(abi::FieldId::k_request_path)).text;
    if (paths.only)
      return std::any_of(paths.only->begin(), paths.only->end(), [](const auto& path) { return IsModelPath(path); });
    return std::any_of(std::begin(kRepeated), std::end(kRepeated),
                       [&](std::string_view path) { return paths.Contains(path); });
  });
}

bool TakesOnlyWhatIsNotRepeated(const Region& taken, const model::UpstreamSettings& upstream) {
  return !taken.empty() && std::all_of(taken.cells().begin(), taken.cells().end(),
                                       [&](const Cell& cell) { return IsNotRepeated(cell, upstream); });
}

}  // namespace compiler::analysis
