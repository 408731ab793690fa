#include "runtime/http/request_reading.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "runtime/http/text.h"

namespace runtime::http {
namespace {

using base::JsonProblem;
using base::MergeOutcome;

struct ProblemInfo {
  std::string_view name;
  std::string_view doc;
};

constexpr ProblemInfo kProblems[] = {
    {"", ""},
#define READ_PROBLEM(name, doc) {#name, doc},
#include "runtime/http/read_problems.def"
#undef READ_PROBLEM
};

// Headers of requests whose lines may be joined: RFC 9110 says so, or the API that they belong to. HTTP/2 cuts Cookie in pieces
// (RFC 9113 8.2.3).
constexpr std::string_view kListHeaders[] = {
    "accept", "accept-charset", "accept-encoding", "accept-language", "access-control-request-headers", "anthropic-beta", "baggage",
    "cache-control", "connection", "content-encoding", "cookie", "expect", "forwarded", "if-match", "if-none-match", "openai-beta",
    "pragma", "prefer", "sec-websocket-extensions", "sec-websocket-protocol", "te", "tracestate", "trailer", "transfer-encoding",
    "upgrade", "via", "warning", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"};

}  // namespace

std::string_view Name(ReadProblem problem) { return kProblems[static_cast<size_t>(problem)].name; }
std::string_view Explain(ReadProblem problem) { return kProblems[static_cast<size_t>(problem)].doc; }

ReadProblem ProblemOf(JsonProblem problem) {
  switch (problem) {
    case JsonProblem::kNone: return ReadProblem::kNone;
    case JsonProblem::kEmpty:
    case JsonProblem::kSyntax: return ReadProblem::k_json_syntax;
    case JsonProblem::kTrailing: return ReadProblem::k_json_trailing;
    case JsonProblem::kTooDeep: return ReadProblem::k_json_too_deep;
    case JsonProblem::kNotUtf8: return ReadProblem::k_json_not_utf8;
    case JsonProblem::kByteOrderMark: return ReadProblem::k_json_byte_order_mark;
  }
  return ReadProblem::k_json_syntax;
}

ReadProblem ProblemOf(MergeOutcome outcome) {
  switch (outcome) {
    case MergeOutcome::kMerged: return ReadProblem::kNone;
    case MergeOutcome::kNotAnObject: return ReadProblem::k_json_not_an_object;
    case MergeOutcome::kTooDeep: return ReadProblem::k_json_too_deep;
    case MergeOutcome::kDuplicate: return ReadProblem::k_duplicate_json_member;
    case MergeOutcome::kFolded: return ReadProblem::k_folded_json_member;
  }
  return ReadProblem::k_json_not_an_object;
}

namespace {

bool IsOneJsonType(std::string_view content_type) {
  const std::string_view type = Trim(content_type.substr(0, content_type.find(';')));
  if (type.find('/') == std::string_view::npos) return true;  // no type at all: as if it were missing
  for (const std::string_view json :
       {"application/json", "text/json", "application/x-json", "text/x-json", "application/jsonrequest"}) {
    if (EqualsIgnoreCase(type, json)) return true;
  }
  constexpr std::string_view kSuffix = "+json";
  return type.size() > kSuffix.size() && EqualsIgnoreCase(type.substr(type.size() - kSuffix.size()), kSuffix);
}

// Characters of one byte each, the first 128 of which are those of ASCII: what JSON is made of stands in all of them as it does in UTF-8.
bool IsSuperset(std::string_view charset) {
  for (const std::string_view prefix : {"iso-8859-", "iso8859-", "windows-125", "cp125", "latin", "koi8-"}) {
    if (EqualsIgnoreCase(charset.substr(0, prefix.size()), prefix)) return true;
  }
  return false;
}

}  // namespace

bool IsJsonType(std::string_view content_type) {
  bool is_json = false;  // of two in one line servers may believe either
  ForEachListItem(content_type, [&](std::string_view item) { is_json = is_json || IsOneJsonType(item); });
  return is_json;
}

bool IsReadAsUtf8(const RequestHead& head, std::string_view body) {
  for (const Header& line : head.headers.lines()) {
    if (!EqualsIgnoreCase(line.name, "content-type")) continue;
    std::string_view rest = line.value;
    while (rest.find(';') != std::string_view::npos) {
      rest.remove_prefix(rest.find(';') + 1);
      std::string_view parameter = Trim(rest.substr(0, rest.find_first_of(";,")));
      const size_t equals = parameter.find('=');
      if (equals == std::string_view::npos || !EqualsIgnoreCase(Trim(parameter.substr(0, equals)), "charset")) continue;
      std::string_view charset = Trim(parameter.substr(equals + 1));
      while (!charset.empty() && (charset.front() == '"' || charset.front() == '\'')) charset.remove_prefix(1);
      while (!charset.empty() && (charset.back() == '"' || charset.back() == '\'')) charset.remove_suffix(1);
      if (charset.empty() || EqualsIgnoreCase(charset, "utf-8") || EqualsIgnoreCase(charset, "utf8") || EqualsIgnoreCase(charset, "us-ascii") ||
          EqualsIgnoreCase(charset, "ascii")) {
        continue;
      }
      const bool is_ascii = std::all_of(body.begin(), body.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
      if (!is_ascii || !IsSuperset(charset)) return false;
    }
  }
  return true;
}

bool MayHaveMembers(const RequestHead& head, bool is_json_api) {
  using compiler::abi::Method;
  if (head.method != Method::kPOST && head.method != Method::kPUT && head.method != Method::kPATCH) return false;
  if (is_json_api) return true;
  bool has_type = false;
  for (const Header& line : head.headers.lines()) {  // of two types servers may believe either
    if (line.id != HeaderId::k_content_type) continue;
    if (line.value.empty() || IsJsonType(line.value)) return true;
    has_type = true;
  }
  return !has_type;
}

bool IsListHeader(std::string_view name) {
  return std::any_of(std::begin(kListHeaders), std::end(kListHeaders), [name](std::string_view list) { return EqualsIgnoreCase(list, name); });
}

std::string_view ListSeparator(std::string_view name) { return EqualsIgnoreCase(name, "cookie") ? "; " : ", "; }

std::string JoinedValue(const Headers& headers, std::string_view name) {
  std::string joined;
  bool is_first = true;
  for (const Header& line : headers.lines()) {
    if (!EqualsIgnoreCase(line.name, name)) continue;
    if (!std::exchange(is_first, false)) joined.append(ListSeparator(name));
    joined.append(line.value);
  }
  return joined;
}

}  // namespace runtime::http
