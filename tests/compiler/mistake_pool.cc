#include "tests/compiler/mistake_pool.h"

namespace tests {
namespace {

const std::vector<Mistake> kPool = {
    // ---- words and characters
    {"semicolon", R"(cache c$ {
  key = "k ${request.body}"
  ttl = 5s
  shared = true
})",
     R"(cache c$ {
  key = "k ${request.body}"
  ttl = 5s⟦;⟧
  shared = true
})",
     "PL0111"},
    {"ampersands", R"(route r$ {
  when client.tls and request.path == "/a"
  to = base
})",
     R"(route r$ {
  when client.tls ⟦&&⟧ request.path == "/a"
  to = base
})",
     "PL0111"},
    {"bars", R"(route r$ {
  when client.tls or request.path == "/a"
  to = base
})",
     R"(route r$ {
  when client.tls ⟦||⟧ request.path == "/a"
  to = base
})",
     "PL0111"},
    {"bang", R"(route r$ {
  when not client.tls
  to = base
})",
     R"(route r$ {
  when ⟦!⟧client.tls
  to = base
})",
     "PL0111"},
    {"single quotes", R"(reply p$ {
  status = 503
  text = "busy"
})",
     R"(reply p$ {
  status = 503
  text = ⟦'busy'⟧
})",
     "PL0111"},
    {"slashes as a comment", R"(reply p$ {
  status = 503
  text = "busy" # later
})",
     R"(reply p$ {
  status = 503
  text = "busy" ⟦// later⟧
})",
     "PL0111"},
    {"open string", R"(reply p$ {
  status = 503
  text = "busy"
})",
     R"(reply p$ {
  status = 503
  text = ⟦"busy⟧
})",
     "PL0112"},
    {"bad escape", R"(reply p$ {
  status = 503
  text = "busy\n"
})",
     R"(reply p$ {
  status = 503
  text = "busy⟦\q⟧"
})",
     "PL0113"},
    {"curly quotes", R"(reply p$ {
  status = 503
  text = "busy"
})",
     R"(reply p$ {
  status = 503
  text = ⟦“⟧busy”
})",
     "PL0103"},
    {"stray character", R"(reply p$ {
  status = 503
  text = "busy"
})",
     R"(reply p$ {
  status = ⟦@⟧503
  text = "busy"
})",
     "PL0110"},
    // ---- shapes
    {"missing equals", R"(upstream u$ {
  url = "http://a:1"
  attempt_timeout = 15s
})",
     R"(upstream u$ {
  url = "http://a:1"
  attempt_timeout ⟦15s⟧
})",
     "PL0122"},
    {"missing value", R"(upstream u$ {
  url = "http://a:1"
  attempt_timeout = 15s
  repeat_safe = true
})",
     R"(upstream u$ {
  url = "http://a:1"
  attempt_timeout ⟦=⟧
  repeat_safe = true
})",
     "PL0121"},
    {"missing value at the end of a block", R"(upstream u$ {
  url = "http://a:1"
  attempt_timeout = 15s
})",
     R"(upstream u$ {
  url = "http://a:1"
  attempt_timeout ⟦=⟧
})",
     "PL0121"},
    {"equals in a predicate", R"(route r$ {
  when request.path == "/a"
  to = base
})",
     R"(route r$ {
  when request.path ⟦=⟧ "/a"
  to = base
})",
     "PL0123"},
    {"double equals in a setting", R"(upstream u$ {
  url = "http://a:1"
  repeat_safe = true
})",
     R"(upstream u$ {
  url = "http://a:1"
  repeat_safe ⟦==⟧ true
})",
     "PL0123"},
    {"colon in a setting", R"(upstream u$ {
  url = "http://a:1"
  repeat_safe = true
})",
     R"(upstream u$ {
  url = "http://a:1"
  repeat_safe⟦:⟧ true
})",
     "PL0123"},
    {"equals in an argument", R"(upstream u$ {
  url = "http://a:1"
  retry {
    max_retries = 1
    when status in 5xx
    wait = exponential(from: 500ms)
  }
})",
     R"(upstream u$ {
  url = "http://a:1"
  retry {
    max_retries = 1
    when status in 5xx
    wait = exponential(from ⟦=⟧ 500ms)
  }
})",
     "PL0123"},
    {"chained comparison", R"(upstream u$ {
  url = "http://a:1"
  retry {
    max_retries = 1
    when attempt > 1 and attempt < 3
  }
})",
     R"(upstream u$ {
  url = "http://a:1"
  retry {
    max_retries = 1
    when 1 < attempt ⟦<⟧ 3
  }
})",
     "PL0124"},
    {"missing operator", R"(upstream u$ {
  url = "http://a:1"
  retry {
    max_retries = 1
    when status in 5xx
  }
})",
     R"(upstream u$ {
  url = "http://a:1"
  retry {
    max_retries = 1
    when status ⟦5xx⟧
  }
})",
     "PL0125"},
    {"missing and", R"(route r$ {
  when client.tls and request.path == "/a"
  to = base
})",
     R"(route r$ {
  when client.tls ⟦request⟧.path == "/a"
  to = base
})",
     "PL0125"},
    {"doubled and", R"(route r$ {
  when client.tls and request.path == "/a"
  to = base
})",
     R"(route r$ {
  when client.tls and ⟦and⟧ request.path == "/a"
  to = base
})",
     "PL0120"},
    {"condition that stops", R"(route r$ {
  when client.tls and request.path == "/a"
  to = base
})",
     R"(route r$ {
  when client.tls ⟦and⟧
  to = base
})",
     "PL0121"},
    {"when without a condition", R"(route r$ {
  when client.tls
  to = base
})",
     R"(route r$ {
  ⟦when⟧
  to = base
})",
     "PL0121"},
    {"missing closing brace of an inner block", R"(upstream u$ {
  url = "http://a:1"
  retry {
    max_retries = 1
    when status in 5xx
  }
  repeat_safe = true
})",
     R"(upstream u$ {
  url = "http://a:1"
  retry {
    max_retries = 1
    when status in ⟦5xx⟧
  repeat_safe = true
})",
     "PL0126"},
    {"missing closing brace of a block", R"(reply p$ {
  status = 503
  text = "busy"
})",
     R"(reply p$ {
  status = 503
  text = ⟦"busy"⟧
)",
     "PL0126"},
    {"missing opening brace", R"(upstream u$ {
  url = "http://a:1"
  retry {
    max_retries = 1
    when status in 5xx
  }
})",
     R"(upstream u$ {
  url = "http://a:1"
  ⟦retry⟧
    max_retries = 1
    when status in 5xx
  }
})",
     "PL0121"},
    {"doubled closing brace", R"(upstream u$ {
  url = "http://a:1"
  timeouts {
    connect = 1s
  }
  repeat_safe = true
})",
     R"(upstream u$ {
  url = "http://a:1"
  timeouts {
    connect = 1s
  }
  ⟦}⟧
  repeat_safe = true
})",
     "PL0127"},
    {"missing bracket", R"(route r$ {
  to = [base, other]
  deadline = 5s
  when client.tls
})",
     R"(route r$ {
  to = [base, ⟦other⟧
  deadline = 5s
  when client.tls
})",
     "PL0126"},
    {"wrong bracket", R"(route r$ {
  to = [base, other]
  when client.tls
})",
     R"(route r$ {
  to = [base, other⟦)⟧
  when client.tls
})",
     "PL0127"},
    {"missing parenthesis", R"(upstream u$ {
  url = "http://a:1"
  breaker {
    open when failures(60s) >= 5
    probes = 2
  }
})",
     R"(upstream u$ {
  url = "http://a:1"
  breaker {
    open when failures(⟦60s⟧ >= 5
    probes = 2
  }
})",
     "PL0126"},
    {"missing comma in a list", R"(route r$ {
  to = [base, other]
  when client.tls
})",
     R"(route r$ {
  to = [base ⟦other⟧]
  when client.tls
})",
     "PL0125"},
    {"comma between settings", R"(upstream u$ {
  url = "http://a:1"
  timeouts { connect = 1s idle = 10s }
})",
     R"(upstream u$ {
  url = "http://a:1"
  timeouts { connect = 1s⟦,⟧ idle = 10s }
})",
     "PL0120"},
    {"space before the unit", R"(upstream u$ {
  url = "http://a:1"
  attempt_timeout = 15s
})",
     R"(upstream u$ {
  url = "http://a:1"
  attempt_timeout = 15 ⟦s⟧
})",
     "PL0125"},
    {"quoted block name", R"(reply p$ {
  status = 503
  text = "busy"
})",
     R"(reply ⟦"p$"⟧ {
  status = 503
  text = "busy"
})",
     "PL0129"},
    {"dashed block name", R"(reply p$_b {
  status = 503
  text = "busy"
})",
     R"(reply ⟦p$-b⟧ {
  status = 503
  text = "busy"
})",
     "PL0133"},
    {"block without a name", R"(reply p$ {
  status = 503
  text = "busy"
})",
     R"(⟦reply⟧ {
  status = 503
  text = "busy"
})",
     "PL0133"},
    {"reserved word as a name", R"(let a$ = client.tls
route r$ { when a$ to = base })",
     R"(let ⟦when⟧ = client.tls
route r$ { when client.tls to = base })",
     "PL0114"},
    // ---- JSON
    {"comma at the end of JSON", R"(reply p$ {
  status = 200
  body = json { "a": 1, "b": true }
})",
     R"(reply p$ {
  status = 200
  body = json { "a": 1, "b": true⟦,⟧ }
})",
     "PL0128"},
    {"missing comma in JSON", R"(reply p$ {
  status = 200
  body = json { "a": 1, "b": true }
})",
     R"(reply p$ {
  status = 200
  body = json { "a": 1 ⟦"b"⟧: true }
})",
     "PL0128"},
    {"bare key in JSON", R"(reply p$ {
  status = 200
  body = json {
    "消息": "忙",
    "b": true
  }
})",
     R"(reply p$ {
  status = 200
  body = json {
    "消息": "忙",
    ⟦b⟧: true
  }
})",
     "PL0128"},
    {"Python word in JSON", R"(reply p$ {
  status = 200
  body = json { "a": true }
})",
     R"(reply p$ {
  status = 200
  body = json { "a": ⟦True⟧ }
})",
     "PL0128"},
    {"value put into JSON", R"(reply p$ {
  status = 200
  body = json { "a": "b" }
})",
     R"(reply p$ {
  status = 200
  body = json { "⟦${request.path}⟧": "b" }
})",
     "PL0802"},
    {"value put into JSON that is text", R"(reply p$ {
  status = 200
  content_type = "application/json"
  text = "{ }"
})",
     R"(reply p$ {
  status = 200
  content_type = "application/json"
  text = ⟦"{ \"a\": \"${request.path}\" }"⟧
})",
     "PL0802"},
    {"open interpolation in JSON", R"(reply p$ {
  status = 200
  body = json { "a": "${request.path}" }
})",
     R"(reply p$ {
  status = 200
  body = json { "a": "⟦${⟧request.path" }
})",
     "PL0113"},
    {"name in JSON that nothing has", R"(reply p$ {
  status = 200
  body = json { "a": "${request.path}" }
})",
     R"(reply p$ {
  status = 200
  body = json { "a": "${⟦requst⟧.path}" }
})",
     "PL0101"},
    // ---- characters
    {"blank of another width", R"(route r$ {
  when client.tls and request.path == "/a"
  to = base
})",
     "route r$ {\n  when client.tls and⟦\u3000⟧request.path == \"/a\"\n  to = base\n}", "PL0103"},
    {"letter of another script", R"(route r$ {
  when client.tls
  to = base
})",
     "route r$ {\n  when cli⟦\u0435⟧nt.tls\n  to = base\n}", "PL0103"},
    {"hidden character in text", R"(reply p$ {
  status = 503
  text = "busy"
})",
     "reply p$ {\n  status = 503\n  text = \"bu⟦\u200B⟧sy\"\n}", "PL0103"},
    {"comment that turns around", R"(reply p$ {
  status = 503 # later
})",
     "reply p$ {\n  status = 503 # la⟦\u202E⟧ter\n}", "PL0103"},
    // ---- lists
    {"list with a value of a request", R"(let paths$ = ["/a", "/b"]
route r$ {
  when request.path in paths$
  to = base
})",
     R"(let paths$ = ["/a", ⟦request.host⟧]
route r$ {
  when request.path in paths$
  to = base
})",
     "PL0157"},
    {"list as a condition", R"(let paths$ = ["/a", "/b"]
route r$ {
  when request.path in paths$
  to = base
})",
     R"(let paths$ = ["/a", "/b"]
route r$ {
  when ⟦paths$⟧
  to = base
})",
     "PL0159"},
    // ---- patterns and networks
    {"pattern that is text", R"(route r$ {
  when request.path matches /^\/api\//
  to = base
})",
     R"(route r$ {
  when request.path matches ⟦"^/api/"⟧
  to = base
})",
     "PL0156"},
    {"pattern with an open group", R"(route r$ {
  when request.path matches /(a|b)/
  to = base
})",
     R"(route r$ {
  when request.path matches ⟦/(a|b/⟧
  to = base
})",
     "PL0171"},
    {"pattern that looks behind itself", R"(route r$ {
  when request.path matches /chats?/ and client.tls
  to = base
})",
     R"(route r$ {
  when request.path matches /chat⟦(?!⟧s)/ and client.tls
  to = base
})",
     "PL0171"},
    {"open pattern", R"(route r$ {
  when request.path matches /chat/
  to = base
})",
     R"(route r$ {
  when request.path matches ⟦/chat⟧
  to = base
})",
     "PL0112"},
    {"pattern behind ==", R"(route r$ {
  when request.path matches /chat/
  to = base
})",
     R"(route r$ {
  when request.path == ⟦/chat/⟧
  to = base
})",
     "PL0159"},
    {"network with bits behind its length", R"(route r$ {
  when client.ip in {10.0.0.0/8, ::1}
  to = base
})",
     R"(route r$ {
  when client.ip in {⟦10.1.0.0/8⟧, ::1}
  to = base
})",
     "PL0169"},
    {"network that is too long", R"(route r$ {
  when client.ip in {fd00::/8}
  to = base
})",
     R"(route r$ {
  when client.ip in {⟦fd00::/129⟧}
  to = base
})",
     "PL0169"},
    {"network behind ==", R"(route r$ {
  when client.ip in 10.0.0.0/8
  to = base
})",
     R"(route r$ {
  when client.ip == ⟦10.0.0.0/8⟧
  to = base
})",
     "PL0155"},
    {"network for a method", R"(route r$ {
  when request.method in {GET}
  to = base
})",
     R"(route r$ {
  when request.method in {⟦10.0.0.0/8⟧}
  to = base
})",
     "PL0153"},
    // ---- hash, rewrite, next when
    {"hash of nothing", R"(cache c$ {
  key = hash(request.body)
  ttl = 5s
  shared = true
})",
     R"(cache c$ {
  key = ⟦hash()⟧
  ttl = 5s
  shared = true
})",
     "PL0160"},
    {"hash in a condition", R"(route r$ {
  when request.body == "a"
  to = base
})",
     R"(route r$ {
  when ⟦hash⟧(request.body) == "a"
  to = base
})",
     "PL0159"},
    {"rewrite that is text", R"(upstream u$ {
  url = "http://a:1"
  rewrite = json { "model": "m" }
})",
     R"(upstream u$ {
  url = "http://a:1"
  rewrite = ⟦"m"⟧
})",
     "PL0151"},
    {"next without a next", R"(route r$ {
  when client.tls
  to = [base, other]
  next when status == 404
})",
     R"(route r$ {
  when client.tls
  to = base
  ⟦next⟧ when status == 404
})",
     "PL0704"},
    {"next that reads a count", R"(route r$ {
  when client.tls
  to = [base, other]
  next when status == 404
})",
     R"(route r$ {
  when client.tls
  to = [base, other]
  next when ⟦failures⟧(60s) > 1
})",
     "PL0161"},
    // ---- names
    {"unknown block", R"(upstream u$ {
  url = "http://a:1"
})",
     R"(⟦upstrem⟧ u$ {
  url = "http://a:1"
})",
     "PL0101"},
    {"unknown setting", R"(upstream u$ {
  url = "http://a:1"
  attempt_timeout = 15s
})",
     R"(upstream u$ {
  url = "http://a:1"
  ⟦atempt_timeout⟧ = 15s
})",
     "PL0101"},
    {"misspelt required setting", R"(upstream u$ {
  url = "http://a:1"
})",
     R"(upstream u$ {
  ⟦ulr⟧ = "http://a:1"
})",
     "PL0101"},
    {"unknown inner block", R"(upstream u$ {
  url = "http://a:1"
  breaker {
    open when failures(60s) >= 5
  }
})",
     R"(upstream u$ {
  url = "http://a:1"
  ⟦braker⟧ {
    open when failures(60s) >= 5
  }
})",
     "PL0101"},
    {"unknown when line", R"(upstream u$ {
  url = "http://a:1"
  breaker {
    open when failures(60s) >= 5
  }
})",
     R"(upstream u$ {
  url = "http://a:1"
  breaker {
    ⟦opne⟧ when failures(60s) >= 5
  }
})",
     "PL0101"},
    {"unknown member", R"(route r$ {
  when request.path == "/a"
  to = base
})",
     R"(route r$ {
  when request.⟦pth⟧ == "/a"
  to = base
})",
     "PL0101"},
    {"unknown fact", R"(upstream u$ {
  url = "http://a:1"
  retry {
    max_retries = 1
    when status in 5xx
  }
})",
     R"(upstream u$ {
  url = "http://a:1"
  retry {
    max_retries = 1
    when ⟦statsu⟧ in 5xx
  }
})",
     "PL0101"},
    {"unknown error", R"(upstream u$ {
  url = "http://a:1"
  retry {
    max_retries = 1
    when error in {refused, connect_failure}
  }
})",
     R"(upstream u$ {
  url = "http://a:1"
  retry {
    max_retries = 1
    when error in {refused, ⟦connection_failure⟧}
  }
})",
     "PL0101"},
    {"unknown function", R"(upstream u$ {
  url = "http://a:1"
  breaker {
    open when failures(60s) >= 5
  }
})",
     R"(upstream u$ {
  url = "http://a:1"
  breaker {
    open when ⟦failure⟧(60s) >= 5
  }
})",
     "PL0101"},
    {"unknown upstream", R"(route r$ {
  when client.tls
  to = base
})",
     R"(route r$ {
  when client.tls
  to = ⟦bsae⟧
})",
     "PL0101"},
    {"unknown fallback", R"(upstream u$ {
  url = "http://a:1"
  fallback = [busy]
})",
     R"(upstream u$ {
  url = "http://a:1"
  fallback = [⟦bussy⟧]
})",
     "PL0101"},
    {"upstream as a fallback", R"(upstream u$ {
  url = "http://a:1"
  fallback = [busy]
})",
     R"(upstream u$ {
  url = "http://a:1"
  fallback = [⟦other⟧]
})",
     "PL0150"},
    {"name taken", R"(reply p$ {
  status = 503
  text = "busy"
})",
     R"(reply ⟦base⟧ {
  status = 503
  text = "busy"
})",
     "PL0134"},
    {"set twice", R"(upstream u$ {
  url = "http://a:1"
  repeat_safe = true
})",
     R"(upstream u$ {
  url = "http://a:1"
  repeat_safe = true
  ⟦repeat_safe⟧ = false
})",
     "PL0135"},
    {"not honoured yet", R"(route r$ {
  when request.path == "/r"
  to = base
})",
     R"(route r$ {
  when request.path == "/r"
  to = base
  ⟦upgrade⟧ = 1
})",
     "PL0132"},
    {"health without a breaker", R"(upstream u$ {
  url = "http://a:1"
  breaker { open when failures(60s) >= 5 }
  health { path = "/" }
})",
     R"(upstream u$ {
  url = "http://a:1"
  ⟦health⟧ { path = "/" }
})",
     "PL0102"},
    {"queue without a limit", R"(upstream u$ {
  url = "http://a:1"
  max_in_flight = 4
  queue { length = 16 timeout = 5s }
})",
     R"(upstream u$ {
  url = "http://a:1"
  ⟦queue⟧ { length = 16 timeout = 5s }
})",
     "PL0102"},
    {"required setting missing", R"(cache c$ {
  key = "${request.body}"
  ttl = 5s
  shared = true
})",
     R"(⟦cache⟧ c$ {
  key = "${request.body}"
  shared = true
})",
     "PL0136"},
    // ---- numbers
    {"no unit", R"(upstream u$ {
  url = "http://a:1"
  attempt_timeout = 15s
})",
     R"(upstream u$ {
  url = "http://a:1"
  attempt_timeout = ⟦15⟧
})",
     "PL0206"},
    {"wrong unit word", R"(upstream u$ {
  url = "http://a:1"
  attempt_timeout = 15s
})",
     R"(upstream u$ {
  url = "http://a:1"
  attempt_timeout = ⟦15sec⟧
})",
     "PL0206"},
    {"size for a duration", R"(upstream u$ {
  url = "http://a:1"
  attempt_timeout = 15s
})",
     R"(upstream u$ {
  url = "http://a:1"
  attempt_timeout = ⟦15KiB⟧
})",
     "PL0206"},
    {"megabytes", R"(upstream u$ {
  url = "http://a:1"
  replay_body = 1MiB
})",
     R"(upstream u$ {
  url = "http://a:1"
  replay_body = ⟦1MB⟧
})",
     "PL0206"},
    {"out of range", R"(upstream u$ {
  url = "http://a:1"
  attempt_timeout = 15h
})",
     R"(upstream u$ {
  url = "http://a:1"
  attempt_timeout = ⟦150h⟧
})",
     "PL0165"},
    {"window without a unit", R"(upstream u$ {
  url = "http://a:1"
  breaker {
    open when failures(60s) >= 5
  }
})",
     R"(upstream u$ {
  url = "http://a:1"
  breaker {
    open when failures(⟦60⟧) >= 5
  }
})",
     "PL0206"},
    {"number in quotes", R"(upstream u$ {
  url = "http://a:1"
  attempt_timeout = 15s
})",
     R"(upstream u$ {
  url = "http://a:1"
  attempt_timeout = ⟦"15s"⟧
})",
     "PL0151"},
    {"no such status", R"(upstream u$ {
  url = "http://a:1"
  retry {
    max_retries = 1
    when status in {500, 503}
  }
})",
     R"(upstream u$ {
  url = "http://a:1"
  retry {
    max_retries = 1
    when status in {500, ⟦5030⟧}
  }
})",
     "PL0158"},
    // ---- types and phases
    {"equals a class", R"(upstream u$ {
  url = "http://a:1"
  retry {
    max_retries = 1
    when status in 5xx
  }
})",
     R"(upstream u$ {
  url = "http://a:1"
  retry {
    max_retries = 1
    when status == ⟦5xx⟧
  }
})",
     "PL0155"},
    {"not a condition", R"(route r$ {
  when request.path == "/a"
  to = base
})",
     R"(route r$ {
  when ⟦request.path⟧
  to = base
})",
     "PL0152"},
    {"method in quotes", R"(route r$ {
  when request.method == POST
  to = base
})",
     R"(route r$ {
  when request.method == ⟦"POST"⟧
  to = base
})",
     "PL0153"},
    {"less than what may be absent", R"(upstream u$ {
  url = "http://a:1"
  retry {
    max_retries = 1
    when (status ?? 599) >= 500
  }
})",
     R"(upstream u$ {
  url = "http://a:1"
  retry {
    max_retries = 1
    when ⟦status⟧ >= 500
  }
})",
     "PL0154"},
    {"default of what is never absent", R"(route r$ {
  when request.path == "/a"
  to = base
})",
     R"(route r$ {
  when (⟦request.path⟧ ?? "/") == "/a"
  to = base
})",
     "PL0102"},
    {"status in a route", R"(route r$ {
  when client.tls
  to = base
})",
     R"(route r$ {
  when ⟦status⟧ == 200
  to = base
})",
     "PL0161"},
    {"window in a retry", R"(upstream u$ {
  url = "http://a:1"
  retry {
    max_retries = 1
    when status in 5xx
  }
})",
     R"(upstream u$ {
  url = "http://a:1"
  retry {
    max_retries = 1
    when ⟦failures⟧(60s) < 5
  }
})",
     "PL0161"},
    {"status in open when", R"(upstream u$ {
  url = "http://a:1"
  breaker {
    open when failures(60s) >= 5
  }
})",
     R"(upstream u$ {
  url = "http://a:1"
  breaker {
    open when ⟦status⟧ in 5xx
  }
})",
     "PL0161"},
    {"let that reads itself", R"(let a$ = client.tls
let b$ = a$ and request.path == "/a"
route r$ { when b$ to = base })",
     R"(let a$ = b$ and client.tls
let b$ = ⟦a$⟧ and request.path == "/a"
route r$ { when b$ to = base })",
     "PL0163"},
    // ---- meaning
    {"bad url", R"(upstream u$ {
  url = "http://a:1/x"
})",
     R"(upstream u$ {
  url = ⟦"http://user@a:1/x"⟧
})",
     "PL0167"},
    {"dead fallback", R"(upstream u$ {
  url = "http://a:1"
  fallback = [kept, busy]
})",
     R"(upstream u$ {
  url = "http://a:1"
  fallback = [busy, ⟦kept⟧]
})",
     "PL0402"},
    {"key that all share", R"(cache c$ {
  key = "${request.body}"
  ttl = 5s
  shared = true
})",
     R"(cache c$ {
  key = ⟦"${request.body}"⟧
  ttl = 5s
})",
     "PL0403"},
    {"secret in a key", R"(cache c$ {
  key = "${request.body} k"
  ttl = 5s
  shared = true
})",
     R"(cache c$ {
  key = "${request.body} ${⟦secret("K")⟧}"
  ttl = 5s
  shared = true
})",
     "PL0801"},
    {"cap below from", R"(upstream u$ {
  url = "http://a:1"
  retry {
    max_retries = 1
    when status in 5xx
    wait = exponential(from: 1s, cap: 2s)
  }
})",
     R"(upstream u$ {
  url = "http://a:1"
  retry {
    max_retries = 1
    when status in 5xx
    wait = exponential(from: ⟦5s⟧, cap: 2s)
  }
})",
     "PL0208"},
    {"to and reply", R"(route r$ {
  when client.tls
  to = base
})",
     R"(route r$ {
  when client.tls
  to = base
  ⟦reply⟧ = busy
})",
     "PL0137"},
    // ---- the gateway
    {"misspelt prefix", R"(  metrics_prefix = "clawdbot")", R"(  ⟦metric_prefix⟧ = "clawdbot")", "PL0101", true},
    {"bad prefix", R"(  metrics_prefix = "clawdbot")", R"(  metrics_prefix = ⟦"claw-dbot"⟧)", "PL0166", true},
    {"no port", R"(  admin = "127.0.0.1:9180")", R"(  admin = ⟦"127.0.0.1"⟧)", "PL0166", true},
    {"no quotes", R"(  admin = off)", R"(  admin = ⟦of⟧)", "PL0101", true},
    // ---- tests
    {"verb misspelt", R"(test "t$" {
  given base replies 503 after 200ms always
  given other replies 200
  send POST "/api/chat" json { "messages": [] }
  wait 15s
  expect status == 200
  expect attempts(base) >= 1
})",
     R"(test "t$" {
  ⟦givn⟧ base replies 503 after 200ms always
  given other replies 200
  send POST "/api/chat" json { "messages": [] }
  wait 15s
  expect status == 200
  expect attempts(base) >= 1
})",
     "PL0111"},
    {"act misspelt", R"(test "t$" {
  given base replies 503 after 200ms always
  given other replies 200
  send POST "/api/chat" json { "messages": [] }
  wait 15s
  expect status == 200
  expect attempts(base) >= 1
})",
     R"(test "t$" {
  given base ⟦replys⟧ 503 after 200ms always
  given other replies 200
  send POST "/api/chat" json { "messages": [] }
  wait 15s
  expect status == 200
  expect attempts(base) >= 1
})",
     "PL0101"},
    {"upstream of a given misspelt", R"(test "t$" {
  given base replies 503 after 200ms always
  given other replies 200
  send POST "/api/chat" json { "messages": [] }
  wait 15s
  expect status == 200
  expect attempts(base) >= 1
})",
     R"(test "t$" {
  given base replies 503 after 200ms always
  given ⟦othr⟧ replies 200
  send POST "/api/chat" json { "messages": [] }
  wait 15s
  expect status == 200
  expect attempts(base) >= 1
})",
     "PL0101"},
    {"clause misspelt", R"(test "t$" {
  given base replies 503 after 200ms always
  given other replies 200
  send POST "/api/chat" json { "messages": [] }
  wait 15s
  expect status == 200
  expect attempts(base) >= 1
})",
     R"(test "t$" {
  given base replies 503 ⟦afer⟧ 200ms always
  given other replies 200
  send POST "/api/chat" json { "messages": [] }
  wait 15s
  expect status == 200
  expect attempts(base) >= 1
})",
     "PL0101"},
    {"time of a given without unit", R"(test "t$" {
  given base replies 503 after 200ms always
  given other replies 200
  send POST "/api/chat" json { "messages": [] }
  wait 15s
  expect status == 200
  expect attempts(base) >= 1
})",
     R"(test "t$" {
  given base replies 503 after ⟦200⟧ always
  given other replies 200
  send POST "/api/chat" json { "messages": [] }
  wait 15s
  expect status == 200
  expect attempts(base) >= 1
})",
     "PL0206"},
    {"wait without unit", R"(test "t$" {
  given base replies 503 after 200ms always
  given other replies 200
  send POST "/api/chat" json { "messages": [] }
  wait 15s
  expect status == 200
  expect attempts(base) >= 1
})",
     R"(test "t$" {
  given base replies 503 after 200ms always
  given other replies 200
  send POST "/api/chat" json { "messages": [] }
  wait ⟦15⟧
  expect status == 200
  expect attempts(base) >= 1
})",
     "PL0206"},
    {"one = in an expect", R"(test "t$" {
  given base replies 503 after 200ms always
  given other replies 200
  send POST "/api/chat" json { "messages": [] }
  wait 15s
  expect status == 200
  expect attempts(base) >= 1
})",
     R"(test "t$" {
  given base replies 503 after 200ms always
  given other replies 200
  send POST "/api/chat" json { "messages": [] }
  wait 15s
  expect status ⟦=⟧ 200
  expect attempts(base) >= 1
})",
     "PL0123"},
    {"subject misspelt", R"(test "t$" {
  given base replies 503 after 200ms always
  given other replies 200
  send POST "/api/chat" json { "messages": [] }
  wait 15s
  expect status == 200
  expect attempts(base) >= 1
})",
     R"(test "t$" {
  given base replies 503 after 200ms always
  given other replies 200
  send POST "/api/chat" json { "messages": [] }
  wait 15s
  expect ⟦statuss⟧ == 200
  expect attempts(base) >= 1
})",
     "PL0101"},
    {"upstream of an expect misspelt", R"(test "t$" {
  given base replies 503 after 200ms always
  given other replies 200
  send POST "/api/chat" json { "messages": [] }
  wait 15s
  expect status == 200
  expect attempts(base) >= 1
})",
     R"(test "t$" {
  given base replies 503 after 200ms always
  given other replies 200
  send POST "/api/chat" json { "messages": [] }
  wait 15s
  expect status == 200
  expect attempts(⟦bas⟧) >= 1
})",
     "PL0101"},
    {"method misspelt", R"(test "t$" {
  given base replies 503 after 200ms always
  given other replies 200
  send POST "/api/chat" json { "messages": [] }
  wait 15s
  expect status == 200
  expect attempts(base) >= 1
})",
     R"(test "t$" {
  given base replies 503 after 200ms always
  given other replies 200
  send ⟦POTS⟧ "/api/chat" json { "messages": [] }
  wait 15s
  expect status == 200
  expect attempts(base) >= 1
})",
     "PL0101"},
    {"JSON of a send", R"(test "t$" {
  given base replies 503 after 200ms always
  given other replies 200
  send POST "/api/chat" json { "messages": [] }
  wait 15s
  expect status == 200
  expect attempts(base) >= 1
})",
     R"(test "t$" {
  given base replies 503 after 200ms always
  given other replies 200
  send POST "/api/chat" json { ⟦messages⟧: [] }
  wait 15s
  expect status == 200
  expect attempts(base) >= 1
})",
     "PL0128"},
    {"path without quotes", R"(test "t$" {
  given base replies 503 after 200ms always
  given other replies 200
  send POST "/api/chat" json { "messages": [] }
  wait 15s
  expect status == 200
  expect attempts(base) >= 1
})",
     R"(test "t$" {
  given base replies 503 after 200ms always
  given other replies 200
  send POST ⟦/api/⟧chat json { "messages": [] }
  wait 15s
  expect status == 200
  expect attempts(base) >= 1
})",
     "PL0120"},
    {"expectation without a value", R"(test "t$" {
  given base replies 503 after 200ms always
  given other replies 200
  send POST "/api/chat" json { "messages": [] }
  wait 15s
  expect status == 200
  expect attempts(base) >= 1
})",
     R"(test "t$" {
  given base replies 503 after 200ms always
  given other replies 200
  send POST "/api/chat" json { "messages": [] }
  wait 15s
  expect status ⟦==⟧
  expect attempts(base) >= 1
})",
     "PL0121"},
    {"setting in a test", R"(test "t$" {
  given base replies 503 after 200ms always
  given other replies 200
  send POST "/api/chat" json { "messages": [] }
  wait 15s
  expect status == 200
  expect attempts(base) >= 1
})",
     R"(test "t$" {
  given base replies 503 after 200ms always
  given other replies 200
  send POST "/api/chat" json { "messages": [] }
  ⟦wait = 15s⟧
  expect status == 200
  expect attempts(base) >= 1
})",
     "PL0131"},
};

}  // namespace

const std::vector<Mistake>& MistakePool() { return kPool; }

}  // namespace tests
