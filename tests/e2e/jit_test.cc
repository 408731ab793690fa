// The JIT is what runs: with a library whose lowering is wrong on purpose, the gateway on its sockets does the wrong
// thing.
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>

#include "tests/e2e/story.h"

namespace tests::e2e {
namespace {

namespace fs = std::filesystem;

// The executable alone in a folder with the library that it is to open: it looks beside itself.
class Copy {
 public:
  explicit Copy(const std::string& library) {
    fs::copy_file(BREAKWATER_EXECUTABLE, folder_.path() / "breakwater");
    fs::copy_file(library, folder_.path() / "libbreakwater_jit.so");
  }
  std::string executable() const { return (folder_.path() / "breakwater").string(); }

 private:
  support::TempDir folder_;
};

struct Fault {
  std::string name;       // planted_faults.def
  std::string predicate;  // of the route under test; false for the request below
};
std::ostream& operator<<(std::ostream& out, const Fault& fault) { return out << fault.name; }

// What a client sees at the status of the route that its request took.
int StatusOfTheTakenRoute(const std::string& executable, const Fault& fault, const std::string& planted) {
  GatewayOptions options;
  options.executable = executable;
  options.environment = {{"BREAKWATER_PLANTED_FAULT", planted}, {"BREAKWATER_JIT_LIBRARY", ""}};
  GatewayProcess gateway(Gateway() + "route special { when " + fault.predicate + "  reply = wrong }\n" +
                             "route otherwise { reply = right }\n"
                             "reply wrong { status = 418  body = json { } }\n"
                             "reply right { status = 200  body = json { } }\n",
                         options);
  return Post(gateway.port(), "/api/chat/abc", R"({"n": 3, "half": 3.5, "model": "qwen3:32b"})", {{"X-Tier", "gold"}})
      .status;
}

class WrongCode : public testing::TestWithParam<Fault> {};

TEST_P(WrongCode, ChangesWhatAClientSees) {
  const Copy right(BREAKWATER_JIT_LIBRARY_FILE);
  const Copy faulty(FAULTY_JIT_LIBRARY_FILE);
  EXPECT_EQ(StatusOfTheTakenRoute(right.executable(), GetParam(), ""), 200);
  EXPECT_EQ(StatusOfTheTakenRoute(faulty.executable(), GetParam(), ""), 200)
      << "without a fault it is the same library";
  EXPECT_EQ(StatusOfTheTakenRoute(faulty.executable(), GetParam(), GetParam().name), 418)
      << "the fault " << GetParam().name << " did not show: is it compiled code that decides?";
}

INSTANTIATE_TEST_SUITE_P(Planted, WrongCode,
                         testing::Values(Fault{"always_true", "request.path == \"/nowhere\""},
                                         Fault{"and_is_or", "request.method == POST and request.path == \"/nowhere\""},
                                         Fault{"ends_with_looks_at_start", "request.path ends_with \"/api\""},
                                         Fault{"json_fraction_lost", "request.json.half == 3"},
                                         Fault{"absent_text_is_empty", "request.header[\"X-None\"] == \"\""}),
                         [](const testing::TestParamInfo<Fault>& fault) { return fault.param.name; });

// The same for what the engine decides: retries and breakers go by compiled predicates, too.
TEST(JitDecides, WhetherAFailureIsTriedAgain) {
  const Copy faulty(FAULTY_JIT_LIBRARY_FILE);
  for (const bool planted : {false, true}) {
    ScriptedUpstream upstream(AnswerFailure);
    GatewayOptions options;
    options.executable = faulty.executable();
    options.environment = {{"BREAKWATER_PLANTED_FAULT", planted ? "always_false" : ""}, {"BREAKWATER_JIT_LIBRARY", ""}};
    GatewayProcess gateway(Gateway() + Upstream("main", upstream.url(), R"(
  repeat_safe = true
  retry { max_retries = 2  when status in 5xx  wait = exponential(from: 1ms) })"),
                           options);
    Post(gateway.port(), "/api/chat", Chat("x"));
    EXPECT_EQ(upstream.request_count(), planted ? 1 : 3);
  }
}

TEST(JitDecides, AndWithoutItsLibraryTheInterpreterSaysTheSame) {
  support::TempDir folder;
  fs::copy_file(BREAKWATER_EXECUTABLE, folder.path() / "breakwater");
  GatewayOptions options;
  options.executable = (folder.path() / "breakwater").string();
  options.environment = {{"BREAKWATER_JIT_LIBRARY", ""}};
  GatewayProcess gateway(
      Gateway() + "route a { when request.path == \"/x\"  reply = r }\nreply r { status = 200  text = \"x\" }\n",
      options);
  const Json event = gateway.WaitForEvent("conditions are interpreted");
  EXPECT_NE(event.value("reason", "").find("libbreakwater_jit.so"), std::string::npos) << event.dump();
  EXPECT_EQ(Get(gateway.port(), "/x").body, "x");
  EXPECT_EQ(Get(gateway.port(), "/y").status, 404);
}

}  // namespace
}  // namespace tests::e2e
