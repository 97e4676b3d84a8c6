// Every URL that the ACME server hands out is made here, from one configured base.
#pragma once

#include <string>
#include <string_view>

#include "acme/model.h"

namespace agentca::acme {

class Links {
 public:
  // `external_url`: "https://ca.example:14000", no trailing slash.
  explicit Links(std::string external_url) : base_(std::move(external_url)) {}
  const std::string& base() const { return base_; }
  std::string Directory() const { return base_ + "/directory"; }
  std::string NewNonce() const { return base_ + "/acme/new-nonce"; }
  std::string NewAccount() const { return base_ + "/acme/new-account"; }
  std::string NewOrder() const { return base_ + "/acme/new-order"; }
  std::string RevokeCert() const { return base_ + "/acme/revoke-cert"; }
  std::string KeyChange() const { return base_ + "/acme/key-change"; }
  std::string Account(const AccountId& id) const { return base_ + "/acme/account/" + id; }
  std::string Orders(const AccountId& id) const { return Account(id) + "/orders"; }
  std::string Order(const OrderId& id) const { return base_ + "/acme/order/" + id; }
  std::string Finalize(const OrderId& id) const { return Order(id) + "/finalize"; }
  std::string Certificate(const OrderId& id) const { return Order(id) + "/certificate"; }
  std::string Authorization(const AuthorizationId& id) const { return base_ + "/acme/authz/" + id; }
  std::string Challenge(const AuthorizationId& id, ChallengeType type) const {
    return base_ + "/acme/challenge/" + id + "/" + std::string(ToString(type));
  }
  std::string Drop(const std::string& dns_name, const Sha256Digest& nonce) const {
    return base_ + "/acme/drop/" + dns_name + "/" + ToBase64Url(nonce);
  }
  std::string Grant() const { return base_ + "/acme/grant"; }

 private:
  std::string base_;
};

}  // namespace agentca::acme
