// `breakwater explain-request`: a line of the access log in words, with the lines of the policy that decided.
#include "cli/explain_log_line.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "compiler/expand/imports.h"

namespace {

compiler::WrittenPolicy Founding() {
  std::ifstream file(BREAKWATER_POLICIES_DIR "/qwen3-32b.policy");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  compiler::diagnostics::Diagnostics diagnostics;
  auto written = compiler::CheckWritten(std::make_shared<compiler::source::SourceBuffer>("qwen3-32b.policy", text), {}, &diagnostics);
  EXPECT_TRUE(written.has_value());
  return std::move(*written);
}

std::string Explain(std::string_view line, const compiler::WrittenPolicy* policy = nullptr) {
  std::string why;
  const std::string words = cli::ExplainLogLine(line, policy, &why);
  return words.empty() ? "no line: " + why : words;
}

// A line that a gateway wrote on this policy, with the server down.
constexpr char kDown[] =
    R"({"time":"2026-11-30T14:32:31.872Z","request_id":"3a27","client":"127.0.0.1","method":"POST","path":"/api/chat","status":200,)"
    R"("route":"default","served_by":"static_response","upstream":"ollama_qwen3_32b","attempts":[)"
    R"({"upstream":"ollama_qwen3_32b","number":1,"error":"refused","ms":0.412},)"
    R"({"upstream":"ollama_qwen3_32b","number":2,"status":500,"ms":12.5},)"
    R"({"upstream":"ollama_qwen3_32b","number":3,"error":"refused","ms":0.4}],"retry_denied":"attempts_exhausted",)"
    R"("fallback":"static_response","fallback_reason":"refused","bytes_in":42,"bytes_out":512,"duration_ms":1502.113,"how":"complete","worker":0,"policy":"0"})";

TEST(ExplainLogLine, TellsAttemptsDenialFallbackAndTime) {
  const std::string words = Explain(kDown);
  EXPECT_EQ(words,
            "POST /api/chat from 127.0.0.1, 2026-11-30T14:32:31.872Z, request id 3a27\n"
            "  Route `default` took it.\n"
            "  Attempt 1 at `ollama_qwen3_32b`: refused: the connection was refused (ECONNREFUSED), after 0.412 ms.\n"
            "  Attempt 2 at `ollama_qwen3_32b`: status 500, after 12 ms.\n"
            "  Attempt 3 at `ollama_qwen3_32b`: refused: the connection was refused (ECONNREFUSED), after 0.4 ms.\n"
            "  No further retry: attempts_exhausted, max_retries have been made.\n"
            "  The client got status 200 from `static_response`, a fallback, because of refused: the connection was refused (ECONNREFUSED).\n"
            "  It took 1.5 s in all.\n");
}

TEST(ExplainLogLine, WithThePolicyItSaysWhichLinesDecided) {
  const compiler::WrittenPolicy policy = Founding();
  const auto line_of = [&policy](std::string_view text) {
    const size_t at = policy.source->text().find(text);
    EXPECT_NE(at, std::string_view::npos) << text;
    return "(qwen3-32b.policy:" + std::to_string(policy.source->PositionOf(static_cast<uint32_t>(at)).line) + ")";
  };
  std::string line = kDown;
  line.replace(line.find("\"policy\":\"0\""), 12, "\"policy\":\"" + policy.hash + "\"");
  const std::string words = Explain(line, &policy);
  EXPECT_NE(words.find("at `ollama_qwen3_32b` " + line_of("upstream ollama_qwen3_32b")), std::string::npos) << words;
  EXPECT_NE(words.find("No further retry " + line_of("when status in 5xx")), std::string::npos) << words;
  EXPECT_NE(words.find("from `static_response` " + line_of("reply static_response")), std::string::npos) << words;
  EXPECT_EQ(words.find("another policy"), std::string::npos) << words;
  EXPECT_NE(Explain(kDown, &policy).find("written under another policy (0; this one is " + policy.hash), std::string::npos);

  const std::string open = Explain(
      R"({"request_id":"r","method":"POST","path":"/api/chat","status":200,"route":"default","served_by":"static_response",)"
      R"("upstream":"ollama_qwen3_32b","attempts":[],"fallback":"static_response","fallback_reason":"breaker_open","duration_ms":0.2,"how":"complete"})",
      &policy);
  EXPECT_NE(open.find("because of breaker_open: "), std::string::npos) << open;
  EXPECT_NE(open.find(line_of("open when failed_requests")), std::string::npos) << open;
}

TEST(ExplainLogLine, TellsHowAnswersEnded) {
  const auto ended = [](const std::string& how) {
    return Explain(R"({"request_id":"r","status":200,"how":")" + how + R"(","served_by":"m","route":"a","completion_tokens":7,"prompt_tokens":3,"model":"qwen3"})");
  };
  EXPECT_NE(ended("cut").find("broke off"), std::string::npos);
  EXPECT_NE(ended("continued").find("another upstream finished it"), std::string::npos);
  EXPECT_NE(ended("client_gone").find("The client left"), std::string::npos);
  EXPECT_EQ(ended("complete").find("left"), std::string::npos);
  EXPECT_NE(ended("complete").find("qwen3 read 3 tokens and wrote 7"), std::string::npos);
}

TEST(ExplainLogLine, ReadsLinesAsTheToolsGiveThemOutThatLogsAreReadWith) {
  const std::string words = Explain(kDown);
  const auto quoted = [](const char* member) {
    return R"({"time":"t",")" + std::string(member) + "\":" + nlohmann::json(kDown).dump() + "}";
  };
  for (const std::string& line :
       {"Nov 30 20:57:28 vm breakwater[13321]: " + std::string(kDown), "gateway-1  | " + std::string(kDown),
        quoted("MESSAGE"), quoted("log"), quoted("message")}) {
    EXPECT_EQ(Explain(line), words) << line;
  }
  EXPECT_EQ(Explain(R"({"message":"about \"request_id\" alone"})"),
            "no line: it has no `request_id`: is it an event? Those stand on standard error; the access log goes to "
            "standard output");
}

TEST(ExplainLogLine, TellsWhoDidNotWaitForAnAttempt) {
  const std::string words = Explain(
      R"({"request_id":"r","status":499,"how":"client_gone","served_by":"gateway","route":"a","attempts":[{"upstream":"u","number":1,"error":"cancelled","ms":200.2}]})");
  EXPECT_NE(words.find("Attempt 1 at `u`: cancelled: the gateway gave it up, because the client had left"),
            std::string::npos)
      << words;
}

TEST(ExplainLogLine, SaysWhatIsNoLineOfTheLog) {
  EXPECT_EQ(Explain("hello"), "no line: it is no JSON object");
  EXPECT_EQ(Explain(R"({"time":"t","level":"warn","message":"breaker opened"})"),
            "no line: it has no `request_id`: is it an event? Those stand on standard error; the access log goes to standard output");
  EXPECT_EQ(Explain(R"({"request_id":7,"status":"x","how":null,"attempts":"none"})").find("no line"), std::string::npos);
}

}  // namespace
