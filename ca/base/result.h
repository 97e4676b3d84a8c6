// Errors as values. No exception crosses a folder; a failure is an Error with a Code that the
// protocol layer can map to a wire problem and a detail that says what went wrong.
#pragma once

#include <cassert>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace agentca {

// The causes that callers tell apart. acme/problem maps each to a URN and an HTTP status.
enum class Code : uint8_t {
  kMalformed,
  kUnsupportedMediaType,
  kMethodNotAllowed,
  kPayloadTooLarge,
  kBadNonce,
  kBadSignatureAlgorithm,
  kBadPublicKey,
  kBadCsr,
  kBadRevocationReason,
  kAlreadyRevoked,
  kAccountDoesNotExist,
  kAccountKeyInUse,  // 409; `subject` names the account that holds the key
  kAccountInactive,  // deactivated or revoked account (401)
  kUnauthorized,
  kUserActionRequired,
  kExternalAccountRequired,
  kUnsupportedContact,
  kInvalidContact,
  kUnsupportedIdentifier,
  kRejectedIdentifier,
  kCompound,
  kOrderNotReady,
  kRateLimited,
  kConnection,         // validation: could not connect
  kDns,                // validation: name did not resolve
  kTls,                // validation: TLS failed
  kIncorrectResponse,  // validation: the answer was not the expected one
  kBadAttestation,
  kNotFound,
  kConflict,     // a guarded transition found another state
  kUnavailable,  // a dependency is away; try again later (503 + Retry-After)
  kInternal,     // our fault; detail is logged, never sent
};
inline constexpr int kCodeCount = static_cast<int>(Code::kInternal) + 1;

struct Error {
  Code code = Code::kInternal;
  std::string detail;         // reaches clients unless code is kInternal
  std::string subject{};        // what it is about: "dns:example.test", an account id; may be empty
  std::vector<Error> causes{};  // for kCompound and similar: one per subject
};

// Either a T or an Error. Asking for the one that is not there is a bug of ours and asserts.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(*-explicit-*)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(*-explicit-*)

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(*-explicit-*)

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const& { return *error_; }
  Error&& error() && { return *std::move(error_); }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace agentca

#define AGENTCA_CONCAT_INNER(a, b) a##b
#define AGENTCA_CONCAT(a, b) AGENTCA_CONCAT_INNER(a, b)
// Returns the error of a Status or Result from the enclosing function.
#define AGENTCA_TRY(expression)                                                    \
  do {                                                                             \
    if (auto agentca_status = (expression); !agentca_status.ok())                  \
      return std::move(agentca_status).error();                                    \
  } while (false)
// AGENTCA_ASSIGN(auto x, F()): x is F's value, or F's error is returned.
#define AGENTCA_ASSIGN(declaration, expression)                                    \
  AGENTCA_ASSIGN_INNER(AGENTCA_CONCAT(agentca_result_, __LINE__), declaration, expression)
#define AGENTCA_ASSIGN_INNER(temporary, declaration, expression)                   \
  auto temporary = (expression);                                                   \
  if (!temporary.ok()) return std::move(temporary).error();                        \
  declaration = std::move(temporary).value()
