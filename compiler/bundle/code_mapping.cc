#include "compiler/bundle/code_mapping.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "compiler/abi/helpers.h"

namespace compiler::bundle {
namespace {

class Mapping final : public PredicateCode {
 public:
  Mapping(void* begin, size_t bytes, const model::Policy& policy) : begin_(begin), bytes_(bytes), patterns_(policy.patterns) {
    for (const auto& pattern : patterns_) asked_.push_back(pattern.get());
  }
  ~Mapping() override {
    if (bytes_ > 0) munmap(begin_, bytes_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  const void* patterns() const { return asked_.data(); }

 private:
  void* const begin_;
  const size_t bytes_;
  const std::vector<std::shared_ptr<const abi::Pattern>> patterns_;
  std::vector<const abi::Pattern*> asked_;
};

size_t Pages(size_t bytes) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}

bool WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

// Puts the code at `at`, to be read and executed: from a file in memory, which rules against writable code leave alone; where the
// system gives none that may be executed, written there and then closed to writing.
bool PutCode(char* at, const std::string& code) {
  const int fd = memfd_create("breakwater-predicates", MFD_CLOEXEC);
  if (fd >= 0) {
    void* mapped = MAP_FAILED;
    if (WriteAll(fd, code)) mapped = mmap(at, code.size(), PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 0);
    close(fd);
    if (mapped != MAP_FAILED) return true;
  }
  if (mmap(at, code.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) return false;
  std::memcpy(at, code.data(), code.size());
  return mprotect(at, code.size(), PROT_READ | PROT_EXEC) == 0;
}

}  // namespace

std::unique_ptr<PredicateCode> MapCode(const abi::PredicateImage& image, const model::Policy& policy,
                                       abi::PredicateTable* table, std::string* why) {
  const auto fail = [why](std::string text) {
    *why = std::move(text);
    return nullptr;
  };
  if (!abi::RunsHere(image.cpu)) return fail("its code is for the CPU level " + image.cpu + ", which this machine does not have");
  if (image.code.size() % abi::kImagePage != 0 || image.entries.size() != policy.predicates.size() ||
      std::any_of(image.entries.begin(), image.entries.end(), [&](uint64_t entry) { return entry >= image.code.size(); })) {
    return fail("its code is damaged");
  }
  std::vector<const void*> addresses;
  for (const std::string& name : image.helpers) {
    const auto helpers = abi::Helpers();
    const auto found = std::find_if(helpers.begin(), helpers.end(), [&](const abi::HelperInfo& helper) { return helper.name == name; });
    if (found == helpers.end()) return fail("its code calls " + name + ", which this version does not have");
    addresses.push_back(reinterpret_cast<const void*>(found->address));
  }
  // The distance from code to table is in the code; pages of the system may be larger than those of the image.
  if (Pages(image.code.size()) != image.code.size() && !addresses.empty()) return fail("this machine's pages are too large for it");
  const size_t table_bytes = Pages(addresses.size() * sizeof(void*));
  const size_t bytes = Pages(image.code.size()) + table_bytes;
  if (bytes == 0) {
    *table = {};
    return std::make_unique<Mapping>(nullptr, 0, policy);
  }
  void* const begin = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (begin == MAP_FAILED) return fail(std::string("there is no memory for its code: ") + std::strerror(errno));
  auto mapping = std::make_unique<Mapping>(begin, bytes, policy);
  char* const code = static_cast<char*>(begin);
  if (!PutCode(code, image.code)) return fail(std::string("the system lets nothing be executed from memory: ") + std::strerror(errno));
  if (table_bytes > 0) {
    char* const slots = code + image.code.size();
    if (mprotect(slots, table_bytes, PROT_READ | PROT_WRITE) != 0) return fail(std::strerror(errno));
    std::memcpy(slots, addresses.data(), addresses.size() * sizeof(void*));
    if (mprotect(slots, table_bytes, PROT_READ) != 0) return fail(std::strerror(errno));
  }
  std::vector<abi::Predicate> predicates;
  predicates.reserve(image.entries.size());
  for (const uint64_t entry : image.entries) {
    predicates.push_back({reinterpret_cast<int32_t (*)(const void*, const abi::Facts*) noexcept>(code + entry), mapping->patterns()});
  }
  *table = abi::PredicateTable(std::move(predicates));
  return mapping;
}

}  // namespace compiler::bundle
