// Names that mean something to checks: headers that say who asks, paths of model servers, members of requests to models.
#pragma once

#include <string>
#include <string_view>

namespace compiler::analysis {

// All names in lower case.
bool IsCredentialHeader(std::string_view header);  // what a client proves with who it is
bool TellsNoCaller(std::string_view header);       // what many clients send alike: Accept, User-Agent
bool IsOfOneRequest(std::string_view header);      // another one each time: X-Request-Id
bool IsForwardingHeader(
    std::string_view header);  // X-Forwarded-For and its kin: who the client was, by whoever wrote it
bool IsPrivilegeHeader(std::string_view header);
// The same of any name that a request brings, of a query parameter for example, in small letters.
bool HoldsPrivilege(std::string_view name);  // X-Admin: a header made to let somebody in

bool IsModelPath(std::string_view path);     // where a model is asked, by POST
bool ChangesServer(std::string_view path);   // what an Ollama is changed by, or asked by POST: /api/pull
bool IsListPath(std::string_view path);      // what is read by GET: models, versions, health
bool StreamsAnswers(std::string_view path);  // a model's answer may come as a stream

// A member of a body that says how a model is to answer, and not what is asked.
bool IsSetting(std::string_view member);
// One that is the question itself.
bool IsQuestion(std::string_view member);
// A Number by the API.
bool IsNumberMember(std::string_view member);
// Likewise a Bool, or text.
bool IsFlagMember(std::string_view member);
bool IsTextMember(std::string_view member);

// Whether the name of a variable or member says that its value is a credential: OPENAI_API_KEY, api_key, password.
bool NamesCredential(std::string_view name);
// The kind of key that a text begins with ("an API key of OpenAI"); "" for none.
std::string_view KindOfKey(std::string_view text);

// Whether a host is a neighbour: an address of a private network, or a name that only stands there.
bool IsPrivateHost(const std::string& host);

}  // namespace compiler::analysis
