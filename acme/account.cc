#include "acme/account.h"

#include <algorithm>

#include "acme/external_account.h"
#include "acme/problem.h"

namespace agentca::acme {
namespace {

constexpr size_t kMaxContacts = 10;
constexpr size_t kMaxContact =
    320;  // octets: 64 of local part, "@", 255 of domain (RFC 5321 §4.5.3)

bool IsAlnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
// RFC 5322 atext without "%" (RFC 6068 uses it to encode, also a second address) and "?", "&".
bool IsLocal(char c) {
  return IsAlnum(c) || std::string_view("!#$'*+-/=^_`{|}~.").find(c) != std::string_view::npos;
}
bool IsDomain(char c) { return IsAlnum(c) || c == '-' || c == '.'; }

bool IsDotted(std::string_view text) {  // no empty part
  return !text.empty() && text.front() != '.' && text.back() != '.' &&
         text.find("..") == std::string_view::npos;
}

bool IsAddress(std::string_view address) {
  const size_t at = address.find('@');
  if (at == std::string_view::npos || address.size() > kMaxContact) return false;
  const std::string_view local = address.substr(0, at);
  const std::string_view domain = address.substr(at + 1);
  return IsDotted(local) && local.size() <= 64 &&
         std::all_of(local.begin(), local.end(), IsLocal) && IsDotted(domain) &&
         domain.size() <= 255 && std::all_of(domain.begin(), domain.end(), IsDomain);
}

Result<std::optional<std::vector<std::string>>> ParseContacts(const JsonValue& payload) {
  AGENTCA_ASSIGN(auto contacts, payload.OptionalStrings("contact"));
  if (!contacts) return contacts;
  if (contacts->size() > kMaxContacts) {
    return Error{Code::kInvalidContact,
                 "at most " + std::to_string(kMaxContacts) + " contacts are kept"};
  }
  for (const std::string& contact : *contacts) AGENTCA_TRY(CheckContact(contact));
  return contacts;
}

std::string AccountJson(const Links& links, const Account& account,
                        const std::optional<ExternalAccountBinding>& binding) {
  JsonWriter json;
  json.BeginObject();
  json.Member("status", account.status == AccountStatus::kValid         ? "valid"
                        : account.status == AccountStatus::kDeactivated ? "deactivated"
                                                                        : "revoked");
  json.Key("contact").BeginArray();
  for (const std::string& contact : account.contacts) json.String(contact);
  json.EndArray();
  json.Member("orders", links.Orders(account.id));
  if (binding) json.Key("externalAccountBinding").Raw(binding->Json());
  json.EndObject();
  return std::move(json).Take();
}

// §7.3.1: what a client gets for a key that has an account. Its statement of agreement counts for
// the terms of today: there is no other request in which §7.3.2 lets it make one.
Result<http::Response> ExistingAccount(Context& context, const VerifiedRequest& request,
                                       const Account& account, bool agrees) {
  if (account.status != AccountStatus::kValid) {
    return Error{Code::kAccountInactive, "the account of this key is not valid any more"};
  }
  const std::string& terms = context.policy.terms_of_service;
  if (!agrees || terms.empty() || account.agreed_terms == terms) {
    return AccountResponse(context, account);
  }
  AGENTCA_ASSIGN(const Account agreed, context.memory.store.AgreeToTerms(account.id, terms));
  context.accounts.Forget(account.id);
  AGENTCA_TRY(context.memory.audit.Append(
      "terms-agreed", {{"account", account.id}, {"terms", terms}}, request.now()));
  return AccountResponse(context, agreed);
}

http::Response AccountObject(const Context& context, const Account& account,
                             const std::optional<ExternalAccountBinding>& binding) {
  http::Response response;
  response.body = AccountJson(context.links, account, binding);
  response.With("Content-Type", "application/json");
  response.With("Location", context.links.Account(account.id));
  return response;
}

// §7.3.4. Whoever knows the MAC key of a grant may spend it; what is wrong with the grant itself is
// said to nobody else.
Result<std::optional<ExternalAccountBinding>> ReadBinding(Context& context,
                                                          const VerifiedRequest& request,
                                                          const JsonValue& payload) {
  const auto member = payload.Find("externalAccountBinding");
  if (!member) {
    if (!context.policy.require_grant) return std::optional<ExternalAccountBinding>();
    return Error{Code::kExternalAccountRequired,
                 "an external account binding is needed: agents get one from \"agentca attest "
                 "--grant\""};
  }
  AGENTCA_ASSIGN(auto binding,
                 ExternalAccountBinding::Parse(*member, request.url(), request.key()));
  auto grant = context.memory.store.FindGrant(binding.kid);
  if (!grant.ok() && grant.error().code != Code::kNotFound) return std::move(grant).error();
  const Secret key(grant.ok() ? std::move(grant->mac_key) : Bytes());
  if (!binding.Verify(key.view())) {
    return Error{Code::kUnauthorized,
                 "externalAccountBinding: the key id is unknown or spent, or the MAC is wrong"};
  }
  return std::optional<ExternalAccountBinding>(std::move(binding));
}

Result<http::Response> CreateAccount(Context& context, const VerifiedRequest& request,
                                     std::vector<std::string> contacts, bool agrees,
                                     const std::optional<ExternalAccountBinding>& binding) {
  Account account{NewId(request.now(), context.world.random),
                  AccountStatus::kValid,
                  request.key(),
                  Thumbprint(request.key()),
                  std::move(contacts),
                  context.policy.terms_of_service,
                  request.now(),
                  binding ? binding->kid : std::string()};
  AGENTCA_ASSIGN(const AccountCreation creation,
                 context.memory.store.CreateAccount(NewAccount{std::move(account)}));
  if (!creation.created) return ExistingAccount(context, request, creation.account, agrees);
  AGENTCA_TRY(context.memory.audit.Append("account-created",
                                          {{"account", creation.account.id},
                                           {"thumbprint", creation.account.thumbprint},
                                           {"address", request.http().remote_address}},
                                          request.now()));
  if (binding) {
    AGENTCA_TRY(context.memory.audit.Append(
        "account-bound", {{"account", creation.account.id}, {"grant", binding->kid}},
        request.now()));
  }
  http::Response response = AccountObject(context, creation.account, binding);
  response.status = 201;
  return response;
}

Result<http::Response> Deactivate(Context& context, const VerifiedRequest& request) {
  const AccountId& id = request.account().id;
  AGENTCA_TRY(context.memory.store.DeactivateAccount(id));
  context.accounts.Forget(id);
  AGENTCA_TRY(context.memory.audit.Append("account-deactivated", {{"account", id}}, request.now()));
  Account account = request.account();
  account.status = AccountStatus::kDeactivated;
  return AccountResponse(context, account);
}

}  // namespace

Status CheckContact(std::string_view contact) {
  const size_t colon = contact.find(':');
  const std::string_view scheme = contact.substr(0, colon);
  if (colon == std::string_view::npos || !http::EqualNames(scheme, "mailto")) {
    return Error{Code::kUnsupportedContact, "contacts must be \"mailto:\" URLs"};
  }
  if (!IsAddress(contact.substr(colon + 1))) {
    return Error{Code::kInvalidContact,
                 "a contact must be one e-mail address, without header fields"};
  }
  return {};
}

Status CheckNoCertificateKey(Context& context, const ca::PublicKey& key) {
  AGENTCA_ASSIGN(const ca::KeyHistory history,
                 context.memory.certificates.HistoryOf(key.spki_sha256()));
  if (history == ca::KeyHistory::kNone) return {};
  return Error{Code::kBadPublicKey, history == ca::KeyHistory::kCompromised
                                        ? "the public key was compromised"
                                        : "the key is a certificate's; accounts need their own"};
}

http::Response AccountResponse(const Context& context, const Account& account) {
  return AccountObject(context, account, std::nullopt);
}

Result<http::Response> HandleNewAccount(Context& context, const VerifiedRequest& request) {
  AGENTCA_ASSIGN(const JsonDocument payload, request.ParsePayload());
  const JsonValue root = payload.root();
  AGENTCA_ASSIGN(const auto only_existing, root.OptionalBool("onlyReturnExisting"));
  AGENTCA_ASSIGN(const auto agreed, root.OptionalBool("termsOfServiceAgreed"));
  const bool agrees = agreed.value_or(false);

  auto existing = context.memory.store.FindAccountByThumbprint(Thumbprint(request.key()));
  if (existing.ok()) return ExistingAccount(context, request, *existing, agrees);
  if (existing.error().code != Code::kNotFound) return std::move(existing).error();
  if (only_existing.value_or(false)) {
    return Error{Code::kAccountDoesNotExist, "there is no account with this key"};
  }

  AGENTCA_ASSIGN(const auto binding, ReadBinding(context, request, root));
  AGENTCA_TRY(CheckNoCertificateKey(context, request.key()));
  AGENTCA_ASSIGN(auto contacts, ParseContacts(root));
  if (!context.policy.terms_of_service.empty() && !agrees) {
    return Error{Code::kUserActionRequired, "the terms of service must be agreed to",
                 context.policy.terms_of_service};
  }
  const std::string client = RateLimitKeyOf(request.http().remote_address);
  if (const auto wait = context.new_accounts.Spend(client, request.now())) {
    return RateLimitedResponse("too many new accounts from this address", *wait);
  }
  return CreateAccount(context, request, std::move(contacts).value_or(std::vector<std::string>()),
                       agrees, binding);
}

Result<http::Response> HandleAccount(Context& context, const VerifiedRequest& request) {
  if (request.id(0) != request.account().id) {
    return Error{Code::kUnauthorized, "this is the URL of another account"};
  }
  if (request.is_post_as_get()) return AccountResponse(context, request.account());

  AGENTCA_ASSIGN(const JsonDocument payload, request.ParsePayload());
  AGENTCA_ASSIGN(const auto status, payload.root().OptionalString("status"));
  if (status == "deactivated") return Deactivate(context, request);
  AGENTCA_ASSIGN(const auto contacts, ParseContacts(payload.root()));
  // §7.3.2: the server MUST ignore updates of "orders", "termsOfServiceAgreed" and other fields.
  if (!contacts) return AccountResponse(context, request.account());

  const AccountId& id = request.account().id;
  AGENTCA_ASSIGN(const Account updated, context.memory.store.UpdateContacts(id, *contacts));
  context.accounts.Forget(id);
  AGENTCA_TRY(context.memory.audit.Append("account-updated", {{"account", id}}, request.now()));
  return AccountResponse(context, updated);
}

}  // namespace agentca::acme
