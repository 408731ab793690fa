// Finds and opens libbreakwater_jit.so, which is where LLVM is; this file and its users never see it.
#include "compiler/jit/jit.h"

#include <dlfcn.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <mutex>
#include <string_view>
#include <vector>

#include "compiler/jit/jit_library.h"

namespace compiler::jit {
namespace {

constexpr char kPathVariable[] = "BREAKWATER_JIT_LIBRARY";

// The folder of the running executable without a slash at its end; "" where /proc is not mounted.
std::string ExecutableFolder() {
  char path[PATH_MAX];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof(path));
  if (size <= 0) return "";
  const std::string_view text(path, static_cast<size_t>(size));
  return std::string(text.substr(0, text.rfind('/')));
}

// In the order in which they are tried.
std::vector<std::string> CandidatePaths() {
  std::vector<std::string> paths;
  const std::string folder = ExecutableFolder();
  if (!folder.empty()) {
    paths.push_back(folder + "/" + kLibraryName);
    paths.push_back(folder + "/../lib/breakwater/" + kLibraryName);
  }
  if (const char* path = std::getenv(kPathVariable); path != nullptr && *path != '\0') paths.emplace_back(path);
  return paths;
}

struct Library {
  EntryFunction* entry = nullptr;
  ImageEntryFunction* image_entry = nullptr;
  std::string error;
};

// A file that exists but does not open (LLVM is not installed, say) ends the search: its error is the one to show.
Library OpenLibrary() {
  Library library;
  std::string tried;
  for (const std::string& path : CandidatePaths()) {
    if (access(path.c_str(), F_OK) != 0) {
      tried += "\n  " + path;
      continue;
    }
    void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      const char* reason = dlerror();
      library.error = "the JIT library cannot be opened: " + std::string(reason == nullptr ? path.c_str() : reason) +
                      "\nIt needs LLVM 19 (Debian package libllvm19).";
      return library;
    }
    void* entry = dlsym(handle, kEntryName);
    void* image_entry = dlsym(handle, kImageEntryName);
    if (entry == nullptr || image_entry == nullptr) {
      library.error = path + " is not the JIT library of this Breakwater: it has no function " +
                      (entry == nullptr ? kEntryName : kImageEntryName);
      return library;
    }
    library.entry = reinterpret_cast<EntryFunction*>(entry);
    library.image_entry = reinterpret_cast<ImageEntryFunction*>(image_entry);
    return library;  // never closed: machine code of any age may come from it
  }
  library.error = std::string("the JIT library ") + kLibraryName + " was not found. Looked for:" + tried +
                  "\nPut it beside the executable, or name it in the environment variable " + kPathVariable + ".";
  return library;
}

// The library, opened if need be.
Library Opened() {
  static std::mutex mutex;
  static Library library;
  const std::lock_guard<std::mutex> lock(mutex);
  if (library.entry == nullptr) library = OpenLibrary();  // a failure is tried again: the file may have come since
  return library;
}

std::string OtherBuild() {
  return std::string(kLibraryName) + " is of another build than this executable; install both from one build.";
}

}  // namespace

JitResult CompilePredicates(const model::Policy& policy) {
  const Library library = Opened();
  JitResult result;
  result.error = library.error;
  if (library.entry == nullptr) return result;
  const LibraryContract contract;
  if (!library.entry(&contract, &policy, &result)) result.error = OtherBuild();
  return result;
}

ImageResult MakeImage(const model::Policy& policy, std::string_view cpu_level) {
  const Library library = Opened();
  ImageResult result;
  result.error = library.error;
  if (library.image_entry == nullptr) return result;
  const LibraryContract contract;
  const std::string level(cpu_level);
  if (!library.image_entry(&contract, &policy, &level, &result)) result.error = OtherBuild();
  return result;
}

}  // namespace compiler::jit
