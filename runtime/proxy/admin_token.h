// The token of the admin address. Where the policy writes none, one is made at start and left in a file that only the gateway's own
// user can read: the commands of the same user (or root) find it there.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace runtime::proxy {

// Folders that the file may be in, the likeliest first.
std::vector<std::string> AdminTokenFolders();
// Its name there; gateways on several ports don't get into each other's way.
std::string AdminTokenFile(std::string_view port);

// 43 characters of base64url from the system's generator. Empty: it failed.
std::string MakeAdminToken();

// Writes it with the rights 0600 into the first folder that takes it. Returns the path; empty: none does.
std::string LeaveAdminToken(std::string_view token, std::string_view port);

// In a time that depends on the lengths only.
bool IsSameToken(std::string_view given, std::string_view wanted);

}  // namespace runtime::proxy
