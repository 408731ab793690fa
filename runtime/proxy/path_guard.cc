#include "runtime/proxy/path_guard.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/short_text.h"
#include "compiler/abi/fact_table.h"
#include "compiler/model/model_paths.h"
#include "runtime/dialect/dialect.h"

namespace runtime::proxy {
namespace {

using compiler::model::Expr;
using compiler::model::ExprKind;

constexpr std::string_view kPrefix = "/api/";
constexpr std::string_view kServed[] = {"chat", "embed", "embeddings", "generate", "ps", "show", "tags", "version"};
constexpr std::string_view kPull = "/api/pull";  // a dialect's path, and a change

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// As the most generous server reads it: decoded until nothing is left to decode, small letters, "\" and runs of "/" as "/", without
// parameters and a "/" behind.
std::string AsRead(std::string_view path) {
  std::string text(path);
  for (int round = 0; round < 4 && text.find('%') != std::string::npos; ++round) {
    std::string decoded;
    for (size_t i = 0; i < text.size(); ++i) {
      const int high = text[i] == '%' && i + 2 < text.size() ? HexValue(text[i + 1]) : -1;
      const int low = high >= 0 ? HexValue(text[i + 2]) : -1;
      decoded.push_back(low >= 0 ? static_cast<char>(high * 16 + low) : text[i]);
      if (low >= 0) i += 2;
    }
    text = std::move(decoded);
  }
  std::string read;
  bool in_parameter = false;  // behind ";", which some cut off
  for (char c : text) {
    if (c == '\\') c = '/';
    if (c == '/') in_parameter = false;
    if (c == ';') in_parameter = true;
    if (in_parameter) continue;
    if (c == '/' && !read.empty() && read.back() == '/') continue;
    read.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c);
  }
  while (read.size() > 1 && (read.back() == '/' || read.back() == ' ')) read.pop_back();
  return read;
}

// Bytes that AsRead changes: always, or a slash behind a slash.
constexpr uint8_t kChangesBehindSlash = 1;
constexpr auto kChanges = [] {
  std::array<uint8_t, 256> table{};
  for (const char c : std::string_view("%\\; ABCDEFGHIJKLMNOPQRSTUVWXYZ")) table[static_cast<unsigned char>(c)] = 2;
  table['/'] = kChangesBehindSlash;
  return table;
}();

// Whether AsRead would change nothing, as with nearly all.
bool IsAsRead(std::string_view path) {
  if (path.empty() || (path.size() > 1 && path.back() == '/')) return false;
  uint8_t before = 0;
  for (const char c : path) {
    const uint8_t change = kChanges[static_cast<unsigned char>(c)];
    if (change > kChangesBehindSlash || (change & before) != 0) return false;
    before = change;
  }
  return true;
}

bool IsPath(const Expr& expr) {
  return expr.kind == ExprKind::kField && expr.field == compiler::abi::FieldId::k_request_path;
}

// The paths that a condition names where it holds; under `not` they are those that it doesn't mean.
void Collect(const Expr& expr, std::vector<std::string>* paths) {
  if (expr.kind == ExprKind::kAnd || expr.kind == ExprKind::kOr) {
    for (const Expr& operand : expr.operands) Collect(operand, paths);
  } else if (expr.kind == ExprKind::kCompare && expr.compare == compiler::model::CompareOp::kEq) {
    for (int i = 0; i < 2; ++i) {
      const Expr& other = expr.operands[static_cast<size_t>(1 - i)];
      if (IsPath(expr.operands[static_cast<size_t>(i)]) && other.kind == ExprKind::kLiteral) paths->push_back(other.literal.text);
    }
  } else if (expr.kind == ExprKind::kIn && IsPath(expr.operands[0])) {
    for (const auto& member : expr.set) paths->push_back(member.low.text);
  }
}

}  // namespace

bool ChangesOllama(std::string_view sent_path, bool is_simple) {
  std::string read;
  std::string_view path = sent_path;
  const bool is_as_read = is_simple ? path.size() < 2 || path.back() != '/' : IsAsRead(sent_path);
  if (!is_as_read) path = read = AsRead(sent_path);
  if (!path.starts_with(kPrefix)) return false;
  const std::string_view name = path.substr(kPrefix.size());
  for (const std::string_view served : kServed) {
    if (served.size() == name.size() && base::IsSameText(served.data(), name.data(), name.size())) return false;
  }
  const auto client = dialect::Detect(compiler::abi::Method::kPOST, path, {}, {});
  return client.api == dialect::Api::kPlain || path == kPull;
}

PathGuard::PathGuard(const compiler::model::Policy& policy) {
  for (size_t i = 0; i < policy.routes.size(); ++i) {
    std::vector<std::string> paths;
    const auto& when = policy.routes[compiler::model::RouteId(static_cast<int32_t>(i))].when;
    if (when) Collect(policy.predicates[*when].expr, &paths);
    named_.Add(std::move(paths));
  }
}

bool PathGuard::Refuses(compiler::model::RouteId route, const compiler::model::UpstreamSettings& upstream, std::string_view path,
                        std::string_view sent_path, bool sent_path_is_simple) const {
  using compiler::model::UpstreamDialect;
  if (upstream.dialect != UpstreamDialect::kAuto && upstream.dialect != UpstreamDialect::kOllama) return false;
  // The base of a url is often what a proxy in front of the server cuts off again, so the client's own path counts as well.
  const bool has_base = path.size() != sent_path.size();
  // Ollama's API has no versions: /api/v3 is something else's, and only what stands behind it may be an Ollama's.
  const std::string_view base = upstream.url.path;
  const bool is_elsewhere = upstream.url.is_base && sent_path.starts_with(base) && compiler::model::NamesVersion(base);
  const bool changes = is_elsewhere ? ChangesOllama(sent_path.substr(base.size())) : ChangesOllama(sent_path, sent_path_is_simple);
  if (!changes && !(has_base && ChangesOllama(path))) return false;
  const auto& named = named_[route];
  return std::find(named.begin(), named.end(), path) == named.end();
}

}  // namespace runtime::proxy
