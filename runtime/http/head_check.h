// Private to this folder. What a head means and whether it may be trusted: the checks that llhttp leaves to its user
// (start line, target, Host, framing, Connection, Expect). Works on complete heads whose lines were tokenised.
#pragma once

#include <string>
#include <string_view>

#include "runtime/http/message.h"
#include "runtime/http/message_parser.h"

namespace runtime::http {

// `start_line` without CR LF. Fills everything of *head but `headers`, which is filled already. A target that has to be
// built ("http://host?x" has no path) is put into *spare.
ParseError CheckRequestHead(std::string_view start_line, RequestHead* head, std::string* spare);

// Likewise, of a line "METHOD /… HTTP/1.1" whose method, of `method_size` letters, is a known one. *known_host: a Host that was found valid
// before, or nothing; becomes this one.
ParseError CheckPlainRequestHead(std::string_view start_line, size_t method_size, RequestHead* head, std::string* spare,
                                 std::string* known_host);

// `no_body`: the answer to HEAD.
ParseError CheckResponseHead(std::string_view start_line, bool no_body, ResponseHead* head);

}  // namespace runtime::http
