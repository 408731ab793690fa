// Does one thing on an input of one size, for linear.py to count its instructions: linear_probe WHAT SIZE
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/json_text.h"
#include "runtime/http/forwarding.h"
#include "runtime/http/message_parser.h"
#include "runtime/http/request_path.h"

namespace {

using runtime::http::MessageParser;
using runtime::http::ParseError;
using runtime::http::Role;

// Objects within objects, `depth` deep, of `members` members each level but the innermost, which holds the rest.
std::string Nested(size_t size, int depth) {
  std::string json;
  for (int i = 0; i < depth; ++i) json += "{\"b\":1,\"a\":";
  json += "[";
  while (json.size() < size) json += "{\"z\":\"text\\u0041\",\"y\":1.5,\"x\":null},";
  json += "0]";
  return json + std::string(static_cast<size_t>(depth), '}');
}

// `names` names in Connection lines of at most 8,000 bytes, and as many header lines as a head of this size holds.
std::string Head(size_t names) {
  std::string head = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (size_t i = 0; i < names;) {
    std::string line = "Connection: ";
    for (; i < names && line.size() < 7'900; ++i) line += "x-name-" + std::to_string(i) + ",";
    head += line + "close\r\n";
  }
  for (size_t i = 0; i < names / 10; ++i) head += "X-Line-" + std::to_string(i) + ": v\r\n";
  return head + "\r\n";
}

std::string Members(size_t count) {
  std::string json = "{";
  for (size_t i = 0; i < count; ++i) json += (i > 0 ? ",\"n" : "\"n") + std::to_string(i) + "\":1";
  return json + "}";
}

bool Do(std::string_view what, size_t size) {
  if (what == "hash" || what == "hash_deep") {
    const std::string json = Nested(size, what == "hash" ? 2 : 62);
    const auto canonical = base::CanonicalJson(json, {});
    return canonical && base::Sha256Hex(*canonical, 32).size() == 32;
  }
  if (what == "merge_into_like") {  // what a client has sent there is put into what it has sent here
    const std::string many = Members(size / 12);
    std::string out;
    return base::MergePatch("{\"options\":" + many + "}", "{\"options\":" + many + "}", &out) ==
           base::MergeOutcome::kMerged;
  }
  if (what == "merge") {
    std::string out;
    return base::MergePatch(Nested(size, 62), "{\"model\":\"x\"}", &out) == base::MergeOutcome::kMerged;
  }
  if (what == "connection") {
    runtime::http::ParserLimits limits;
    limits.header_bytes = limits.header_line = 64 << 20;
    limits.header_count = 1 << 20;
    MessageParser parser(Role::kRequest, limits);
    std::vector<std::string_view> body;
    if (parser.Feed(Head(size), &body).error != ParseError::kNone || !parser.head_complete()) return false;
    std::string out;
    runtime::http::UpstreamRequest request;
    request.target = "/";
    request.authority = "a";
    runtime::http::AppendUpstreamRequest(parser.request(), request, &out);
    return !out.empty();
  }
  if (what == "path") {
    std::string path;
    while (path.size() < size) path += "/a%2Fb/%2541;x=1";
    const auto normal = runtime::http::NormalisePath(path);
    return normal && !runtime::http::PathsForOthers(*normal).empty();
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 || !Do(argv[1], std::strtoul(argv[2], nullptr, 10))) {
    std::fputs("linear_probe: that did not work\n", stderr);
    return 1;
  }
  return 0;
}
