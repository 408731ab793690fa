// Where the JIT library is looked for, and what is said when it is not there. A failure is not remembered, so that one
// process can show all of them and then succeed.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "compiler/jit/jit.h"
#include "tests/oracle/expr_builder.h"

namespace tests::oracle {
namespace {

constexpr char kPathVariable[] = "BREAKWATER_JIT_LIBRARY";

std::string ErrorWith(const std::string& path) {
  setenv(kPathVariable, path.c_str(), 1);
  return compiler::jit::CompilePredicates(PolicyOf({})).error;
}

bool Contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(JitLoader, SaysWhatIsWrongUntilItFindsTheLibrary) {
  const char* given = std::getenv(kPathVariable);
  ASSERT_NE(given, nullptr) << "run this by ctest, or set BREAKWATER_JIT_LIBRARY";
  const std::string real_path = given;

  const std::string missing = ErrorWith("/nowhere/libbreakwater_jit.so");
  EXPECT_TRUE(Contains(missing, "was not found. Looked for:")) << missing;
  EXPECT_TRUE(Contains(missing, "/tests/oracle/libbreakwater_jit.so\n")) << "the executable's folder: " << missing;
  EXPECT_TRUE(Contains(missing, "/../lib/breakwater/libbreakwater_jit.so\n")) << missing;
  EXPECT_TRUE(Contains(missing, "\n  /nowhere/libbreakwater_jit.so")) << missing;
  EXPECT_TRUE(Contains(missing, "Put it beside the executable")) << missing;

  const std::string text_file = testing::TempDir() + "not_a_library.so";
  std::ofstream(text_file) << "plain text";
  const std::string unreadable = ErrorWith(text_file);
  EXPECT_TRUE(Contains(unreadable, "cannot be opened: " + text_file)) << unreadable;

  Dl_info libc{};
  ASSERT_NE(dladdr(reinterpret_cast<void*>(&std::abort), &libc), 0);
  const std::string foreign = ErrorWith(libc.dli_fname);
  EXPECT_TRUE(Contains(foreign, "is not the JIT library of this Breakwater")) << foreign;

  EXPECT_EQ(ErrorWith(real_path), "");
}

}  // namespace
}  // namespace tests::oracle
