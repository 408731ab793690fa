// Reads dialect members by nlohmann's SAX interface, which needs no recursion: deep nesting costs one bit a level.
#include "runtime/dialect/members.h"

#include <nlohmann/json.hpp>

namespace runtime::dialect {
namespace {

using Json = nlohmann::ordered_json;

class Reader final : public nlohmann::json_sax<Json> {
 public:
  explicit Reader(Members* members) : members_(members) {}

  bool null() override { return Scalar(false); }
  bool boolean(bool value) override {
    if (depth_ == 1 && top_ == Top::kStream) members_->stream = value;
    if (depth_ == 1 && top_ == Top::kDone) members_->done = value;
    return Scalar(true);
  }
  bool number_integer(number_integer_t) override { return Scalar(true); }
  bool number_unsigned(number_unsigned_t) override { return Scalar(true); }
  bool number_float(number_float_t, const string_t&) override { return Scalar(true); }
  bool string(string_t& value) override {
    if (depth_ == 1 && top_ == Top::kModel) members_->model = value;
    return Scalar(true);
  }
  bool binary(binary_t&) override { return false; }  // not in JSON text

  bool start_object(std::size_t) override {
    if (depth_ == 0) members_->is_object = true;
    Scalar(true);
    ++depth_;
    return true;
  }
  bool start_array(std::size_t) override {
    Scalar(true);
    ++depth_;
    return true;
  }
  bool end_object() override { return Leave(); }
  bool end_array() override { return Leave(); }

  bool key(string_t& name) override {
    if (depth_ == 1 && members_->is_object) {
      top_ = name == "stream"    ? Top::kStream
             : name == "model"   ? Top::kModel
             : name == "done"    ? Top::kDone
             : name == "error"   ? Top::kError
             : name == "choices" ? Top::kChoices
                                 : Top::kOther;
      if (top_ == Top::kDone) {
        members_->has_done = true;
        members_->done.reset();
      } else if (top_ == Top::kStream) {
        members_->stream.reset();
      } else if (top_ == Top::kModel) {
        members_->model.clear();
      } else if (top_ == Top::kError) {
        members_->has_error = false;
      }
    } else if (depth_ == 3) {
      is_finish_reason_ = top_ == Top::kChoices && name == "finish_reason";
    }
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) override { return false; }

 private:
  enum class Top { kNone, kStream, kModel, kDone, kError, kChoices, kOther };

  // A value begins: all that is asked of most of them is whether they are null.
  bool Scalar(bool is_something) {
    if (depth_ == 1 && top_ == Top::kError) members_->has_error = is_something;
    if (depth_ == 3 && is_finish_reason_) members_->has_finish |= is_something;
    return true;
  }

  bool Leave() {
    --depth_;
    if (depth_ <= 2) is_finish_reason_ = false;
    return true;
  }

  Members* members_;
  int depth_ = 0;  // open objects and arrays around what comes next
  Top top_ = Top::kNone;
  bool is_finish_reason_ = false;
};

}  // namespace

std::optional<Members> ReadMembers(std::string_view text) {
  Members members;
  Reader reader(&members);
  if (!Json::sax_parse(text.begin(), text.end(), &reader)) return std::nullopt;
  return members;
}

}  // namespace runtime::dialect
