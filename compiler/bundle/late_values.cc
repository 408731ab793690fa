#include "compiler/bundle/late_values.h"

#include <algorithm>
#include <utility>

#include "base/json_text.h"
#include "compiler/bundle/walk.h"
#include "compiler/check/address.h"

namespace compiler::bundle {
namespace {

constexpr std::string_view kBegin = "bwlate";
constexpr std::string_view kEnd = "x7c41e9b05d";  // so that nobody writes it by chance

struct Found {
  size_t begin = 0;
  size_t end = 0;
  size_t number = 0;
};

std::optional<Found> Next(std::string_view text, size_t from) {
  for (size_t begin = text.find(kBegin, from); begin != std::string_view::npos; begin = text.find(kBegin, begin + 1)) {
    size_t at = begin + kBegin.size();
    size_t number = 0;
    const size_t digits = at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9' && at - digits < 6; ++at)
      number = number * 10 + static_cast<size_t>(text[at] - '0');
    if (at > digits && text.substr(at).starts_with(kEnd)) return Found{begin, at + kEnd.size(), number};
  }
  return std::nullopt;
}

// Walks without changing anything, and notes where stand-ins shape the policy.
class Finder {
 public:
  void Bits(int64_t&) {}
  void Real(double&) {}
  void Text(std::string& text) {
    if (!shapes_) return;
    for (auto found = Next(text, 0); found; found = Next(text, found->end)) shaping.insert(found->number);
  }
  size_t Count(size_t count) { return count; }
  void Pattern(std::shared_ptr<const abi::Pattern>& pattern) {
    if (pattern == nullptr) return;
    std::string source(pattern->source());
    Text(source);
  }
  bool Enter() { return true; }
  void Leave() {}
  void Fail() {}

  void Whole(model::PredicateDef& predicate) { Shape([&] { Walk(*this, predicate.expr); }); }
  void Whole(model::Slots& slots) {
    Shape([&] { base::ForEachField(slots, [&](auto& keys) { Walk(*this, keys); }); });
  }
  // A text that is read in a way of its own when the policy is checked.
  void Whole(model::Cors& cors) { Shape([&] { Walk(*this, cors.origins); }); }
  void Prefix(std::string& text) { Shape([&] { Text(text); }); }

  std::set<size_t> shaping;

 private:
  template <typename Do>
  void Shape(const Do& act) {
    const bool before = std::exchange(shapes_, true);
    act();
    shapes_ = before;
  }
  bool shapes_ = false;
};

class Filler {
 public:
  explicit Filler(const std::vector<std::string>& values, const std::vector<LateValue>& late) : values_(values), late_(late) {}

  void Bits(int64_t&) {}
  void Real(double&) {}
  void Text(std::string& text) { Fill(text, false); }
  size_t Count(size_t count) { return count; }
  void Pattern(std::shared_ptr<const abi::Pattern>&) {}
  bool Enter() { return problem.empty(); }
  void Leave() {}
  void Fail() {}

  void Whole(model::Template& text) {
    for (auto& part : text.parts) {
      if (auto* constant = std::get_if<std::string>(&part)) Fill(*constant, text.place == model::TextPlace::kJsonString);
      else if (auto* expr = std::get_if<model::Expr>(&part)) Walk(*this, *expr);
      else Walk(*this, std::get<model::HashOf>(part));
    }
  }
  void Whole(model::Body& body) {
    Fill(body.text, body.kind == model::BodyKind::kJson);
    Walk(*this, body.values);
  }
  void Whole(model::Url& url) {
    if (!Next(url.text, 0)) return;
    const std::string variable = Fill(url.text, false);
    check::AddressError error;
    auto parsed = check::ParseUrl(url.text, &error);
    if (parsed) url = std::move(*parsed);
    else Complain(variable, "the url " + url.text + ": " + error.reason + "; " + error.help);
  }
  void Whole(model::ListenAddress& address) {
    if (!Next(address.host, 0)) return;
    std::string text = address.host;
    const std::string variable = Fill(text, false);
    check::AddressError error;
    auto parsed = check::ParseListenAddress(text, &error);
    if (parsed) address = std::move(*parsed);
    else Complain(variable, "the address " + text + ": " + error.reason + "; " + error.help);
  }

  std::string problem;

 private:
  // Returns the variable that came last.
  std::string Fill(std::string& text, bool is_json) {
    std::string variable;
    for (auto found = Next(text, 0); found;) {
      if (found->number >= values_.size()) {
        problem = "it names a variable that it does not have";
        return "";
      }
      variable = late_[found->number].variable;
      const std::string& value = values_[found->number];
      std::string put;
      if (is_json) base::AppendJsonEscaped(value, &put);
      else put = value;
      const bool is_clean = std::all_of(put.begin(), put.end(), [](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f); });
      if (!is_clean) Complain(variable, "its value holds a line end or another control character");
      text.replace(found->begin, found->end - found->begin, put);
      found = Next(text, found->begin + put.size());
    }
    return variable;
  }
  void Complain(const std::string& variable, std::string_view what) {
    if (problem.empty()) problem = "the environment variable " + variable + " does not fit: " + std::string(what);
  }

  const std::vector<std::string>& values_;
  const std::vector<LateValue>& late_;
};

}  // namespace

std::string StandIn(size_t number) { return std::string(kBegin) + std::to_string(number) + std::string(kEnd); }

std::optional<size_t> FindStandIn(std::string_view text) {
  const auto found = Next(text, 0);
  if (!found) return std::nullopt;
  return found->number;
}

std::set<size_t> ShapingStandIns(const model::Policy& policy, size_t count) {
  Finder finder;
  auto& walked = const_cast<model::Policy&>(policy);  // a finder changes nothing
  Walk(finder, walked);
  finder.Prefix(walked.gateway.metrics_prefix);
  std::erase_if(finder.shaping, [count](size_t number) { return number >= count; });
  return finder.shaping;
}

std::string FillIn(const std::vector<LateValue>& values, const Variables& variables, model::Policy* policy) {
  if (values.empty()) return "";
  std::vector<std::string> texts;
  for (const LateValue& value : values) {
    std::optional<std::string> text = variables.environment(value.variable);
    if (value.is_secret) {
      if (!text) {
        const auto file = variables.environment(value.variable + "_FILE");
        if (file) text = variables.secret_file(*file);
      }
      if (text && text->empty()) text.reset();  // an empty secret is a slip of deployment, not a value
    }
    if (!text) text = value.fallback;
    if (!text) {
      return "the environment variable " + value.variable + " is not set: " +
             (value.is_secret ? "set it, or name a readable file that holds it in " + value.variable + "_FILE"
                              : "set it, or give `env` a `default:` in the policy");
    }
    texts.push_back(std::move(*text));
  }
  Filler filler(texts, values);
  Walk(filler, *policy);
  return filler.problem;
}

}  // namespace compiler::bundle
