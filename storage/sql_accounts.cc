#include "storage/codec.h"
#include "storage/sql_acme.h"
#include "storage/sql_acme_rows.h"
#include "storage/transitions.h"

namespace agentca::storage {
namespace {

using acme::Account;
using acme::AccountId;
using acme::AccountStatus;

constexpr const char* kById =
    "SELECT id, status, spki, thumbprint, contacts, agreed_terms, created_at, grant_id "
    "FROM acme_account WHERE id = ?";
constexpr const char* kByThumbprint =
    "SELECT id, status, spki, thumbprint, contacts, agreed_terms, created_at, grant_id "
    "FROM acme_account WHERE thumbprint = ?";
constexpr const char* kAwaitHolders = "SELECT 1 FROM acme_account WHERE id = ? /*FOR UPDATE*/";
constexpr const char* kInsert =
    "INSERT INTO acme_account (id, status, spki, thumbprint, contacts, agreed_terms, created_at, "
    "grant_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";

Result<Account> Load(Connection& connection, KeyCache& keys, const char* sql,
                     std::string_view parameter) {
  Query row(connection, sql, parameter);
  AGENTCA_ASSIGN(const bool found, row.Next());
  if (!found) return NoSuchAccount();
  AGENTCA_ASSIGN(const AccountStatus status, AccountStatusFromInt(row.Int(1)));
  auto key = keys.FromSpki(row.BlobView(2));
  if (!key.ok()) return Damaged("the key of an account");
  Account account{.id = row.Text(0),
                  .status = status,
                  .key = *std::move(key),
                  .thumbprint = row.Text(3),
                  .contacts = {},
                  .agreed_terms = row.Text(5),
                  .created_at = row.At(6),
                  .grant = row.Text(7)};
  AGENTCA_ASSIGN(account.contacts, TextsFromJson(row.Text(4)));
  if (!row.intact()) return Damaged("an account");
  return account;
}

Result<Account> LoadValid(Connection& connection, KeyCache& keys, const AccountId& id) {
  AGENTCA_ASSIGN(Account account, Load(connection, keys, kById, id));
  AGENTCA_TRY(GuardAccountChange(account.status));
  return account;
}

Status Insert(Connection& connection, const Account& account) {
  return Query(connection, kInsert, account.id, static_cast<int>(account.status),
               account.key.spki(), account.thumbprint, ToJson(account.contacts),
               account.agreed_terms, account.created_at, account.grant)
      .Run();
}

bool IsNotFound(const Result<Account>& account) {
  return !account.ok() && account.error().code == Code::kNotFound;
}

}  // namespace

Result<AccountStatus> AccountStatusFromInt(int64_t value) {
  if (value < 0 || value > static_cast<int64_t>(AccountStatus::kRevoked)) {
    return Damaged("an account");
  }
  return static_cast<AccountStatus>(value);
}

Result<AccountStatus> AccountStatusOf(Connection& connection, const AccountId& id) {
  Query row(connection, "SELECT status FROM acme_account WHERE id = ?", id);
  AGENTCA_ASSIGN(const bool found, row.Next());
  if (!found) return NoSuchAccount();
  return AccountStatusFromInt(row.Int(0));
}

Result<acme::AccountCreation> SqlAcmeStore::CreateAccount(const acme::NewAccount& request) {
  return database_.Write([&](Connection& connection) -> Result<acme::AccountCreation> {
    const Account& wanted = request.account;
    auto existing = Load(connection, database_.keys(), kByThumbprint, wanted.thumbprint);
    if (existing.ok()) {  // its id tells one that an attempt of unknown fate has made
      const bool created = existing->id == wanted.id;
      return acme::AccountCreation{*std::move(existing), created};
    }
    if (!IsNotFound(existing)) return existing.error();
    if (!wanted.grant.empty()) {
      AGENTCA_TRY(SpendGrantOn(connection, wanted.grant, wanted.id, wanted.created_at));
    }
    AGENTCA_TRY(Insert(connection, wanted));
    return acme::AccountCreation{wanted, true};
  });
}

Result<Account> SqlAcmeStore::FindAccount(const AccountId& id) {
  return database_.Read(
      [&](Connection& connection) { return Load(connection, database_.keys(), kById, id); });
}

Result<Account> SqlAcmeStore::FindAccountByThumbprint(std::string_view thumbprint) {
  return database_.Read([&](Connection& connection) {
    return Load(connection, database_.keys(), kByThumbprint, thumbprint);
  });
}

Result<Account> SqlAcmeStore::UpdateContacts(const AccountId& id,
                                                const std::vector<std::string>& contacts) {
  return database_.Write([&](Connection& connection) -> Result<Account> {
    AGENTCA_ASSIGN(Account account, LoadValid(connection, database_.keys(), id));
    AGENTCA_TRY(
        Query(connection, "UPDATE acme_account SET contacts = ? WHERE id = ?", ToJson(contacts), id)
            .Run());
    account.contacts = contacts;
    return account;
  });
}

Result<Account> SqlAcmeStore::AgreeToTerms(const AccountId& id, std::string_view terms_url) {
  return database_.Write([&](Connection& connection) -> Result<Account> {
    AGENTCA_ASSIGN(Account account, LoadValid(connection, database_.keys(), id));
    AGENTCA_TRY(
        Query(connection, "UPDATE acme_account SET agreed_terms = ? WHERE id = ?", terms_url, id)
            .Run());
    account.agreed_terms = terms_url;
    return account;
  });
}

// The account's orders are cancelled by this alone: see LoadOrder.
Status SqlAcmeStore::DeactivateAccount(const AccountId& id) {
  AGENTCA_TRY(database_.Write([&](Connection& connection) -> Status {
    AGENTCA_ASSIGN(const AccountStatus status, AccountStatusOf(connection, id));
    if (status != AccountStatus::kValid) return {};
    return Query(connection, "UPDATE acme_account SET status = ? WHERE id = ?",
                 static_cast<int>(AccountStatus::kDeactivated), id)
        .Run();
  }));
  // Those who began something for it when it was valid: there will be no more of them.
  return database_.Write(
      [&](Connection& connection) { return Query(connection, kAwaitHolders, id).Run(); },
      Isolation::kLocks);
}

Status SqlAcmeStore::ChangeKey(const AccountId& id, std::string_view old_thumbprint,
                                  const ca::PublicKey& new_key, std::string_view new_thumbprint) {
  const auto change = [&](Connection& connection) -> Status {
    AGENTCA_ASSIGN(const Account account, Load(connection, database_.keys(), kById, id));
    AGENTCA_TRY(GuardKeyChange(account, old_thumbprint));
    const auto holder = Load(connection, database_.keys(), kByThumbprint, new_thumbprint);
    if (holder.ok()) return KeyInUse(holder->id);
    if (!IsNotFound(holder)) return holder.error();
    return Query(connection, "UPDATE acme_account SET spki = ?, thumbprint = ? WHERE id = ?",
                 new_key.spki(), new_thumbprint, id)
        .Run();
  };
  return database_.Write(change, [&](Connection& connection) {
    return Query(connection, "SELECT 1 FROM acme_account WHERE id = ? AND thumbprint = ?", id,
                 new_thumbprint)
        .Next();
  });
}

}  // namespace agentca::storage
