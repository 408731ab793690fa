// One function for each group of slots. Text is borrowed wherever it stands in one piece in the message; joined lines,
// decoded parameters and the lower-case host are kept here and keep their memory from request to request.
#include "runtime/http/facts_from_message.h"

#include <vector>

#include "runtime/http/json_members.h"
#include "runtime/http/text.h"

namespace runtime::http {
namespace {

using compiler::abi::Facts;
using compiler::abi::Str;

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

  void Clear() {
    for (Str& value : values_) value = Str();
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
    joined.append(", ").append(value);
    values_[slot] = Str::Of(joined);
  }

  const std::vector<std::string>& names_;
  std::vector<Str> values_;
  std::vector<std::string> joined_;
};

// application/x-www-form-urlencoded: "+" is a space, a broken escape stands for itself.
void DecodeQuery(std::string_view text, std::string* out) {
  out->clear();
  for (size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? HexValue(text[i + 1]) : -1;
    const int low = high >= 0 ? HexValue(text[i + 2]) : -1;
    if (low >= 0) {
      out->push_back(static_cast<char>(high * 16 + low));
      i += 2;
    } else {
      out->push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
}

// Values of query slots.
class QuerySlots {
 public:
  explicit QuerySlots(const std::vector<std::string>& names)
      : names_(names), values_(names.size()), decoded_(names.size()) {}

  void Fill(std::string_view query) {
    for (Str& value : values_) value = Str();
    if (names_.empty()) return;
    while (!query.empty()) {
      const size_t end = query.find('&');
      const std::string_view pair = query.substr(0, end);
      query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
      if (pair.empty()) continue;
      const size_t equals = pair.find('=');
      DecodeQuery(pair.substr(0, equals), &name_);
      for (size_t i = 0; i < names_.size(); ++i) {
        if (names_[i] != name_ || values_[i].has_value()) continue;  // the first one counts
        DecodeQuery(equals == std::string_view::npos ? "" : pair.substr(equals + 1), &decoded_[i]);
        values_[i] = Str::Of(decoded_[i]);
      }
    }
  }

  const Str* data() const { return values_.data(); }

 private:
  const std::vector<std::string>& names_;
  std::vector<Str> values_;
  std::vector<std::string> decoded_;
  std::string name_;
};

// The host without its port, in lower case.
void LowerHost(std::string_view host, std::string* out) {
  const size_t from = host.starts_with('[') ? host.find(']') : 0;
  host = host.substr(0, host.find(':', from == std::string_view::npos ? 0 : from));
  out->clear();
  for (char c : host) out->push_back(AsciiLower(c));
}

}  // namespace

class MessageFacts::Impl {
 public:
  explicit Impl(const compiler::model::Policy& policy)
      : request_headers(policy.slots.request_headers),
        request_queries(policy.slots.request_queries),
        request_json(policy.slots.request_json),
        response_json(policy.slots.response_json),
        chunk_json(policy.slots.chunk_json),
        response_headers(policy.slots.response_headers),
        reads_json(!policy.slots.request_json.empty()) {}

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

MessageFacts::BodyProblem MessageFacts::FillRequest(const RequestHead& head, std::string_view path,
                                                    std::string_view body, std::string_view client_ip, bool client_tls,
                                                    Facts* facts) {
  Impl& impl = *impl_;
  LowerHost(head.host, &impl.host);
  impl.request_headers.Fill(head.headers);
  impl.request_queries.Fill(head.query);
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
  if (!impl.reads_json) return BodyProblem::kNone;
  if (body.empty()) {
    impl.request_json.Clear();
    return BodyProblem::kNone;
  }
  switch (impl.request_json.Read(body)) {
    case JsonMembers::Outcome::kRead:
    case JsonMembers::Outcome::kNotJson: return BodyProblem::kNone;
    case JsonMembers::Outcome::kTrailing: return BodyProblem::kTrailing;
    case JsonMembers::Outcome::kDuplicate: return BodyProblem::kDuplicateMember;
    case JsonMembers::Outcome::kTooDeep: return BodyProblem::kTooDeep;
  }
  return BodyProblem::kNone;
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

void MessageFacts::ClearResponse(Facts* facts) {
  impl_->response_json.Clear();
  impl_->response_headers.Clear();
  facts->response_header = impl_->response_headers.data();
}

}  // namespace runtime::http
