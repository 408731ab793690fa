// One function for each group of slots. Text is borrowed wherever it stands in one piece in the message; joined lines,
// decoded parameters and the lower-case host are kept here and keep their memory from request to request.
#include "runtime/http/facts_from_message.h"

#include <vector>

#include "base/text.h"
#include "runtime/http/connection_names.h"
#include "runtime/http/json_members.h"
#include "runtime/http/planted_faults.h"
#include "runtime/http/text.h"

namespace runtime::http {
namespace {

using compiler::abi::Facts;
using compiler::abi::Str;

void DropIfLarge(std::string& text) {
  constexpr size_t kKept = 1 << 10;
  if (text.capacity() > kKept) std::string().swap(text);
}

// Values of header slots. Names are lower case.
class HeaderSlots {
 public:
  explicit HeaderSlots(const std::vector<std::string>& names)
      : names_(names), values_(names.size()), joined_(names.size()) {}

  void Fill(const Headers& headers) {
    Clear();
    if (names_.empty()) return;
    for (const Header& line : headers.lines()) {
      for (size_t i = 0; i < names_.size(); ++i) {
        if (EqualsIgnoreCase(line.name, names_[i])) Add(i, line.value);
      }
    }
  }

  // Of a request: what is not passed on to the upstream is not there for conditions either. False: one stands twice that is no list.
  bool FillFromClient(const Headers& headers, bool passes_underscores) {
    Clear();
    bool is_clear = true;
    if (names_.empty()) return is_clear;
    const ConnectionNames for_this_hop(headers);
    for (const Header& line : headers.lines()) {
      for (size_t i = 0; i < names_.size(); ++i) {
        if (!EqualsTwin(line.name, names_[i])) continue;
        if (line.name.find('_') != std::string_view::npos && !passes_underscores) continue;
        if (for_this_hop.Has(line.name)) {
          PLANT_FAULT(connection_hides_from_the_server_only, Add(i, line.value));
          continue;
        }
        const bool is_other = !EqualsIgnoreCase(line.name, names_[i]);  // to servers that map headers to variables it is the same
        bool stands_twice = values_[i].has_value() && !IsListHeader(names_[i]);
        PLANT_FAULT(headers_are_joined, stands_twice = false);
        is_clear = is_clear && !is_other && !stands_twice;
        if (!is_other) Add(i, line.value);
      }
    }
    return is_clear;
  }

  void Clear() {
    for (Str& value : values_) value = Str();
  }
  void Reset() {
    Clear();
    for (std::string& joined : joined_) DropIfLarge(joined);
  }

  const Str* data() const { return values_.data(); }

 private:
  void Add(size_t slot, std::string_view value) {
    if (!values_[slot].has_value()) {
      values_[slot] = Str::Of(value);
      return;
    }
    // Several lines are one list, RFC 9110 5.2.
    std::string& joined = joined_[slot];
    if (values_[slot].data != joined.data()) joined.assign(values_[slot].view());
    joined.append(ListSeparator(names_[slot])).append(value);
    values_[slot] = Str::Of(joined);
  }

  const std::vector<std::string>& names_;
  std::vector<Str> values_;
  std::vector<std::string> joined_;
};

// application/x-www-form-urlencoded: "+" is a space. A broken escape stands for itself; false then.
bool DecodeQuery(std::string_view text, std::string* out) {
  out->clear();
  bool is_whole = true;
  for (size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? HexValue(text[i + 1]) : -1;
    const int low = high >= 0 ? HexValue(text[i + 2]) : -1;
    if (low >= 0) {
      out->push_back(static_cast<char>(high * 16 + low));
      i += 2;
    } else {
      is_whole = is_whole && text[i] != '%';
      out->push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return is_whole;
}

// Escapes of what needs none: servers that don't decode names (nginx's $arg_…) don't know it.
bool HasNeedlessEscape(std::string_view name) {
  for (size_t i = 0; i + 2 < name.size(); ++i) {
    if (name[i] != '%') continue;
    const int high = HexValue(name[i + 1]);
    const int low = HexValue(name[i + 2]);
    if (high >= 0 && low >= 0 && IsUnreserved(static_cast<char>(high * 16 + low))) return true;
  }
  return false;
}

// Whether somebody takes a parameter of that name for `wanted`, which it is not: in other letters, with blanks around it (PHP), as a list
// or a map ("a[]", "a[b]": PHP, Rack, Express), or ended by a NUL.
bool IsSpelledLike(std::string_view name, std::string_view wanted) {
  if (base::FoldsTo(name, wanted)) return true;
  name = name.substr(0, name.find('['));
  while (name.starts_with(' ')) name.remove_prefix(1);
  while (name.ends_with(' ')) name.remove_suffix(1);
  return base::FoldsTo(name, wanted);
}

// Values of query slots.
class QuerySlots {
 public:
  explicit QuerySlots(const std::vector<std::string>& names)
      : names_(names), values_(names.size()), decoded_(names.size()) {}

  // What is read must mean the same to servers that take the first or the last of a name, in any case (nginx), that end a parameter at
  // ";" (older Python) or drop one that holds it or a broken escape (Go).
  ReadProblem Fill(std::string_view query) {
    for (Str& value : values_) value = Str();
    ReadProblem problem = ReadProblem::kNone;
    const auto note = [&problem](ReadProblem found) {
      if (problem == ReadProblem::kNone) problem = found;
    };
    if (names_.empty()) return problem;
    while (!query.empty()) {
      const size_t end = query.find('&');
      const std::string_view pair = query.substr(0, end);
      query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
      if (pair.empty()) continue;
      if (const size_t semicolon = pair.find(';'); semicolon != std::string_view::npos) {
        for (std::string_view rest = pair;;) {  // each part could be a parameter
          if (IsRead(rest.substr(0, rest.find(';')))) note(ReadProblem::k_bad_query);
          if (rest.find(';') == std::string_view::npos) break;
          rest.remove_prefix(rest.find(';') + 1);
        }
      }
      const size_t equals = pair.find('=');
      const std::string_view written = pair.substr(0, equals);
      DecodeQuery(written, &name_);
      for (size_t i = 0; i < names_.size(); ++i) {
        if (names_[i] != name_) {
          bool is_like_it = IsSpelledLike(name_, names_[i]);
          PLANT_FAULT(query_in_any_case, is_like_it = false);
          if (is_like_it) note(ReadProblem::k_folded_query);
          continue;
        }
        if (HasNeedlessEscape(written)) note(ReadProblem::k_folded_query);
        if (values_[i].has_value()) {
          ReadProblem twice = ReadProblem::k_duplicate_query;
          PLANT_FAULT(first_query_wins, twice = ReadProblem::kNone);
          note(twice);
          continue;
        }
        const bool is_whole = DecodeQuery(equals == std::string_view::npos ? "" : pair.substr(equals + 1), &decoded_[i]);
        if (!is_whole || base::FirstInvalidUtf8(decoded_[i])) note(ReadProblem::k_bad_query);
        values_[i] = Str::Of(decoded_[i]);
      }
    }
    return problem;
  }

  void Reset() {
    for (Str& value : values_) value = Str();
    for (std::string& decoded : decoded_) DropIfLarge(decoded);
  }

  const Str* data() const { return values_.data(); }

 private:
  bool IsRead(std::string_view pair) {
    DecodeQuery(pair.substr(0, pair.find('=')), &name_);
    for (const std::string& name : names_) {
      if (IsSpelledLike(name_, name)) return true;
    }
    return false;
  }

  const std::vector<std::string>& names_;
  std::vector<Str> values_;
  std::vector<std::string> decoded_;
  std::string name_;
};

// The host without its port, in lower case. "host." is the same name as "host" (RFC 3986 3.2.2).
void LowerHost(std::string_view host, std::string* out) {
  const size_t from = host.starts_with('[') ? host.find(']') : 0;
  host = host.substr(0, host.find(':', from == std::string_view::npos ? 0 : from));
  while (host.ends_with('.')) host.remove_suffix(1);
  out->resize(host.size());
  char* at = out->data();
  for (const char c : host) *at++ = AsciiLower(c);
}

}  // namespace

class MessageFacts::Impl {
 public:
  explicit Impl(const compiler::model::Policy& policy)
      : passes_underscores(policy.gateway.underscore_headers),
        request_headers(policy.slots.request_headers),
        request_queries(policy.slots.request_queries),
        request_json(policy.slots.request_json, {{"model"}, {"stream"}}),
        response_json(policy.slots.response_json),
        chunk_json(policy.slots.chunk_json),
        response_headers(policy.slots.response_headers),
        reads_json(!policy.slots.request_json.empty()) {}

  bool passes_underscores;
  HeaderSlots request_headers;
  QuerySlots request_queries;
  JsonMembers request_json;
  JsonMembers response_json;
  JsonMembers chunk_json;
  HeaderSlots response_headers;
  std::string host;
  bool reads_json;
};

MessageFacts::MessageFacts(const compiler::model::Policy& policy) : impl_(std::make_unique<Impl>(policy)) {}
MessageFacts::~MessageFacts() = default;

ReadProblem MessageFacts::FillRequest(const RequestHead& head, std::string_view path, std::string_view body,
                                      std::string_view client_ip, bool client_tls, Facts* facts, bool has_members) {
  Impl& impl = *impl_;
  LowerHost(head.host, &impl.host);
  ReadProblem problem = impl.request_headers.FillFromClient(head.headers, impl.passes_underscores) ? ReadProblem::kNone
                                                                                                : ReadProblem::k_duplicate_header;
  const ReadProblem of_query = impl.request_queries.Fill(head.query);
  if (problem == ReadProblem::kNone) problem = of_query;
  facts->request_method = static_cast<int32_t>(head.method);
  facts->request_path = Str::Of(path);
  facts->request_host = Str::Of(impl.host);
  facts->request_body = Str::Of(body);
  facts->client_ip = Str::Of(client_ip);
  facts->client_tls = client_tls ? 1 : 0;
  facts->request_header = impl.request_headers.data();
  facts->request_query = impl.request_queries.data();
  facts->request_json = impl.request_json.values().data();
  facts->response_json = impl.response_json.values().data();
  facts->chunk_json = impl.chunk_json.values().data();
  facts->response_header = impl.response_headers.data();
  if (!impl.reads_json) return problem;
  if (body.empty() || !has_members) {
    impl.request_json.Clear();
    return problem;
  }
  const auto outcome = impl.request_json.Read(body);
  if (problem != ReadProblem::kNone) return problem;
  if (!IsReadAsUtf8(head, body)) return ReadProblem::k_json_charset;
  switch (outcome) {
    case JsonMembers::Outcome::kRead: return ReadProblem::kNone;
    case JsonMembers::Outcome::kNotJson: return ProblemOf(impl.request_json.problem());
    case JsonMembers::Outcome::kNotAnObject: return ReadProblem::k_json_not_an_object;
    case JsonMembers::Outcome::kDuplicate: return ReadProblem::k_duplicate_json_member;
    case JsonMembers::Outcome::kFolded: return ReadProblem::k_folded_json_member;
  }
  return ReadProblem::kNone;
}

void MessageFacts::FillResponse(const ResponseHead& head, Facts* facts) {
  impl_->response_headers.Fill(head.headers);
  facts->response_header = impl_->response_headers.data();
}

void MessageFacts::FillResponseBody(std::string_view body, Facts* facts) {
  impl_->response_json.Read(body);  // what is no JSON has no members; of equal names the last one counts
  facts->response_json = impl_->response_json.values().data();
}

void MessageFacts::FillChunk(std::string_view json, size_t size, Facts* facts) {
  if (!impl_->chunk_json.values().empty()) impl_->chunk_json.Read(json);
  facts->chunk_size = static_cast<int64_t>(size);
  facts->chunk_json = impl_->chunk_json.values().data();
}

void MessageFacts::ClearChunk(Facts* facts) {
  impl_->chunk_json.Clear();
  facts->chunk_size = 0;
}

void MessageFacts::Reset() {
  impl_->request_headers.Reset();
  impl_->request_queries.Reset();
  impl_->request_json.Reset();
  impl_->response_json.Reset();
  impl_->chunk_json.Reset();
  impl_->response_headers.Reset();
}

void MessageFacts::ClearResponse(Facts* facts) {
  impl_->response_json.Clear();
  impl_->response_headers.Clear();
  facts->response_header = impl_->response_headers.data();
}

}  // namespace runtime::http
