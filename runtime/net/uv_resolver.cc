// A look-up's state belongs to libuv until its callback; a Resolution that is destroyed only forbids the call to the owner.
#include "runtime/net/uv_resolver.h"

#include <algorithm>
#include <utility>

namespace runtime::net {
namespace {

struct Lookup {
  Loop* loop;
  uint16_t port;
  Transport::ResolveCallback done;
  bool cancelled = false;
  bool is_uv_request = false;
  uv_getaddrinfo_t request;
};

// Both sides hold the look-up: the one that comes last frees it.
class UvResolution final : public Resolution {
 public:
  explicit UvResolution(std::shared_ptr<Lookup> lookup) : lookup_(std::move(lookup)) {}
  ~UvResolution() override {
    lookup_->cancelled = true;
    if (lookup_->is_uv_request) uv_cancel(reinterpret_cast<uv_req_t*>(&lookup_->request));  // if it hasn't begun
  }

 private:
  std::shared_ptr<Lookup> lookup_;
};

void Deliver(Lookup& lookup, ResolveResult result) {
  if (lookup.cancelled || !lookup.loop->delivers_callbacks()) return;
  lookup.done(std::move(result));
}

void OnLookedUp(uv_getaddrinfo_t* request, int status, addrinfo* list) {
  const std::unique_ptr<std::shared_ptr<Lookup>> held(static_cast<std::shared_ptr<Lookup>*>(request->data));
  Lookup& lookup = **held;
  lookup.is_uv_request = false;
  lookup.loop->RequestEnds();
  ResolveResult result;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    Address address = AddressOf(entry->ai_addr);
    address.port = lookup.port;
    if (std::find(result.addresses.begin(), result.addresses.end(), address) == result.addresses.end()) {
      result.addresses.push_back(std::move(address));
    }
  }
  uv_freeaddrinfo(list);
  if (status != 0) result.error = NetErrorOf(status);
  if (status != 0 && result.error == NetError::kOther) result.error = NetError::kNameFailure;
  Deliver(lookup, std::move(result));
}

}  // namespace

std::unique_ptr<Resolution> ResolveOn(Loop* loop, const std::string& host, uint16_t port,
                                      Transport::ResolveCallback done) {
  auto lookup = std::make_shared<Lookup>();
  lookup->loop = loop;
  lookup->port = port;
  lookup->done = std::move(done);

  ResolveResult at_once;
  sockaddr_storage numeric;
  if (ParseAddress(host, port, &numeric)) {
    at_once.addresses.push_back({host, port});
  } else {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    lookup->request.data = new std::shared_ptr<Lookup>(lookup);
    const int result = uv_getaddrinfo(loop->uv(), &lookup->request, OnLookedUp, host.c_str(), nullptr, &hints);
    if (result == 0) {
      lookup->is_uv_request = true;
      loop->RequestBegins();
      return std::make_unique<UvResolution>(std::move(lookup));
    }
    delete static_cast<std::shared_ptr<Lookup>*>(lookup->request.data);
    at_once.error = NetErrorOf(result);  // the name is no name: too long, or not to be encoded
    if (at_once.error == NetError::kOther) at_once.error = NetError::kNameNotFound;
  }
  loop->Defer([lookup, at_once = std::move(at_once)] { Deliver(*lookup, at_once); });
  return std::make_unique<UvResolution>(std::move(lookup));
}

}  // namespace runtime::net
