// The table of settings against the checker, the model and the documentation: nothing in it may be without effect.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "compiler/bundle/model_codec.h"
#include "compiler/compile.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/diagnostics/render.h"
#include "compiler/model/print.h"
#include "compiler/source/source_buffer.h"

namespace {

using compiler::diagnostics::Diagnostics;

struct Setting {
  std::string block, name, type, default_text, other_text, range, doc;
};
const std::vector<Setting>& Settings() {
  static const std::vector<Setting> settings = {
#define SETTING(block, name, Type, default_text, other_text, range, member, doc) \
  {#block, #name, #Type, default_text, other_text, range, doc},
#include "compiler/model/settings.def"
  };
  return settings;
}

struct Name {
  std::string block, name;
};
const std::vector<Name>& NotHonoured() {
  static const std::vector<Name> names = {
#define NOT_HONOURED(block, name, doc) {#block, #name},
#include "compiler/model/settings.def"
  };
  return names;
}

bool IsKeyed(const Setting& setting) { return setting.type == "Header" || setting.type == "AnswerHeader"; }

// A policy with every block, in which the lines of `block` are `lines` and what the block needs besides.
std::string PolicyWith(const std::string& block, const std::string& name, const std::string& lines) {
  const auto unless = [&](const std::string& of, const std::string& setting, const std::string& text) {
    return block == of && name == setting ? std::string() : "  " + text + "\n";
  };
  const auto in = [&](const std::string& of) { return block == of ? "  " + lines + "\n" : std::string(); };
  const bool route_replies = block == "route" && name == "reply";
  const std::string body_kind = name == "body" ? "text" : "body";
  std::string text = "edition 1\n";
  text += "gateway {\n" + unless("gateway", "listen", "listen = \"127.0.0.1:8080\"") + in("gateway") +
          (block == "gateway" && name == "listen_tls" ? "  tls = edge\n" : "") +
          (block == "gateway" && (name == "tls" || name == "redirect") ? "  listen_tls = \"127.0.0.1:8443\"\n" : "") +
          (block == "gateway" && name == "redirect" ? "  tls = edge\n" : "") +
          (block == "limits" ? "  limits {\n" + in("limits") + "  }\n" : "") + "}\n";
  text += "tls edge {\n" + unless("tls", "certificate", "certificate = \"/a.pem\"") +
          unless("tls", "key", "key = \"/a.key\"") + in("tls") + "}\n";
  const std::string url = block == "upstream_tls" ? "url = \"https://first:1\"" : "url = \"http://first:1\"";
  text += "upstream first {\n" + unless("upstream", "url", url) + in("upstream");
  if (block == "upstream_tls") {
    text += "  tls {\n" + (name == "certificate" ? std::string("  key = \"/b.key\"\n") : std::string()) +
            (name == "key" ? "  certificate = \"/b.pem\"\n" : "") + in(block) + "  }\n";
  }
  if (block == "timeouts") text += "  timeouts {\n" + in("timeouts") + "  }\n";
  if (block == "pool") text += "  pool {\n" + in("pool") + "  }\n";
  if (block == "queue")
    text += "  max_in_flight = 4\n  queue {\n" + unless("queue", "length", "length = 8") +
            unless("queue", "timeout", "timeout = 4s") + in(block) + "  }\n";
  if (block == "rewrite")
    text += "  rewrite some {\n" + unless("rewrite", "patch", "patch = json { \"a\": 1 }") + "  when request.method == POST\n" + in(block) + "  }\n";
  if (block == "health") text += "  breaker {\n  open when failures(60s) >= 5\n  }\n";
  if (block == "health") text += "  health {\n" + unless("health", "path", "path = \"/\"") + in(block) + "  }\n";
  if (block == "retry")
    text += "  retry {\n" + unless("retry", "max_retries", "max_retries = 1") + "  when status in 5xx\n" + in("retry") +
            "  }\n";
  if (block == "breaker") text += "  breaker {\n  open when failures(60s) >= 5\n" + in("breaker") + "  }\n";
  text += "}\nupstream second { url = \"http://second:1\" }\n";
  text += "cache some_cache {\n" + unless("cache", "key", "key = \"${request.body} ${client.ip}\"") +
          unless("cache", "ttl", "ttl = 5s") + in("cache") + "}\n";
  text += "reply some_reply {\n" + unless("reply", "status", "status = 200") + in("reply") + "}\n";
  text += "mock some_mock {\n";
  if (block != "mock" || (name != "text" && name != "body")) text += "  text = \"x\"\n";
  text += in("mock") + "}\n";
  text += "route all {\n" +
          (route_replies || (block == "route" && name == "to") ? std::string() : std::string("  to = first\n")) +
          in("route") + "}\n";
  return text;
}

std::string Line(const Setting& setting, const std::string& value) {
  return setting.name + (IsKeyed(setting) ? "[\"X-Test\"]" : "") + " = " + value;
}

std::optional<std::string> Model(const std::string& text, std::string* findings) {
  compiler::CompileOptions options;
  options.environment = [](const std::string&) { return std::nullopt; };
  Diagnostics diagnostics;
  const auto policy = compiler::CheckPolicy(text, options, &diagnostics);
  *findings = compiler::diagnostics::RenderAll(compiler::source::SourceBuffer("policy", text), diagnostics) + text;
  if (!policy) return std::nullopt;
  // Whatever a setting says survives a bundle.
  const auto read = compiler::bundle::DecodePolicy(compiler::bundle::EncodePolicy(*policy));
  EXPECT_TRUE(read && compiler::bundle::IsSame(*read, *policy)) << text;
  if (read) {
    EXPECT_EQ(compiler::model::Print(*read), compiler::model::Print(*policy)) << text;
  }
  return compiler::model::Print(*policy);
}

bool HasErrors(const std::string& text, std::string_view code, std::string* findings) {
  Diagnostics diagnostics;
  compiler::CheckPolicy(text, {}, &diagnostics);
  *findings = compiler::diagnostics::RenderAll(compiler::source::SourceBuffer("policy", text), diagnostics);
  return std::any_of(diagnostics.items().begin(), diagnostics.items().end(),
                     [&](const auto& d) { return d.code == code; });
}

TEST(SettingsTable, AnotherValueChangesTheModel) {
  for (const Setting& setting : Settings()) {
    const bool is_required = setting.default_text == "required";
    // What the setting replaces or joins: nothing, or for required ones a first value.
    static const std::map<std::string, std::string> kFirst = {{"listen", "\"127.0.0.1:8080\""},
                                                              {"url", "\"http://first:1\""},
                                                              {"max_retries", "1"},
                                                              {"key", "\"${request.body} ${client.ip}\""},
                                                              {"ttl", "5s"},
                                                              {"length", "8"},
                                                              {"path", "\"/\""},
                                                              {"patch", "json { \"a\": 1 }"},
                                                              {"timeout", "4s"},
                                                              {"patch", "json { \"a\": 1 }"},
                                                              {"status", "200"}};
    std::string without_lines;
    if (setting.block == "tls" && is_required) {
      without_lines = Line(setting, "\"/first\"");
    } else if (is_required) {
      without_lines = Line(setting, kFirst.at(setting.name));
    }
    if (setting.block == "mock" && (setting.name == "text" || setting.name == "body"))
      without_lines = setting.name == "text" ? "text = \"x\"" : "body = json { }";
    if (setting.block == "route" && setting.name == "to") without_lines = "to = first";
    if (setting.name == "listen" || setting.name == "listen_tls")
      without_lines = setting.name + (setting.name == "listen" ? " = \"127.0.0.1:8080\"" : " = \"127.0.0.1:8444\"");
    if (setting.block == "gateway" && setting.name == "tls")
      continue;  // with listen_tls it is required, and there is one block
    if (setting.block == "upstream_tls" && (setting.name == "certificate" || setting.name == "key")) {
      without_lines = Line(setting, "\"/first\"");
    }
    if (setting.block == "route" && setting.name == "reply") without_lines = "to = first";
    std::string findings;
    const auto without = Model(PolicyWith(setting.block, setting.name, without_lines), &findings);
    ASSERT_TRUE(without) << setting.block << "." << setting.name << "\n" << findings;
    std::string other = setting.other_text;
    if (setting.block == "cache" && setting.name == "key") other = "\"k ${request.body} ${client.ip}\"";
    const auto with = Model(PolicyWith(setting.block, setting.name, Line(setting, other)), &findings);
    ASSERT_TRUE(with) << setting.block << "." << setting.name << "\n" << findings;
    EXPECT_NE(*without, *with) << setting.block << "." << setting.name << " changes nothing";
  }
}

TEST(SettingsTable, TheDefaultWrittenOutChangesNothing) {
  int written = 0;
  for (const Setting& setting : Settings()) {
    if (setting.default_text == "required" || setting.default_text.starts_with("(")) continue;
    std::string findings;
    const auto without = Model(PolicyWith(setting.block, setting.name, ""), &findings);
    const auto with = Model(PolicyWith(setting.block, setting.name, Line(setting, setting.default_text)), &findings);
    ASSERT_TRUE(without && with) << setting.block << "." << setting.name << "\n" << findings;
    EXPECT_EQ(*without, *with) << setting.block << "." << setting.name;
    ++written;
  }
  EXPECT_GE(written, 15);
}

TEST(SettingsTable, BeyondTheRangeIsRefusedAndItsEndsAreNot) {
  for (const Setting& setting : Settings()) {
    const size_t dots = setting.range.find("..");
    if (dots == std::string::npos) continue;
    const std::string low = setting.range.substr(0, dots);
    const std::string high = setting.range.substr(dots + 2);
    std::string findings;
    for (const std::string& end : {low, high}) {
      EXPECT_TRUE(Model(PolicyWith(setting.block, setting.name, Line(setting, end)), &findings)) << findings;
    }
    // One more digit in front is always more.
    EXPECT_TRUE(HasErrors(PolicyWith(setting.block, setting.name, Line(setting, "9" + high)), "PL0165", &findings))
        << setting.name << "\n"
        << findings;
  }
}

TEST(SettingsTable, WhatIsNotHonouredIsRefusedAsSuch) {
  for (const Name& setting : NotHonoured()) {
    std::string findings;
    EXPECT_TRUE(HasErrors(PolicyWith(setting.block, setting.name, setting.name + " = 5s"), "PL0132", &findings))
        << setting.block << "." << setting.name << "\n"
        << findings;
  }
}

TEST(SettingsTable, EverySettingStandsInTheDocumentation) {
  std::ifstream in(BREAKWATER_DOCS_DIR "/language.md");
  std::ostringstream text;
  text << in.rdbuf();
  const std::string docs = text.str();
  ASSERT_FALSE(docs.empty());
  // A row that is lacking is printed as it must stand there.
  for (const Setting& setting : Settings()) {
    const std::string block = setting.block == "upstream_tls" ? "upstream.tls" : setting.block;
    const std::string row = "| `" + block + "` | `" + setting.name + "` | " + setting.default_text + " | " +
                            setting.range + " | " + setting.doc + " |";
    EXPECT_NE(docs.find(row), std::string::npos) << "docs/language.md lacks the row\n" << row;
  }
  for (const Name& setting : NotHonoured()) {
    EXPECT_NE(docs.find("`" + setting.block + "." + setting.name + "`"), std::string::npos)
        << setting.block << "." << setting.name;
  }
  const std::vector<std::string> whens = {
#define WHEN_LINE(block, word, Phase, required, honoured, doc) \
  std::string("| `" #block "` | `") + (*word ? word " when" : "when") + "` | " + #Phase + " | " + doc + " |",
#include "compiler/model/settings.def"
  };
  for (const std::string& row : whens)
    EXPECT_NE(docs.find(row), std::string::npos) << "docs/language.md lacks the row\n" << row;
  const std::vector<std::string> facts = {
#define FACT_FIELD(language_name, member, Base, optional, phase, doc) \
  std::string("| `" language_name "` | " #Base) + (optional ? "?" : "") + " | " #phase " | " + doc + " |",
#include "compiler/abi/fact_fields.def"
#undef FACT_FIELD
#define FACT_FAMILY(language_name, member, Base, optional, phase, doc) \
  std::string("| `" language_name "` | " #Base) + (optional ? "?" : "") + " | " #phase " | " + doc + " |",
#include "compiler/abi/fact_fields.def"
#undef FACT_FAMILY
#define WINDOW_MEASURE(language_name, enumerator, Base, Arguments, written, doc) \
  std::string("| `" written "` | " #Base " | Window | ") + doc + " |",
#include "compiler/abi/fact_fields.def"
#undef WINDOW_MEASURE
#define ERROR_KIND(name, is_timeout, doc) \
  std::string("| `" #name "` | ") + (is_timeout ? "`timeout`" : "") + " | " + doc + " |",
#include "compiler/abi/errors.def"
#undef ERROR_KIND
  };
  for (const std::string& row : facts)
    EXPECT_NE(docs.find(row), std::string::npos) << "docs/language.md lacks the row\n" << row;
  const std::vector<std::string> tests = {
#define ACT(id, word, doc) std::string("| `" word "` | " doc " |"),
#include "compiler/model/test_acts.def"
#undef ACT
#define SUBJECT(id, name, takes, type, doc) std::string("| `" name "` | " doc " |"),
#include "compiler/model/test_subjects.def"
#undef SUBJECT
  };
  for (const std::string& row : tests)
    EXPECT_NE(docs.find(row), std::string::npos) << "docs/language.md lacks the row\n" << row;
}

}  // namespace
