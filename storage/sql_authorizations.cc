#include "storage/attestation_codec.h"
#include "storage/codec.h"
#include "storage/sql_acme.h"
#include "storage/sql_acme_rows.h"
#include "storage/transitions.h"

namespace agentca::storage {
namespace {

using acme::Attempt;
using acme::AttemptState;
using acme::Authorization;
using acme::AuthorizationId;

constexpr const char* kInsert =
    "INSERT INTO acme_authorization (id, order_id, account, identifier, wildcard, token, offered, "
    "expires_at, attempt, attempt_state, validated_at, drop_key, drop_hint, attestation) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
#define AGENTCA_AUTHORIZATION_BY_ID \
  "SELECT " AGENTCA_AUTHORIZATION_COLUMNS " FROM acme_authorization z WHERE z.id = ?"
constexpr const char* kById = AGENTCA_AUTHORIZATION_BY_ID;
constexpr const char* kByIdShared = AGENTCA_AUTHORIZATION_BY_ID " /*FOR SHARE*/";
constexpr const char* kByIdMine = AGENTCA_AUTHORIZATION_BY_ID " /*FOR UPDATE*/";
#undef AGENTCA_AUTHORIZATION_BY_ID
// For the worker alone, if there is one.
constexpr const char* kSetAttempt =
    "UPDATE acme_authorization SET attempt = ?, attempt_state = ?, attempt_error = ?, "
    "validated_at = ?, payload = ?, worker = ? "
    "WHERE id = ? AND (worker IS NULL OR worker = ?) RETURNING id";
constexpr const char* kSetAttestation =
    "UPDATE acme_authorization SET attestation = ? WHERE id = ?";
constexpr const char* kByDropHint =
    "SELECT z.id, z.drop_key, a.thumbprint FROM acme_authorization z "
    "JOIN acme_account a ON a.id = z.account WHERE z.drop_hint = ? AND z.identifier = ?";
constexpr const char* kHeld =
    "SELECT id FROM acme_authorization WHERE account = ? AND identifier = ? AND wildcard = ? "
    "AND attempt_state = 1 AND deactivated = 0 AND expires_at > ? LIMIT 1";

const char* ById(Hold hold) {
  if (hold == Hold::kMine) return kByIdMine;
  return hold == Hold::kShared ? kByIdShared : kById;
}

Result<std::optional<Attempt>> ReadAttempt(Query& row, int first) {
  if (row.IsNull(first + 9)) return std::optional<Attempt>();
  const auto type = acme::ChallengeTypeFromString(row.Text(first + 9));
  const int64_t state = row.Int(first + 10);
  if (!type || state < 0 || state > static_cast<int64_t>(AttemptState::kInvalid)) {
    return Damaged("an attempt");
  }
  Attempt attempt{.type = *type,
                  .state = static_cast<AttemptState>(state),
                  .error = {},
                  .validated_at = row.OptionalAt(first + 12),
                  .payload = row.OptionalText(first + 13).value_or("")};
  AGENTCA_ASSIGN(attempt.error, ErrorFromJson(row.OptionalText(first + 11)));
  return std::optional(std::move(attempt));
}

Result<std::optional<Sha256Digest>> ReadDropKey(Query& row, int column) {
  if (row.IsNull(column)) return std::optional<Sha256Digest>();
  const ByteView stored = row.BlobView(column);
  Sha256Digest key{};
  if (stored.size() != key.size()) return Damaged("an authorization");
  std::copy(stored.begin(), stored.end(), key.begin());
  return std::optional(key);
}

// Where the index looks for a drop key. Whoever measures how long that takes learns of a hash, not
// of the key.
int64_t HintOf(const Sha256Digest& drop_key) {
  uint64_t hint = 0;
  const Sha256Digest digest = Sha256(drop_key);
  for (size_t i = 0; i < sizeof hint; ++i) hint = hint << 8 | digest[i];
  return static_cast<int64_t>(hint);
}

Result<Authorization> LoadNext(Query& row) {
  AGENTCA_ASSIGN(const bool found, row.Next());
  if (!found) return NoSuchAuthorization();
  return ReadAuthorization(row, 0);
}

std::optional<std::string> ErrorText(const Attempt& attempt) {
  if (!attempt.error) return std::nullopt;
  return ToJson(*attempt.error);
}

Status SaveAttempt(Connection& connection, const Authorization& authorization,
                   const std::string& self) {
  const Attempt& attempt = *authorization.attempt;
  std::optional<std::string_view> payload;
  if (!attempt.payload.empty()) payload = attempt.payload;
  std::optional<std::string_view> worker;  // as long as there is work
  if (attempt.state == AttemptState::kProcessing) worker = self;
  Query row(connection, kSetAttempt, ToString(attempt.type), static_cast<int>(attempt.state),
            ErrorText(attempt), attempt.validated_at, payload, worker, authorization.id, self);
  AGENTCA_ASSIGN(const bool ours, row.Next());
  if (!ours) return TakenUp();
  return row.Run();  // a statement with RETURNING acts to the end
}

std::optional<std::string> AttestationText(const Authorization& authorization) {
  if (!authorization.attestation) return std::nullopt;
  return ToJson(*authorization.attestation);
}

Status SaveAttestation(Connection& connection, const Authorization& authorization) {
  return Query(connection, kSetAttestation, AttestationText(authorization), authorization.id).Run();
}

}  // namespace

Status InsertAuthorization(Connection& connection, const Authorization& authorization) {
  std::optional<std::string_view> attempt;
  std::optional<int> state;
  std::optional<Time> validated_at;
  if (authorization.attempt) {
    attempt = ToString(authorization.attempt->type);
    state = static_cast<int>(authorization.attempt->state);
    validated_at = authorization.attempt->validated_at;
  }
  std::optional<ByteView> drop_key;
  std::optional<int64_t> drop_hint;
  if (authorization.drop_key) {
    drop_key = *authorization.drop_key;
    drop_hint = HintOf(*authorization.drop_key);
  }
  return Query(connection, kInsert, authorization.id, authorization.order_id,
               authorization.account_id, ToText(authorization.identifier), authorization.wildcard,
               authorization.token, ToText(authorization.offered), authorization.expires_at,
               attempt, state, validated_at, drop_key, drop_hint, AttestationText(authorization))
      .Run();
}

Result<Authorization> ReadAuthorization(Query& row, int first) {
  Authorization authorization{.id = row.Text(first),
                              .order_id = row.Text(first + 1),
                              .account_id = row.Text(first + 2),
                              .identifier = {},
                              .wildcard = row.Flag(first + 4),
                              .token = row.Text(first + 5),
                              .offered = {},
                              .expires_at = row.At(first + 7),
                              .deactivated = row.Flag(first + 8),
                              .attempt = {}};
  AGENTCA_ASSIGN(authorization.identifier, IdentifierFromText(row.Text(first + 3)));
  AGENTCA_ASSIGN(authorization.offered, ChallengeTypesFromText(row.Text(first + 6)));
  AGENTCA_ASSIGN(authorization.attempt, ReadAttempt(row, first));
  AGENTCA_ASSIGN(authorization.drop_key, ReadDropKey(row, first + 14));
  AGENTCA_ASSIGN(authorization.attestation, AttestationOrNull(row.OptionalText(first + 15)));
  if (!row.intact()) return Damaged("an authorization");
  return authorization;
}

Result<Authorization> LoadAuthorization(Connection& connection, const AuthorizationId& id,
                                        Hold hold) {
  Query row(connection, ById(hold), id);
  return LoadNext(row);
}

Result<std::vector<Authorization>> LoadAuthorizations(Connection& connection,
                                                      const std::vector<AuthorizationId>& ids,
                                                      Hold hold) {
  std::vector<Authorization> all;
  all.reserve(ids.size());
  Query row(connection, ById(hold));
  for (const AuthorizationId& id : ids) {
    row.Again().Bind(id);
    AGENTCA_ASSIGN(Authorization authorization, LoadNext(row));
    all.push_back(std::move(authorization));
  }
  return all;
}

Result<Authorization> SqlAcmeStore::FindAuthorization(const AuthorizationId& id) {
  return database_.Read([&](Connection& connection) {
    return LoadAuthorization(connection, id, Hold::kNothing);
  });
}

Result<acme::Store::Started> SqlAcmeStore::BeginChallenge(const AuthorizationId& id,
                                                             acme::ChallengeType type,
                                                             std::string_view payload, Time now) {
  // An attempt of unknown fate may have begun it: then the validation is ours, or nobody's. That it
  // is another's is harmless, because only the worker's outcome counts.
  bool begun = false;
  const auto begin = [&](Connection& connection) -> Result<Started> {
    AGENTCA_ASSIGN(Authorization authorization, LoadAuthorization(connection, id, Hold::kMine));
    AGENTCA_ASSIGN(const bool started, StartAttempt(authorization, type, payload, now));
    if (started) AGENTCA_TRY(SaveAttempt(connection, authorization, process_));
    begun = begun || started;
    const bool ours = begun && AwaitsValidation(authorization);
    return Started{std::move(authorization), ours};
  };
  return database_.Write(begin, Isolation::kLocks);
}

Status SqlAcmeStore::RecordRetry(const AuthorizationId& id, const Error& error) {
  const auto record = [&](Connection& connection) -> Status {
    AGENTCA_ASSIGN(Authorization authorization, LoadAuthorization(connection, id, Hold::kMine));
    AGENTCA_TRY(NoteRetry(authorization, error));
    return SaveAttempt(connection, authorization, process_);
  };
  return database_.Write(record, Isolation::kLocks);
}

Status SqlAcmeStore::FinishChallenge(const AuthorizationId& id,
                                        const Result<acme::Proof>& outcome, Time now) {
  std::optional<Attempt> finished;  // what an attempt of unknown fate may have stored
  const auto finish = [&](Connection& connection) -> Status {
    AGENTCA_ASSIGN(Authorization authorization, LoadAuthorization(connection, id, Hold::kMine));
    const bool dropped = authorization.attestation.has_value();
    SqlLedger ledger(connection);
    AGENTCA_TRY(storage::FinishChallenge(ledger, authorization, outcome, now));
    if (!dropped && authorization.attestation) {
      AGENTCA_TRY(SaveAttestation(connection, authorization));
    }
    AGENTCA_TRY(SaveAttempt(connection, authorization, process_));
    finished = authorization.attempt;
    return {};
  };
  const auto is_finished = [&](Connection& connection) -> Result<bool> {
    AGENTCA_ASSIGN(const Authorization stored, LoadAuthorization(connection, id, Hold::kNothing));
    return finished && stored.attempt && stored.attempt->state == finished->state &&
           stored.attempt->validated_at == finished->validated_at &&
           ErrorText(*stored.attempt) == ErrorText(*finished);
  };
  return database_.Write(finish, is_finished, Isolation::kLocks);
}

Status SqlAcmeStore::RecordDrop(const AuthorizationId& id, const acme::Attestation& attestation,
                                   Time now) {
  const auto record = [&](Connection& connection) -> Status {
    AGENTCA_ASSIGN(Authorization authorization, LoadAuthorization(connection, id, Hold::kMine));
    SqlLedger ledger(connection);
    AGENTCA_TRY(storage::RecordDrop(ledger, authorization, attestation, now));
    return SaveAttestation(connection, authorization);
  };
  const auto is_recorded = [&](Connection& connection) -> Result<bool> {
    AGENTCA_ASSIGN(const Authorization stored, LoadAuthorization(connection, id, Hold::kNothing));
    return stored.attestation && stored.attestation->evidence_hash == attestation.evidence_hash;
  };
  return database_.Write(record, is_recorded, Isolation::kLocks);
}

Result<acme::PendingValidation> SqlAcmeStore::FindByDropKey(const acme::Identifier& identifier,
                                                               const Sha256Digest& nonce) {
  return database_.ReadSnapshot([&](Connection& connection) -> Result<acme::PendingValidation> {
    Query row(connection, kByDropHint, HintOf(nonce), ToText(identifier));
    for (;;) {
      AGENTCA_ASSIGN(const bool found, row.Next());
      if (!found) return NoSuchAuthorization();
      if (!ConstantTimeEqual(row.BlobView(1), nonce)) continue;
      AGENTCA_ASSIGN(auto authorization, LoadAuthorization(connection, row.Text(0), Hold::kNothing));
      return acme::PendingValidation{std::move(authorization), row.Text(2)};
    }
  });
}

Result<Authorization> SqlAcmeStore::DeactivateAuthorization(const AuthorizationId& id,
                                                               Time now) {
  return database_.Write([&](Connection& connection) -> Result<Authorization> {
    AGENTCA_ASSIGN(Authorization authorization, LoadAuthorization(connection, id, Hold::kMine));
    AGENTCA_ASSIGN(const bool changed, Deactivate(authorization, now));
    if (changed) {
      AGENTCA_TRY(
          Query(connection,
                "UPDATE acme_authorization SET deactivated = 1, payload = NULL WHERE id = ?", id)
              .Run());
    }
    return authorization;
  });
}

Result<bool> SqlAcmeStore::HoldsAuthorizations(const acme::AccountId& id,
                                                  const std::vector<acme::Identifier>& identifiers,
                                                  Time now) {
  return database_.ReadSnapshot([&](Connection& connection) -> Result<bool> {
    for (const acme::Identifier& identifier : identifiers) {
      const Scope scope = ScopeOf(identifier);
      Query held(connection, kHeld, id, ToText(scope.base), scope.wildcard, now);
      AGENTCA_ASSIGN(const bool found, held.Next());
      if (!found) return false;
    }
    return !identifiers.empty();  // holding all of nothing proves nothing
  });
}

}  // namespace agentca::storage
