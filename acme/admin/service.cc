#include "acme/admin/service.h"

#include "acme/admin/context.h"
#include "acme/admin/routes.h"
#include "acme/problem.h"
#include "ca/base/log.h"

namespace agentca::acme::admin {
namespace {

// Whose certificate it is, after the store had a look at it: issued by this CA under the profile of
// administrators, octet for octet, in time and not revoked. kUnauthorized for every other.
Result<Call> Identify(const Parts& parts, const http::Request& request, Time now) {
  const Error denied{Code::kUnauthorized,
                     "the admin API needs a certificate with an admin identity of this CA"};
  const auto certificate = ca::Certificate::Parse(request.peer_certificate);
  if (!certificate.ok()) return denied;
  AGENTCA_ASSIGN(Administrator caller,
                 AdministratorOf(certificate->der, parts.naming.trust_domain()));
  const ca::IssuerId& issuer = parts.certification.issuance.issuer().id();
  auto record = parts.memory.certificates.Find(issuer, certificate->serial);
  if (!record.ok()) {
    if (record.error().code == Code::kNotFound) return denied;
    return std::move(record).error();
  }
  if (record->state != ca::SerialState::kIssued || record->der != certificate->der ||
      record->profile != kAdminProfile)
    return denied;
  if (record->revocation)
    return Error{Code::kUnauthorized, "the certificate of " + caller.ToString() + " is revoked"};
  // TLS looked at the time once, when the connection was made.
  if (now < certificate->not_before || now > certificate->not_after)
    return Error{Code::kUnauthorized, "the certificate of " + caller.ToString() + " has expired"};
  return Call{request, std::move(caller), certificate->serial.ToString(), {}, now};
}

Error TooLittle(const Call& call, const Route& route) {
  return {Code::kUnauthorized, call.caller.ToString() + " may not do this: it needs the role " +
                                   std::string(ToString(route.least))};
}

void LogRefusal(const http::Request& request, const Error& error) {
  Log(Level::kWarning, "refused an admin request",
      {{"method", request.method},
       {"path", request.path},
       {"from", request.remote_address},
       {"cause", error.detail}});
}

}  // namespace

class AdminService::Core {
 public:
  explicit Core(Parts parts) : context_{std::move(parts)} {}

  http::Response Handle(const http::Request& request) {
    auto response = Dispatch(request);
    return Complete(request, response.ok() ? std::move(response).value()
                                           : Refused(request, std::move(response).error()));
  }
  http::Response Complete(const http::Request& request, http::Response response) const {
    response.With("Cache-Control", "no-store");
    if (request.method == "HEAD") response.body.clear();
    return response;
  }

 private:
  Result<http::Response> Dispatch(const http::Request& request) {
    AGENTCA_ASSIGN(Call call, Identify(context_.parts, request, context_.parts.world.clock.Now()));
    AGENTCA_ASSIGN(const Route* route, FindRoute(request.method, request.path, call.ids));
    if (call.caller.role < route->least) return TooLittle(call, *route);
    return route->handle(context_, call);
  }

  http::Response Refused(const http::Request& request, Error error) const {
    if (error.code == Code::kUnauthorized) LogRefusal(request, error);
    const Error disclosed = Disclose(std::move(error), context_.parts.world.random);
    http::Response response = ProblemResponse(disclosed);
    if (disclosed.code == Code::kMethodNotAllowed) response.With("Allow", disclosed.subject);
    return response;
  }

  Context context_;
};

AdminService::AdminService(Parts parts) : core_(std::make_unique<Core>(std::move(parts))) {}
AdminService::~AdminService() = default;

http::Response AdminService::Handle(const http::Request& request) { return core_->Handle(request); }

http::Response AdminService::Refuse(int status, std::string_view detail) {
  return core_->Complete({}, ProblemResponse(status, detail));
}

}  // namespace agentca::acme::admin
