// The ACME server without the network: HTTP request in, response out.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "acme/agents.h"
#include "acme/http/message.h"
#include "acme/links.h"
#include "acme/nonce.h"
#include "acme/store.h"
#include "acme/verifier.h"
#include "ca/audit.h"
#include "ca/issuance.h"
#include "ca/profile.h"
#include "ca/revocation.h"

namespace agentca::acme {

// What the operator allows.
struct Policy {
  std::vector<std::string> allow_names;  // suffixes; empty: every name that validates
  bool allow_ip_identifiers = true;
  size_t max_identifiers = 100;  // per order
  Seconds order_lifetime{24 * 3600};
  Seconds authorization_lifetime{24 * 3600};
  std::string terms_of_service;  // URL; "": none asked for
  std::string website;
  uint32_t new_accounts_per_hour = 1'000;  // per client address; 0: unlimited
  uint32_t new_orders_per_hour = 100'000;  // per account; 0: unlimited
  bool require_grant = false;  // new accounts need an External Account Binding (§7.3.4)
  // Drops and grants, which nobody signs; 0: unlimited.
  uint32_t evidence_per_address_per_hour = 20'000;  // requests, per client address
  uint32_t evidence_per_hour = 2'000'000;           // verifications, of all together
};

// Everything a Service talks to; the references outlive it. Grouped by what they are for.
struct Memory {
  Store& store;
  ca::CertificateStore& certificates;
  ca::ChainedLog& audit;
};
struct Authority {
  const ca::Issuance& issuance;
  const ca::Profile& profile;   // for certificates ordered through ACME
  const ca::KeyProvider& keys;  // Healthy(): refuse before BeginFinalize while it is not
  ca::Revoker& revoker;
  std::function<void()> on_revoked;    // RevocationWatcher::Nudge
  std::vector<std::string> chain_pem;  // issuing certificate first; root not included
  std::shared_ptr<const Agents> agents{};  // null: this CA serves none
};
struct World {
  const Clock& clock;
  Random& random;
};
struct ValidationOptions {
  size_t threads = 32;
  size_t queue = 4'096;
  int attempts = 3;  // §8.2: tries for causes that can pass (connection, DNS)
  std::chrono::milliseconds retry_delay{1'000};  // doubled each time
  // How long the answer to a challenge waits for the validation: one that is quick shows in it, and
  // spares client and server a poll that comes too early. Holds a worker.
  std::chrono::milliseconds answer_wait{25};
};

// Thread-safe.
class Service {
 public:
  Service(Memory memory, Authority authority, World world,
          std::vector<std::unique_ptr<Verifier>> verifiers, Policy policy, Links links,
          ValidationOptions validation);
  ~Service();  // finishes validations under way, drops those that wait (another node takes them up,
               // or the next start)

  http::Response Handle(const http::Request& request);
  // For requests the edge refused: a problem document with a fresh nonce.
  http::Response Refuse(int status, std::string_view detail);
  // HEAD/GET newNonce, GET directory and requests that look at one object need no thread; nullopt
  // for the rest.
  std::optional<http::Response> HandleFast(const http::Request& request);
  // Once at start, before listening: claims what earlier processes of this node and dead nodes left
  // processing. Orders are settled: with their certificate when it was recorded, with an error
  // otherwise; those that a human was asked about are issued or failed when one has decided, failed
  // when they have expired. Validations begin anew.
  Status Recover();
  // The same, again and again: some of what dead nodes left, and orders that were decided,
  // anywhere, or have expired. After an error the next call takes up what this one may have claimed. Not
  // called by several threads at once.
  Status TakeOver();
  // After Store::DecideApproval: issues or fails the order, now or, when key or store are away, as
  // soon as they are back, here or by TakeOver of any node. kNotFound; kConflict: nobody has
  // decided, or the order is settled.
  Status Decided(const OrderId& id);

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace agentca::acme
