// Modules to object files in memory, and those to one image: sections side by side, every reference between them relative, calls
// of helpers through a table that the loader fills. Whatever would need more of a linker than that is refused, not guessed at.
#include "compiler/jit/image.h"

#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Module.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Object/ELFObjectFile.h>
#include <llvm/Support/MemoryBuffer.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Target/TargetMachine.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compiler/abi/helpers.h"
#include "compiler/jit/code_level.h"
#include "compiler/lower/lower.h"

namespace compiler::jit {
namespace {

constexpr char kTriple[] = "x86_64-unknown-linux-gnu";
constexpr uint64_t kStubBytes = 8;  // jmp *slot(%rip), and two bytes of trap

std::string Describe(llvm::Error error) { return llvm::toString(std::move(error)); }

class Linker {
 public:
  // Takes the sections of one object over. "" or what is wrong.
  std::string Add(std::unique_ptr<llvm::MemoryBuffer> buffer) {
    auto object = llvm::object::ObjectFile::createObjectFile(buffer->getMemBufferRef());
    if (!object) return Describe(object.takeError());
    Object added;
    for (const llvm::object::SectionRef& section : (*object)->sections()) {
      const llvm::object::ELFSectionRef elf(section);
      auto name = section.getName();
      if (!name) return Describe(name.takeError());
      if ((elf.getFlags() & llvm::ELF::SHF_ALLOC) == 0 || section.getSize() == 0) continue;
      if (*name == ".eh_frame" || name->starts_with(".note")) continue;  // nothing is thrown through a predicate
      if ((elf.getFlags() & llvm::ELF::SHF_WRITE) != 0) return "section " + name->str() + " wants to be written";
      auto contents = section.getContents();
      if (!contents) return Describe(contents.takeError());
      const uint64_t alignment = std::max<uint64_t>(section.getAlignment().value(), 16);
      code_.resize((code_.size() + alignment - 1) / alignment * alignment, static_cast<char>(0xcc));
      added.places[section.getIndex()] = code_.size();
      code_.append(contents->data(), contents->size());
    }
    for (const llvm::object::SymbolRef& symbol : (*object)->symbols()) {
      auto name = symbol.getName();
      auto place = PlaceOf(added, symbol);
      if (!name) return Describe(name.takeError());
      if (place && !name->empty()) symbols_[name->str()] = *place;
    }
    added.buffer = std::move(buffer);
    added.file = std::move(*object);
    objects_.push_back(std::move(added));
    return "";
  }

  std::string Finish(const model::Policy& policy, abi::PredicateImage* image) {
    // Which helpers are called decides where the table is, so they are found first.
    for (const Object& object : objects_) {
      if (std::string problem = EachRelocation(object, [&](const Reference& reference) { return FindHelper(reference); }); !problem.empty())
        return problem;
    }
    const uint64_t stubs = (code_.size() + 15) / 16 * 16;
    const uint64_t end = (stubs + kStubBytes * image_.helpers.size() + abi::kImagePage - 1) / abi::kImagePage * abi::kImagePage;
    code_.resize(end, static_cast<char>(0xcc));
    for (size_t i = 0; i < image_.helpers.size(); ++i) {
      const uint64_t stub = stubs + kStubBytes * i;
      code_[stub] = static_cast<char>(0xff);
      code_[stub + 1] = 0x25;
      if (!Put32(stub + 2, static_cast<int64_t>(end + 8 * i) - static_cast<int64_t>(stub + 6))) return "the code is too large";
    }
    for (const Object& object : objects_) {
      if (std::string problem = EachRelocation(object, [&](const Reference& reference) { return Resolve(reference, stubs, end); }); !problem.empty())
        return problem;
    }
    for (size_t i = 0; i < policy.predicates.size(); ++i) {
      const auto found = symbols_.find(lower::FunctionName(abi::PredicateId(static_cast<int32_t>(i))));
      if (found == symbols_.end()) return "predicate " + std::to_string(i) + " has no code";
      image_.entries.push_back(found->second);
    }
    image_.code = std::move(code_);
    *image = std::move(image_);
    return "";
  }

 private:
  struct Object {
    std::unique_ptr<llvm::MemoryBuffer> buffer;
    std::unique_ptr<llvm::object::ObjectFile> file;
    std::map<uint64_t, uint64_t> places;  // index of a section -> where it begins in code_
  };
  struct Reference {
    uint64_t at = 0;                      // in code_
    uint64_t type = 0;
    int64_t addend = 0;
    std::optional<uint64_t> place;        // of what is meant, where the image has it
    std::string name;                     // of a helper otherwise
  };

  static std::optional<uint64_t> PlaceOf(const Object& object, const llvm::object::SymbolRef& symbol) {
    auto section = symbol.getSection();
    if (!section) {
      llvm::consumeError(section.takeError());
      return std::nullopt;
    }
    auto value = symbol.getValue();
    if (!value) {
      llvm::consumeError(value.takeError());
      return std::nullopt;
    }
    if (*section == symbol.getObject()->section_end()) return std::nullopt;
    const auto found = object.places.find((*section)->getIndex());
    if (found == object.places.end()) return std::nullopt;
    return found->second + *value;
  }

  template <typename Take>
  static std::string EachRelocation(const Object& object, const Take& take) {
    for (const llvm::object::SectionRef& section : object.file->sections()) {
      auto target = section.getRelocatedSection();
      if (!target) {
        llvm::consumeError(target.takeError());
        continue;
      }
      if (*target == object.file->section_end()) continue;
      const auto place = object.places.find((*target)->getIndex());
      if (place == object.places.end()) continue;
      for (const llvm::object::RelocationRef& relocation : section.relocations()) {
        Reference reference;
        reference.at = place->second + relocation.getOffset();
        reference.type = relocation.getType();
        auto addend = llvm::object::ELFRelocationRef(relocation).getAddend();
        if (!addend) return Describe(addend.takeError());
        reference.addend = *addend;
        const auto symbol = relocation.getSymbol();
        if (symbol == object.file->symbol_end()) return "a reference to nothing";
        reference.place = PlaceOf(object, *symbol);
        auto name = symbol->getName();
        if (!name) return Describe(name.takeError());
        reference.name = name->str();
        if (std::string problem = take(reference); !problem.empty()) return problem;
      }
    }
    return "";
  }

  std::string FindHelper(const Reference& reference) {
    if (reference.place || slots_.contains(reference.name)) return "";
    const auto helpers = abi::Helpers();
    const bool is_known = std::any_of(helpers.begin(), helpers.end(), [&](const abi::HelperInfo& helper) { return helper.name == reference.name; });
    if (!is_known) return "the code calls " + reference.name + ", which is not in helpers.def";
    slots_[reference.name] = image_.helpers.size();
    image_.helpers.push_back(reference.name);
    return "";
  }

  std::string Resolve(const Reference& reference, uint64_t stubs, uint64_t table) {
    uint64_t target = 0;
    switch (reference.type) {
      case llvm::ELF::R_X86_64_PC32:
      case llvm::ELF::R_X86_64_PLT32:
        target = reference.place ? *reference.place : stubs + kStubBytes * slots_.at(reference.name);
        break;
      case llvm::ELF::R_X86_64_GOTPCREL:
      case llvm::ELF::R_X86_64_GOTPCRELX:
      case llvm::ELF::R_X86_64_REX_GOTPCRELX:
        if (reference.place) return "a reference by table to " + reference.name;
        target = table + 8 * slots_.at(reference.name);
        break;
      default: return "a reference of type " + std::to_string(reference.type) + " to " + reference.name;
    }
    const int64_t distance = static_cast<int64_t>(target) + reference.addend - static_cast<int64_t>(reference.at);
    return Put32(reference.at, distance) ? "" : "the code is too large";
  }

  bool Put32(uint64_t at, int64_t value) {
    if (value < std::numeric_limits<int32_t>::min() || value > std::numeric_limits<int32_t>::max()) return false;
    const auto narrow = static_cast<int32_t>(value);
    std::memcpy(code_.data() + at, &narrow, sizeof narrow);
    return true;
  }

  std::string code_;
  std::vector<Object> objects_;
  std::map<std::string, uint64_t> symbols_;
  std::map<std::string, size_t> slots_;
  abi::PredicateImage image_;
};

std::unique_ptr<llvm::TargetMachine> MakeMachine(std::string_view cpu_level, llvm::CodeGenOptLevel level, std::string* error) {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
  });
  const llvm::Target* const target = llvm::TargetRegistry::lookupTarget(kTriple, *error);
  if (target == nullptr) return nullptr;
  std::unique_ptr<llvm::TargetMachine> machine(
      target->createTargetMachine(kTriple, llvm::StringRef(cpu_level.data(), cpu_level.size()), "", {}, llvm::Reloc::PIC_,
                                  llvm::CodeModel::Small, level));
  if (machine == nullptr) *error = "LLVM makes no code for " + std::string(cpu_level);
  return machine;
}

}  // namespace

ImageResult MakeImageWithLlvm(const model::Policy& policy, std::string_view cpu_level) {
  static std::mutex mutex;
  const std::lock_guard<std::mutex> lock(mutex);
  ImageResult result;
  if (std::find(std::begin(abi::kCpuLevels), std::end(abi::kCpuLevels), cpu_level) == std::end(abi::kCpuLevels)) {
    result.error = "there is no CPU level " + std::string(cpu_level);
    return result;
  }
  const std::unique_ptr<llvm::TargetMachine> machine = MakeMachine(cpu_level, LevelFor(policy), &result.error);
  if (machine == nullptr) return result;
  Linker linker;
  const auto count = static_cast<int32_t>(policy.predicates.size());
  for (int32_t first = 0; first < count; first += kPredicatesPerModule) {
    llvm::LLVMContext context;
    const std::unique_ptr<llvm::Module> module = lower::LowerPredicates(
        policy, abi::PredicateId(first), std::min(kPredicatesPerModule, count - first), context, &result.error);
    if (module == nullptr) return result;
    module->setDataLayout(machine->createDataLayout());
    module->setTargetTriple(kTriple);
    module->setPICLevel(llvm::PICLevel::SmallPIC);
    llvm::SmallVector<char, 0> bytes;
    llvm::raw_svector_ostream stream(bytes);
    llvm::legacy::PassManager passes;
    if (machine->addPassesToEmitFile(passes, stream, nullptr, llvm::CodeGenFileType::ObjectFile)) {
      result.error = "LLVM writes no object files for this target";
      return result;
    }
    passes.run(*module);
    result.error = linker.Add(llvm::MemoryBuffer::getMemBufferCopy(llvm::StringRef(bytes.data(), bytes.size())));
    if (!result.error.empty()) return result;
  }
  abi::PredicateImage image;
  result.error = linker.Finish(policy, &image);
  if (!result.error.empty()) return result;
  image.cpu = cpu_level;
  result.image = std::move(image);
  return result;
}

}  // namespace compiler::jit
