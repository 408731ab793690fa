// A policy as a bundle: the same policy afterwards, the same decisions by its code, variables read when it is loaded, and a
// sentence for whatever is not what was written.
#include "compiler/bundle/bundle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sstream>

#include "base/digest.h"
#include "compiler/bundle/code_mapping.h"
#include "compiler/bundle/model_codec.h"
#include "compiler/compile.h"
#include "compiler/compile_bundle.h"
#include "compiler/diagnostics/render.h"
#include "compiler/expand/imports.h"
#include "compiler/jit/jit.h"
#include "compiler/model/interpret.h"
#include "compiler/model/print.h"
#include "tests/oracle/random_world.h"

namespace {

using compiler::bundle::Content;
using compiler::bundle::DecodePolicy;
using compiler::bundle::EncodePolicy;
using compiler::bundle::Pack;
using compiler::bundle::SignBundle;

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

struct Compiled {
  std::optional<Content> content;
  std::string findings;
};

Compiled Compile(const std::string& text, const std::string& name = "some.policy", const std::string& cpu = "x86-64") {
  compiler::diagnostics::Diagnostics diagnostics;
  compiler::BundleOptions options;
  options.cpu_level = cpu;
  options.made_by = "9.8.7";
  const auto source = compiler::ReadSource(name, text, nullptr);
  Compiled compiled{compiler::CompileBundle(source, options, &diagnostics), ""};
  compiled.findings = compiler::diagnostics::RenderAll(*source, diagnostics);
  return compiled;
}

using Environment = std::map<std::string, std::string>;
compiler::bundle::Variables VariablesOf(const Environment& environment) {
  return {[environment](const std::string& name) -> std::optional<std::string> {
            const auto found = environment.find(name);
            if (found == environment.end()) return std::nullopt;
            return found->second;
          },
          [](const std::string& path) -> std::optional<std::string> {
            if (path == "/run/secrets/key") return "from a file";
            return std::nullopt;
          }};
}

struct Loaded {
  std::shared_ptr<const compiler::CompiledPolicy> compiled;
  std::string why;
};
Loaded Load(const std::string& bytes, const Environment& environment = {}) {
  Loaded loaded;
  auto opened = compiler::bundle::Open(bytes, nullptr, &loaded.why);
  if (opened) loaded.compiled = compiler::bundle::Load(std::move(*opened), VariablesOf(environment), &loaded.why);
  return loaded;
}

constexpr const char* kPolicy = R"(edition 1

gateway { listen = "127.0.0.1:0"  admin = off }

upstream model {
  url = "http://127.0.0.1:11434"
  retry { max_retries = 1  when status in {500, 503} or error in timeout }
}

route chat {
  when request.path starts_with "/api/" and request.header["x-tenant"] matches /^shop[0-9]+$/
  to = model
}
route otherwise { reply = none_such }
reply none_such { status = 404  body = json { "error": "no such route" } }
)";

// ---- The model -------------------------------------------------------------------------------------------------------

TEST(Bundle, EveryShippedPolicyIsTheSameAfterwards) {
  int policies = 0;
  for (const auto& entry : std::filesystem::directory_iterator(BREAKWATER_SOURCE_DIR "/policies")) {
    if (entry.path().extension() != ".policy") continue;
    ++policies;
    SCOPED_TRACE(entry.path());
    const std::string text = ReadFile(entry.path());
    compiler::CompileOptions options;
    compiler::diagnostics::Diagnostics diagnostics;
    const auto policy = compiler::CheckPolicy(text, options, &diagnostics);
    ASSERT_TRUE(policy);
    const std::string bytes = EncodePolicy(*policy);
    const auto read = DecodePolicy(bytes);
    ASSERT_TRUE(read);
    EXPECT_EQ(compiler::model::Print(*read), compiler::model::Print(*policy));
    EXPECT_EQ(EncodePolicy(*read), bytes);
    // Cut anywhere, it is nothing.
    for (size_t size = 0; size < bytes.size(); size += 1 + size % 29) EXPECT_FALSE(DecodePolicy(std::string_view(bytes).substr(0, size)));
    EXPECT_FALSE(DecodePolicy(bytes + '\0'));
  }
  EXPECT_GE(policies, 8);
}

TEST(Bundle, BytesThatNobodyWroteAreReadToTheEndWithoutHarm) {
  const Compiled compiled = Compile(kPolicy);
  ASSERT_TRUE(compiled.content) << compiled.findings;
  const std::string bytes = EncodePolicy(compiled.content->policy);
  std::mt19937 random(15);
  int refused = 0;
  for (int i = 0; i < 5'000; ++i) {
    std::string changed = bytes;
    for (size_t n = 1 + random() % 4; n > 0; --n) changed[random() % changed.size()] = static_cast<char>(random());
    if (random() % 4 == 0) changed.resize(random() % changed.size());
    refused += DecodePolicy(changed) ? 0 : 1;
  }
  EXPECT_GT(refused, 1'000);
}

// ---- The code --------------------------------------------------------------------------------------------------------

TEST(Bundle, ItsCodeDecidesAsTheInterpreterDoes) {
  using namespace tests::oracle;
  int64_t pairs = 0;
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    Chance chance(seed);
    std::vector<Expr> conditions;
    for (int i = 0; i < 200; ++i) conditions.push_back(RandomCondition(chance, 2));
    auto policy = PolicyOf(std::move(conditions));
    policy.patterns = RandomPatterns();
    const auto result = compiler::jit::MakeImage(policy, seed % 2 == 0 ? "x86-64" : "x86-64-v2");
    ASSERT_TRUE(result.image) << result.error;
    const auto again = compiler::jit::MakeImage(policy, result.image->cpu);
    EXPECT_EQ(*again.image, *result.image) << "the same policy gives the same bytes";
    const auto decoded = DecodePolicy(EncodePolicy(policy));
    ASSERT_TRUE(decoded);
    compiler::abi::PredicateTable machine;
    std::string why;
    const auto code = compiler::bundle::MapCode(*result.image, *decoded, &machine, &why);
    ASSERT_TRUE(code) << why;
    const auto interpreted = compiler::model::InterpretedPredicates(policy);
    const GuardedTexts texts;
    std::deque<RandomFacts> worlds;
    for (int i = 0; i < 100; ++i) worlds.emplace_back(chance, texts);
    for (int32_t i = 0; i < 200; ++i) {
      const compiler::abi::PredicateId id(i);
      for (int k = 0; k < 24; ++k, ++pairs) {
        const auto& facts = chance.Pick(worlds).facts();
        ASSERT_EQ(machine.Test(id, facts), interpreted.Test(id, facts)) << compiler::model::Print(policy.predicates[id].expr);
      }
    }
  }
  EXPECT_EQ(pairs, 6 * 200 * 24);
}

TEST(Bundle, CodeForAnotherCpuIsRefused) {
  const Compiled compiled = Compile(kPolicy);
  ASSERT_TRUE(compiled.content) << compiled.findings;
  Content content = *compiled.content;
  content.image.cpu = "x86-64-v9";
  const Loaded loaded = Load(Pack(content));
  EXPECT_FALSE(loaded.compiled);
  EXPECT_NE(loaded.why.find("CPU level x86-64-v9"), std::string::npos) << loaded.why;
}

TEST(Bundle, WithoutCodeItsPredicatesAreInterpreted) {
  const Compiled compiled = Compile(kPolicy, "some.policy", "");
  ASSERT_TRUE(compiled.content) << compiled.findings;
  EXPECT_TRUE(compiled.content->image.code.empty());
  const Loaded loaded = Load(Pack(*compiled.content));
  ASSERT_TRUE(loaded.compiled) << loaded.why;
  EXPECT_EQ(loaded.compiled->predicates.size(), loaded.compiled->policy.predicates.size());
}

TEST(Bundle, CodeThatLeadsOutsideOfItselfIsRefused) {
  const Compiled compiled = Compile(kPolicy);
  ASSERT_TRUE(compiled.content) << compiled.findings;
  for (const auto& spoil : std::vector<std::function<void(compiler::abi::PredicateImage&)>>{
           [](auto& image) { image.entries[0] = image.code.size(); },
           [](auto& image) { image.entries.pop_back(); },
           [](auto& image) { image.code.pop_back(); },
           [](auto& image) { image.helpers.emplace_back("system"); }}) {
    Content content = *compiled.content;
    spoil(content.image);
    EXPECT_FALSE(Load(Pack(content)).compiled);
  }
  EXPECT_TRUE(Load(Pack(*compiled.content)).compiled) << "unspoilt";
}

// ---- The file --------------------------------------------------------------------------------------------------------

TEST(Bundle, TheSamePolicyGivesTheSameBytesFromAnyFolder) {
  const Compiled here = Compile(kPolicy, "some.policy");
  const Compiled there = Compile(kPolicy, "/a/folder/some.policy");
  ASSERT_TRUE(here.content && there.content) << here.findings;
  EXPECT_EQ(Pack(*here.content), Pack(*there.content));
}

TEST(Bundle, IsNeverReadInPart) {
  const Compiled compiled = Compile(kPolicy);
  ASSERT_TRUE(compiled.content) << compiled.findings;
  std::string bytes = Pack(*compiled.content);
  const auto keys = base::NewKeyPair();
  std::string is_signed = bytes;
  ASSERT_TRUE(SignBundle(keys->private_pem, &is_signed));
  ASSERT_TRUE(Load(bytes).compiled);
  ASSERT_TRUE(Load(is_signed).compiled);
  for (const std::string& whole : {bytes, is_signed}) {
    std::mt19937 random(4);
    for (size_t size = 0; size < whole.size(); size += size < 200 ? 1 : 1 + random() % 397) {
      const Loaded loaded = Load(whole.substr(0, size));
      ASSERT_FALSE(loaded.compiled) << size;
      ASSERT_FALSE(loaded.why.empty()) << size;
    }
    EXPECT_FALSE(Load(whole + "x").compiled);
    for (size_t at = 0; at < whole.size(); at += at < 200 || at + 200 > whole.size() ? 1 : 1 + random() % 397) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ (1 << (random() % 8)));
      const Loaded loaded = Load(changed);
      ASSERT_FALSE(loaded.compiled) << "byte " << at;
      ASSERT_FALSE(loaded.why.empty()) << "byte " << at;
    }
  }
}

TEST(Bundle, SaysWhatIsWrongWithIt) {
  const Compiled compiled = Compile(kPolicy);
  ASSERT_TRUE(compiled.content) << compiled.findings;
  const std::string bytes = Pack(*compiled.content);
  const auto why = [](const std::string& text) { return Load(text).why; };
  EXPECT_NE(why("edition 1\n").find("no bundle"), std::string::npos);
  EXPECT_NE(why(bytes.substr(0, bytes.size() - 1)).find("truncated"), std::string::npos);
  EXPECT_NE(why(bytes.substr(0, 20)).find("truncated"), std::string::npos);
  EXPECT_NE(why(bytes + "\n").find("follows its end"), std::string::npos);
  std::string as_text = bytes;
  as_text.replace(4, 2, "\n");
  EXPECT_NE(why(as_text).find("copy it as a binary file"), std::string::npos) << why(as_text);
  std::string newer = bytes;
  newer[8] = 2;
  EXPECT_NE(why(newer).find("format 2"), std::string::npos) << why(newer);
  std::string damaged = bytes;
  damaged[damaged.size() / 2] ^= 1;
  EXPECT_NE(why(damaged).find("SHA-256"), std::string::npos) << why(damaged);
  // A whole file of another build: the schema stands behind version and ABI number.
  std::string other = bytes;
  const size_t schema = other.find(compiler::bundle::SchemaId());
  ASSERT_NE(schema, std::string::npos);
  other[schema] = other[schema] == '0' ? '1' : '0';
  const auto digest = base::Sha256(std::string_view(other).substr(56));
  other.replace(24, 32, reinterpret_cast<const char*>(digest.data()), 32);
  EXPECT_NE(why(other).find("breakwater 9.8.7"), std::string::npos) << why(other);
  EXPECT_NE(why(other).find("compile the policy with the version that runs it"), std::string::npos);
}

TEST(Bundle, OnlyTheKeyThatIsTrustedIsTrusted) {
  const Compiled compiled = Compile(kPolicy);
  ASSERT_TRUE(compiled.content) << compiled.findings;
  const std::string bytes = Pack(*compiled.content);
  const auto ours = base::NewKeyPair();
  const auto theirs = base::NewKeyPair();
  ASSERT_TRUE(ours && theirs);
  EXPECT_NE(ours->public_pem, theirs->public_pem);
  const auto key = base::ReadPublicKey(ours->public_pem);
  ASSERT_TRUE(key);
  EXPECT_EQ(key, base::ReadPublicKey(ours->private_pem)) << "a private key has its public one";

  std::string by_us = bytes;
  std::string by_them = bytes;
  ASSERT_TRUE(SignBundle(ours->private_pem, &by_us));
  ASSERT_TRUE(SignBundle(theirs->private_pem, &by_them));
  std::string refused = bytes;
  EXPECT_FALSE(SignBundle(ours->public_pem, &refused)) << "a public key signs nothing";
  EXPECT_FALSE(SignBundle("no key", &refused));
  std::string again = bytes;
  ASSERT_TRUE(SignBundle(ours->private_pem, &again));
  EXPECT_EQ(again, by_us) << "signatures of Ed25519 are the same each time";

  std::string why;
  const auto opened = compiler::bundle::Open(by_us, &*key, &why);
  ASSERT_TRUE(opened) << why;
  EXPECT_EQ(opened->signed_by, key);
  EXPECT_FALSE(compiler::bundle::Open(by_them, &*key, &why));
  EXPECT_NE(why.find("another key"), std::string::npos) << why;
  EXPECT_FALSE(compiler::bundle::Open(bytes, &*key, &why));
  EXPECT_NE(why.find("not signed"), std::string::npos) << why;
  // Our key's name on their signature, and our signature on another payload.
  std::string forged = by_them;
  forged.replace(forged.size() - 96, 32, by_us, by_us.size() - 96, 32);
  EXPECT_FALSE(compiler::bundle::Open(forged, &*key, &why));
  EXPECT_NE(why.find("signature is wrong"), std::string::npos) << why;
  Content other = *compiled.content;
  other.hash = "0000000000000000";
  std::string moved = Pack(other);
  ASSERT_TRUE(SignBundle(theirs->private_pem, &moved));
  moved.replace(moved.size() - 96, 96, by_us, by_us.size() - 96, 96);
  EXPECT_FALSE(compiler::bundle::Open(moved, &*key, &why));
  EXPECT_TRUE(compiler::bundle::Open(by_them, nullptr, &why)) << "without --trust anything whole is taken";
}

TEST(Bundle, BringsItsTextAndWhatItImports) {
  const std::map<std::string, std::string> files = {
      {"shared/llm.policy", "edition 1\nreply none_such { status = 404  body = json { } }\n"}};
  const std::string text =
      "edition 1\nimport \"shared/llm.policy\" as llm\ngateway { listen = \"127.0.0.1:0\" }\nroute all { reply = llm.none_such }\n";
  const auto read = [&](const std::string& path) {
    return compiler::ImportedText{"/somewhere/" + path, files.contains(path) ? files.at(path) : "", files.contains(path) ? "" : "no such file"};
  };
  compiler::diagnostics::Diagnostics diagnostics;
  const auto source = compiler::ReadSource("/somewhere/main.policy", text, read);
  const auto content = compiler::CompileBundle(source, {}, &diagnostics);
  ASSERT_TRUE(content) << compiler::diagnostics::RenderAll(*source, diagnostics);
  std::string why;
  const auto opened = compiler::bundle::Open(Pack(*content), nullptr, &why);
  ASSERT_TRUE(opened) << why;
  const auto again = compiler::SourceOf(opened->content);
  EXPECT_EQ(again->name(), "main.policy");
  compiler::diagnostics::Diagnostics none;
  const auto written = compiler::CheckWritten(again, {}, &none);
  ASSERT_TRUE(written) << compiler::diagnostics::RenderAll(*again, none);
  EXPECT_EQ(written->hash, opened->hash);
}

// ---- Variables -------------------------------------------------------------------------------------------------------

constexpr const char* kWithVariables = R"(edition 1

gateway { listen = env("LISTEN", default: "127.0.0.1:8080")  admin = off  access_log = env("LOG", default: "/dev/null") }

upstream model {
  url = env("MODEL_URL", default: "http://127.0.0.1:11434/v")
  header["Authorization"] = "Bearer ${secret("KEY")}"
  rewrite = json { "note": "${env("NOTE", default: "plain")}" }
}

upstream other { url = "http://${env("HOST", default: "second")}:81" }

route all { to = [model, other]  fallback = [busy] }
reply busy { status = 200  body = json { "by": "${env("NOTE", default: "plain")}" }  header["X-By"] = env("NOTE", default: "plain") }
)";

std::string PrintOf(const Loaded& loaded) { return loaded.compiled ? compiler::model::Print(loaded.compiled->policy) : "refused: " + loaded.why; }

std::string PrintOfText(const std::string& text, const Environment& environment) {
  compiler::CompileOptions options;
  options.environment = VariablesOf(environment).environment;
  options.for_run = true;
  compiler::diagnostics::Diagnostics diagnostics;
  const auto policy = compiler::CheckPolicy(text, options, &diagnostics);
  return policy ? compiler::model::Print(*policy) : "refused";
}

TEST(Bundle, VariablesAreReadWhenItIsLoadedAndComeToTheSameAsInText) {
  const Compiled compiled = Compile(kWithVariables);
  ASSERT_TRUE(compiled.content) << compiled.findings;
  const std::string bytes = Pack(*compiled.content);
  EXPECT_EQ(bytes.find("topsecret"), std::string::npos);
  const std::vector<Environment> environments = {
      {{"KEY", "topsecret"}},
      {{"KEY", "topsecret"}, {"LISTEN", "[::1]:99"}, {"MODEL_URL", "http://model:1/x"}, {"HOST", "third"}, {"LOG", "/srv/x.log"}},
      {{"KEY", "k"}, {"NOTE", "a \"quoted\" \\ text"}},
  };
  for (const Environment& environment : environments) {
    const std::string expected = PrintOfText(kWithVariables, environment);
    ASSERT_NE(expected, "refused");
    EXPECT_EQ(PrintOf(Load(bytes, environment)), expected);
  }
  EXPECT_NE(PrintOf(Load(bytes, environments[0])), PrintOf(Load(bytes, environments[1])));
  const Loaded by_file = Load(bytes, {{"KEY_FILE", "/run/secrets/key"}});
  ASSERT_TRUE(by_file.compiled) << by_file.why;
}

TEST(Bundle, AVariableThatIsMissingOrDoesNotFitIsNamed) {
  const Compiled compiled = Compile(kWithVariables);
  ASSERT_TRUE(compiled.content) << compiled.findings;
  const std::string bytes = Pack(*compiled.content);
  const auto why = [&](Environment environment) {
    environment.emplace("KEY", "k");
    const Loaded loaded = Load(bytes, environment);
    EXPECT_FALSE(loaded.compiled);
    return loaded.why;
  };
  EXPECT_NE(Load(bytes).why.find("KEY is not set"), std::string::npos) << Load(bytes).why;
  EXPECT_NE(Load(bytes).why.find("KEY_FILE"), std::string::npos);
  EXPECT_NE(why({{"KEY", ""}}).find("KEY is not set"), std::string::npos);
  EXPECT_NE(why({{"MODEL_URL", "model:1"}}).find("MODEL_URL"), std::string::npos);
  EXPECT_NE(why({{"LISTEN", "nowhere"}}).find("LISTEN"), std::string::npos);
  EXPECT_NE(why({{"NOTE", "two\r\nX-Admin: lines"}}).find("NOTE"), std::string::npos);
}

TEST(Bundle, AVariableThatDecidesWhatThePolicyIsIsRefusedAtItsPlace) {
  const std::string begin = "edition 1\ngateway { listen = \"127.0.0.1:0\" }\nupstream u { url = \"http://h:1\" }\n";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {begin + "route all { when request.header[\"x\"] == env(\"WHO\", default: \"me\")  to = u }\n", "WHO"},
      {begin + "route all { when request.header[env(\"NAME\", default: \"x\")] != none  to = u }\n", "NAME"},
      {begin + "upstream v { url = \"http://h:1\"  remove_header = [env(\"GONE\", default: \"x\")] }\nroute all { to = [u, v] }\n", ""},
      {"edition 1\ngateway { listen = \"127.0.0.1:0\"  metrics_prefix = env(\"PREFIX\", default: \"x\") }\n"
       "upstream u { url = \"http://h:1\" }\nroute all { to = u }\n",
       "PREFIX"},
      {"edition 1\ngateway { listen = \"127.0.0.1:0\"  trusted_proxies = [env(\"PROXY\", default: \"10.0.0.1\")] }\n"
       "upstream u { url = \"http://h:1\" }\nroute all { to = u }\n",
       "PROXY"},
      {begin + "upstream v { url = \"http://h:1\"  breaker { open when failures(60s) >= 5 }  health { path = env(\"HEALTH\", default: \"/\") } }\n"
               "route all { to = [u, v] }\n",
       "HEALTH"},
  };
  for (const auto& [text, variable] : cases) {
    const Compiled compiled = Compile(text);
    if (variable.empty()) {
      EXPECT_TRUE(compiled.content) << compiled.findings;
      continue;
    }
    EXPECT_FALSE(compiled.content) << text;
    EXPECT_NE(compiled.findings.find(variable + " is read when the bundle is loaded"), std::string::npos) << compiled.findings;
    EXPECT_EQ(compiled.findings.find("bwlate"), std::string::npos) << "nobody wrote that: " << compiled.findings;
    EXPECT_NE(PrintOfText(text, {}), "refused") << "as text it runs: " << text;
  }
}

}  // namespace
