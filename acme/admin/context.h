// What the handlers of the admin API share. Made by AdminService; outlives every request.
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "acme/admin/administrator.h"
#include "acme/admin/service.h"
#include "acme/json.h"

namespace agentca::acme::admin {

// One request of a known administrator.
struct Call {
  const http::Request& request;
  Administrator caller;
  std::string serial;              // of the caller's certificate
  std::vector<std::string> ids{};  // what "*" of the route stood for
  Time now{};

  ca::Change change() const { return {caller.ToString(), now}; }
  // The body, JSON; kUnsupportedMediaType, kMalformed.
  Result<JsonDocument> Body() const;
  // "TENANT/NAME" of the path's first two variables; kMalformed.
  Result<ca::AgentId> Agent() const;
};

// The query's parameters, percent-decoded (RFC 3986 §2.1). kMalformed: one that is not `known`, one
// that is there twice, a broken escape.
class Query {
 public:
  static Result<Query> Parse(std::string_view text, std::initializer_list<std::string_view> known);
  std::string Text(const std::string& name) const;  // "" when absent
  bool Has(const std::string& name) const { return values_.contains(name); }
  // "limit": how many rows a page may have; kMalformed outside 1 to 1000.
  Result<size_t> Limit() const;
  // "after" of histories: the sequence to go on from; kMalformed.
  Result<int64_t> AfterSequence() const;

 private:
  std::map<std::string, std::string> values_;
};

struct Context {
  const Parts parts;

  // A line in the audit log, on disk when this returns: who, with which certificate, what, of whom.
  // Before the change; a change that cannot be audited is not made.
  Status Audit(const Call& call, std::string_view event, std::string_view subject,
               std::string_view detail) const;
  void AuditFailure(const Call& call, std::string_view event, std::string_view subject,
                    const Error& error) const;
};

// Audits the intent, then makes the change; one that fails leaves a second line.
template <class Change>
auto Audited(const Context& context, const Call& call, std::string_view event,
             std::string_view subject, std::string_view detail, Change change)
    -> decltype(change()) {
  if (Status noted = context.Audit(call, event, subject, detail); !noted.ok())
    return std::move(noted).error();
  auto result = change();
  if (!result.ok()) context.AuditFailure(call, event, subject, result.error());
  return result;
}

http::Response JsonResponse(int status, std::string body);
// {"events":[…],"next":SEQUENCE}; `events` holds one more than `limit` when there is a next page.
http::Response EventPage(std::vector<ca::AgentEvent> events, size_t limit);

// A reason in an administrator's words: one line of 1 to 256 octets; kMalformed names the member.
Result<std::string> ReadReason(const JsonValue& body);

}  // namespace agentca::acme::admin
