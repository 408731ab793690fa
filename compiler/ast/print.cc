#include "compiler/ast/print.h"

#include <algorithm>

namespace compiler::ast {
namespace {

std::string Join(const std::vector<Expr>& items, std::string_view separator) {
  std::string out;
  for (const Expr& item : items) {
    if (!out.empty()) out += separator;
    out += Print(item);
  }
  return out;
}

std::string Quote(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '\n') out += "\\n";
    else if (c == '"' || c == '\\') (out += '\\') += c;
    else out += c;
  }
  return out;
}

void PrintBody(const std::vector<Statement>& body, int depth, std::string* out);

struct StatementPrinter {
  int depth;
  std::string* out;

  void operator()(const Broken&) const { *out += "broken\n"; }
  void operator()(const Edition& s) const { *out += "edition " + s.number.text + "\n"; }
  void operator()(const Let& s) const { *out += "let " + s.name.text + " = " + Print(s.value) + "\n"; }
  void operator()(const Setting& s) const {
    *out += s.name.text + (s.key ? "[" + Print(*s.key) + "]" : "") + " = " + Print(s.value) + "\n";
  }
  void operator()(const When& s) const {
    *out += (s.word ? s.word->text + " " : "") + "when " + Print(s.predicate) + "\n";
  }
  void operator()(const Block& s) const {
    *out += "block " + s.kind.text + (s.name ? " " + s.name->text : "") + (s.broken ? " broken" : "") + "\n";
    PrintBody(s.body, depth + 1, out);
  }
  void operator()(const Promise& s) const { *out += "promise " + Print(s.claim) + "\n"; }
  void operator()(const Allow& s) const { *out += "allow " + s.code.text + " because " + Print(s.reason) + "\n"; }
  void operator()(const Sentence& s) const {
    *out += s.verb.text;
    if (!s.subject.text.empty()) *out += " " + s.subject.text;
    for (const Clause& clause : s.clauses)
      *out += " " + Print(clause.value) + (clause.assigned ? " = " + Print(*clause.assigned) : "");
    *out += (s.claim ? " " + Print(*s.claim) : "") + "\n";
  }
  void operator()(const Test& s) const {
    *out += "test " + Print(s.name) + (s.broken ? " broken" : "") + "\n";
    PrintBody(s.body, depth + 1, out);
  }
  void operator()(const Import& s) const { *out += "import " + Print(s.path) + " as " + s.name.text + "\n"; }
};

void PrintBody(const std::vector<Statement>& body, int depth, std::string* out) {
  const std::string indent(static_cast<size_t>(depth) * 2, ' ');
  for (const Statement& statement : body) {
    for (size_t at = 0; at < statement.doc.size();) {
      const size_t end = std::min(statement.doc.find('\n', at), statement.doc.size());
      *out += indent + "## " + statement.doc.substr(at, end - at) + "\n";
      at = end + 1;
    }
    *out += indent;
    std::visit(StatementPrinter{depth, out}, statement.node);
  }
}

}  // namespace

std::string Print(const File& file) {
  std::string out;
  PrintBody(file.body, 0, &out);
  return out;
}

std::string Print(const Expr& e) {
  switch (e.kind) {
    case ExprKind::kError: return "<error>";
    case ExprKind::kNumber:
    case ExprKind::kNetwork:
    case ExprKind::kName: return e.text;
    case ExprKind::kRegex: return "/" + e.text + "/";
    case ExprKind::kString: {
      std::string out = "\"";
      for (const StringPart& part : e.parts) out += part.value ? "${" + Print(*part.value) + "}" : Quote(part.text);
      return out + "\"";
    }
    case ExprKind::kMember: return Print(e.operands[0]) + "." + e.text;
    case ExprKind::kIndex: return Print(e.operands[0]) + "[" + Print(e.operands[1]) + "]";
    case ExprKind::kCall: {
      std::string arguments;
      for (const Argument& a : e.arguments) {
        if (!arguments.empty()) arguments += ", ";
        if (a.name) arguments += a.name->text + ": ";
        arguments += Print(*a.value);
      }
      return Print(e.operands[0]) + "(" + arguments + ")";
    }
    case ExprKind::kNot: return "(not " + Print(e.operands[0]) + ")";
    case ExprKind::kAnd: return "(" + Join(e.operands, " and ") + ")";
    case ExprKind::kOr: return "(" + Join(e.operands, " or ") + ")";
    case ExprKind::kCompare: return "(" + Print(e.operands[0]) + " " + e.text + " " + Print(e.operands[1]) + ")";
    case ExprKind::kIn:
      return "(" + Print(e.operands[0]) + (e.negated ? " not in " : " in ") + Print(e.operands[1]) + ")";
    case ExprKind::kCoalesce: return "(" + Print(e.operands[0]) + " ?? " + Print(e.operands[1]) + ")";
    case ExprKind::kList: return "[" + Join(e.operands, ", ") + "]";
    case ExprKind::kSet: return "{" + Join(e.operands, ", ") + "}";
    case ExprKind::kJson: return "json " + e.text;
  }
  return "";
}

}  // namespace compiler::ast
